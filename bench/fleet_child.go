package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads"
)

// fleetName is the workload's.
const fleetName = "fleet"

// fleetSetup is what the generator "fleet" is told: the workload `nodes` with
// its defaults, as a scenario runs it.
type fleetSetup struct {
	Kubeconfig string
	PKI        string // the cluster's certificates
	Nodes      int
	PerNode    bool
	Register   bool   // the Node objects alone
	Profile    string // file of a processor profile of the span between two marks, if any
}

// The stages that it names, and the command that it takes: what was recorded
// until "mark" is told before the stage marked.
const (
	stageRegistered = "registered" // the last Node object is made
	stageUp         = "up"         // everything is: CSINodes, leases, all watches in sync
	stageMarked     = "marked"
	commandMark     = "mark"
)

// play brings the nodes up and keeps them until the parent closes the input.
// Windows are told as they end and not kept, as a run directory takes them.
func (s fleetSetup) play(ctx context.Context, in io.Reader, out *talker) error {
	goFirst()
	cfg, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		return err
	}
	issue, err := pki.Issuer(s.PKI)
	if err != nil {
		return err
	}
	w := workloads.Kinds["nodes"]().(*workloads.Nodes)
	w.Count = s.Nodes
	if s.PerNode {
		w.Connections = "perNode"
	}
	if problems := w.Check(); len(problems) > 0 {
		return fmt.Errorf("nodes: %v", problems)
	}
	clock := measure.NewClock()
	rec := measure.NewRecorder(clock, func(w rundir.Window) { out.tell(message{Window: &w}) })
	defer rec.Close()
	env := &workloads.Env{
		Name: fleetName, Access: clusters.Access{Kubeconfig: s.Kubeconfig, REST: cfg, PKI: s.PKI, Issue: issue}, REST: cfg, Admin: cfg,
		Recorder: rec, Clock: clock, Seed: 1, RunID: "bench", Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	defer w.Release()
	out.begun = time.Now() // the stages count from when the nodes begin to come up
	if s.Register {
		if err := w.Register(ctx, env); err != nil {
			return err
		}
		out.tell(message{Stage: stageRegistered})
		commands(in, func(string) {})
		return nil
	}
	if err := w.Prepare(ctx, env); err != nil {
		return err
	}
	out.tell(message{Stage: stageUp})

	ctx, end := context.WithCancel(ctx)
	profile := profile{path: s.Profile}
	go func() {
		commands(in, func(string) {
			err := profile.stop()
			if err == nil {
				err = profile.start()
			}
			if err != nil {
				env.Log.Warn("profile", "error", err)
			}
			t := rec.Totals()
			out.tell(message{Totals: &t})
			out.tell(message{Stage: stageMarked})
		})
		end()
	}()
	return w.Run(ctx, env)
}
