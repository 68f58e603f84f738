package scenarios

import (
	"context"
	"fmt"

	"github.com/storm-harness/storm/faults"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/operations"
	"github.com/storm-harness/storm/workloads"
)

func testKinds() Kinds {
	return Kinds{
		Faults: faults.Kinds, Operations: operations.Kinds,
		Workloads: map[string]func() workloads.Workload{
			"nodes":       func() workloads.Workload { return &nodes{} },
			"eventChurn":  func() workloads.Workload { return &churn{} },
			"list":        func() workloads.Workload { return &list{} },
			"deployments": func() workloads.Workload { return &deployments{} },
		},
	}
}

type idle struct{}

func (idle) Describe() string                                { return "a load" }
func (idle) Prepare(context.Context, *workloads.Env) error   { return nil }
func (idle) Run(ctx context.Context, _ *workloads.Env) error { <-ctx.Done(); return nil }
func (idle) Check() []string                                 { return nil }

type nodes struct {
	idle
	Count int `yaml:"count" doc:"how many"`
}

func (n *nodes) Check() []string {
	if n.Count < 1 {
		return []string{fmt.Sprintf("count: must be at least 1, is %d", n.Count)}
	}
	return nil
}

type churn struct {
	idle
	Rate unit.Rate `yaml:"rate" doc:"events a second"`
}

func (c *churn) Check() []string {
	if c.Rate <= 0 {
		return []string{"rate: must be above 0/s"}
	}
	return nil
}

type list struct {
	idle
	Resource    string    `yaml:"resource" doc:"what"`
	Rate        unit.Rate `yaml:"rate" doc:"lists a second"`
	Unpaginated bool      `yaml:"unpaginated" doc:"all at once"`
}

type deployments struct{ idle }
