package workloads

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
)

// Preload is what a cluster has gathered over the years: objects by kind, number
// and size, written as fast as the server takes them, into the golden copy that
// trials begin from, or where there is none before the measured time. It is no
// load by itself.
type Preload struct {
	Objects  []PreloadObjects `yaml:"objects" required:"true" doc:"what is to be there"`
	Parallel int              `yaml:"parallel" min:"1" max:"1000" doc:"objects that are written at once; 32 by default"`
	Timeout  unit.Duration    `yaml:"timeout" min:"1ms" doc:"deadline of a request, 30s by default"`
}

// PreloadObjects is one kind of object of a base population.
type PreloadObjects struct {
	Shape      `yaml:",inline"`
	Count      int        `yaml:"count" required:"true" min:"1" max:"1000000" doc:"how many"`
	Size       unit.Sizes `yaml:"size" default:"1KiB" doc:"bytes that each carries beside its metadata; at most 1MiB for configmaps and secrets, 1532KiB for widgets and where cargo is given, and 255KiB for the others"`
	Namespaces int        `yaml:"namespaces" default:"1" min:"1" max:"10000" doc:"namespaces to spread them over"`
}

func newPreload() Workload {
	return &Preload{Parallel: fillers, Timeout: unit.Duration(30 * time.Second)}
}

// Check implements Workload.
func (p *Preload) Check() []string {
	var problems []string
	if len(p.Objects) == 0 {
		problems = append(problems, "objects: name what is to be there, such as {resource: configmaps, count: 10000}")
	}
	seen := map[string]bool{}
	for i, o := range p.Objects {
		field := func(name string) string { return fmt.Sprintf("objects[%d].%s", i, name) }
		if o.Count < 1 || o.Count > maxPopulation {
			problems = append(problems, fmt.Sprintf("%s: %d is not between 1 and %d", field("count"), o.Count, maxPopulation))
		}
		if o.Namespaces < 1 || o.Namespaces > 10_000 {
			problems = append(problems, fmt.Sprintf("%s: %d is not between 1 and 10000", field("namespaces"), o.Namespaces))
		}
		kind, wrong := o.carrier()
		for _, w := range wrong {
			problems = append(problems, field(w))
		}
		if len(wrong) == 0 {
			problems = append(problems, kind.checkSize(field("size"), o.Size)...)
			if seen[kind.resource.name] {
				problems = append(problems, fmt.Sprintf("%s: %s are given twice", field("resource"), kind.resource.name))
			}
			seen[kind.resource.name] = true
		}
	}
	if p.Parallel < 1 || p.Parallel > 1000 {
		problems = append(problems, fmt.Sprintf("parallel: %d is not between 1 and 1000", p.Parallel))
	}
	return append(problems, checkTimeout(p.Timeout)...)
}

// Describe implements Workload.
func (p *Preload) Describe() string {
	texts := make([]string, len(p.Objects))
	for i, o := range p.Objects {
		where := ""
		if o.Namespaces > 1 {
			where = fmt.Sprintf(" in %s namespaces", unit.Grouped(o.Namespaces))
		}
		texts[i] = fmt.Sprintf("%s %s of %s%s", unit.Grouped(o.Count), o.Resource, o.Size, where)
	}
	return "A base population, there before the load begins: " + strings.Join(texts, ", ") + "."
}

// Prepare implements Workload: it writes the objects. Where the server refuses
// one for a minute, it fails, and says how many there are.
func (p *Preload) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(p.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	done, total := 0, 0
	for _, o := range p.Objects {
		total += o.Count
	}
	for _, o := range p.Objects {
		// Told as a part of the whole.
		part := *env
		if env.Progress != nil {
			part.Progress = func(n, _ int) { env.Progress(done+n, total) }
		}
		if err := p.write(ctx, &part, c, o); err != nil {
			return err
		}
		done += o.Count
	}
	return nil
}

// write writes the objects of one kind.
func (p *Preload) write(ctx context.Context, env *Env, c *client.Client, o PreloadObjects) error {
	kind, err := o.made(ctx, env, o.Namespaces, "create")
	if err != nil {
		return err
	}
	objects := newObjects(env, c, kind, o.Size, namespaces(env.Name, o.Namespaces))
	if err := objects.prepare(ctx); err != nil {
		return err
	}
	begun := env.Clock.Now()
	err = fill(ctx, env, p.Parallel, o.Count, o.Resource, func(ctx context.Context, i int) error {
		return objects.ensure(ctx, &member{n: uint64(i)}, rand.New(rand.NewPCG(uint64(env.Seed), uint64(i))))
	})
	if err == nil {
		took := time.Duration(env.Clock.Now() - begun)
		env.Log.Info("preloaded", "workload", env.Name, "resource", o.Resource, "count", o.Count, "took", took.Round(time.Millisecond))
	}
	return err
}

// Population implements Lasting. How fast it is written is no part of it.
func (p *Preload) Population() (string, error) {
	text, err := json.Marshal(p.Objects)
	return string(text), err
}

// Run implements Workload: it does nothing until ctx ends.
func (p *Preload) Run(ctx context.Context, _ *Env) error {
	<-ctx.Done()
	return nil
}
