package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/report"
)

// watchesOfANode are what the model keeps for each, and heartbeat is the time
// between two renewals: the defaults of the workload.
const (
	watchesOfANode = 9
	heartbeat      = 10 * time.Second
)

// fleetRun is what was seen of one fleet.
type fleetRun struct {
	up       float64 // seconds since the nodes began to come up
	coming   spent   // by everything while they did
	garbage  collected
	storm    usage
	peak     float64 // storm's largest RSS ever, bytes
	all      map[string]usage
	died     []string // components of the control plane that have ended by themselves
	before   float64  // the API server's RSS without the fleet, bytes
	watches  float64  // more than without the fleet, by the server's count, at the end of the span
	renewals float64  // a second, by the server's count
	tally    tally
	totals   measure.Totals
	due      float64 // renewals in the span
}

// fleet runs one fleet on a fresh control plane and measures it for the span.
func (b *bench) fleet(ctx context.Context, nodes int, perNode bool, span time.Duration) (fleetRun, error) {
	var r fleetRun
	err := b.with(ctx, func(ctx context.Context, p *plane) error { return r.measure(ctx, b, p, nodes, perNode, span) })
	return r, err
}

func (r *fleetRun) measure(ctx context.Context, b *bench, p *plane, nodes int, perNode bool, span time.Duration) (err error) {
	pids := processes(p)
	alone, err := procfs.ReadMemory(pids[server])
	if err != nil {
		return err
	}
	r.before = float64(alone.RSS)
	before, err := p.metrics(ctx)
	if err != nil {
		return err
	}
	b.say("%d nodes come up", nodes)
	meter, err := meters(pids)
	if err != nil {
		return err
	}
	access := p.Access()
	storm, err := generator(ctx, "fleet", fleetSetup{Kubeconfig: access.Kubeconfig, PKI: access.PKI, Nodes: nodes, PerNode: perNode, Profile: b.profile})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storm.end()) }()
	up, err := storm.until(ctx, stageUp, func(message) {})
	if err != nil {
		return err
	}
	r.up = up.At
	meter.also("storm", storm.cmd.Process.Pid)
	if r.coming, err = meter.sum(); err != nil {
		return err
	}
	b.say("up after %.1f s; settling for %s", r.up, b.settle)
	select {
	case <-time.After(b.settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := mark(ctx, storm, func(message) {}); err != nil {
		return err
	}
	first, err := p.metrics(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	b.say("measuring for %s", span)
	pids["storm"] = storm.cmd.Process.Pid
	if r.all, err = observe(ctx, pids, span); err != nil {
		return err
	}
	for name := range pids {
		if _, lives := r.all[name]; !lives {
			r.died = append(r.died, name)
		}
	}
	slices.Sort(r.died)
	if slices.Contains(r.died, server) || slices.Contains(r.died, "storm") {
		return fmt.Errorf("it has ended by itself: %s", strings.Join(r.died, ", "))
	}
	if err := mark(ctx, storm, r.take); err != nil {
		return err
	}
	last, err := p.metrics(ctx)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	memory, err := procfs.ReadMemory(pids["storm"])
	if err != nil {
		return err
	}
	r.peak = float64(memory.Peak)
	r.storm, r.watches = r.all["storm"], last.watches()-before.watches()
	r.garbage = last.collected().since(first.collected())
	r.renewals = (last.renewals() - first.renewals()) / took.Seconds()
	r.due = float64(nodes) * span.Seconds() / heartbeat.Seconds()
	return r.tally.bad
}

// without says of which components the control plane was lacking, if of any.
func (r *fleetRun) without() string {
	if len(r.died) == 0 {
		return ""
	}
	return "; without " + strings.Join(r.died, ", ") + ", which had ended by itself"
}

func (r *fleetRun) take(m message) {
	r.tally.take(m.Window)
	if m.Totals != nil {
		r.totals = *m.Totals
	}
}

// mark has a fleet hand out what it has recorded, up to now.
func mark(ctx context.Context, fleet *process, each func(message)) error {
	if err := fleet.ask(commandMark); err != nil {
		return err
	}
	_, err := fleet.until(ctx, stageMarked, each)
	return err
}

// register makes the Node objects of a fleet on a fresh control plane, and nothing
// else, and returns how many seconds that took, and what of the processors.
func (b *bench) register(ctx context.Context) (took float64, all spent, err error) {
	err = b.with(ctx, func(ctx context.Context, p *plane) (err error) {
		b.say("%d Node objects are made", b.nodes)
		meter, err := meters(processes(p))
		if err != nil {
			return err
		}
		access := p.Access()
		storm, err := generator(ctx, "fleet", fleetSetup{Kubeconfig: access.Kubeconfig, PKI: access.PKI, Nodes: b.nodes, Register: true})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, storm.end()) }()
		made, err := storm.until(ctx, stageRegistered, func(message) {})
		if err != nil {
			return err
		}
		took = made.At
		meter.also("storm", storm.cmd.Process.Pid)
		all, err = meter.sum()
		return err
	})
	return took, all, err
}

// shared measures the rows of a fleet over shared connections.
func (b *bench) shared(ctx context.Context) error {
	r, err := b.fleet(ctx, b.nodes, false, b.span)
	if err != nil {
		return err
	}
	b.cost("a", "shared connections", "100 MB; 8 s", r)
	b.add(row{
		Row: "d", What: fmt.Sprintf("leases renewed within 1 s of schedule, %d nodes for %s", b.nodes, b.span),
		Storm: fmt.Sprintf("%.3f %% of %.0f", 100*r.tally.share(r.due), r.tally.of(r.due)), HeldTo: "99.9 %",
		Peer: fmt.Sprintf("the server counts %.1f/s; %s; %s; %s%s", r.renewals, r.tally.lateness(), r.tally.failures(), r.garbage, r.without()),
		Figures: map[string]float64{
			"share": r.tally.share(r.due), "due": r.due, "of": r.tally.of(r.due), "renewed": float64(r.tally.renewed), "late": float64(r.tally.late),
			"failed": float64(r.tally.failed), "server.per.s": r.renewals, "lag.p99.ms": float64(r.totals.LagP99) / 1e6, "lag.max.ms": float64(r.totals.LagMax) / 1e6,
			"apiserver.gc.cycles": r.garbage.cycles, "apiserver.gc.cpu.s": r.garbage.seconds, "apiserver.gc.live.bytes": r.garbage.live, "apiserver.gc.stacks.bytes": r.garbage.stacks,
		},
	})
	if !b.wants("c") {
		return nil
	}
	registered, made, err := b.register(ctx)
	if err != nil {
		return err
	}
	figures := map[string]float64{"registered.s": registered, "up.s": r.up}
	made.figures(figures, "registered")
	r.coming.figures(figures, "up")
	b.add(row{
		Row: "c", What: fmt.Sprintf("%d Node objects made, by themselves / everything up: Nodes, CSINodes, leases, all watches in sync", b.nodes),
		Storm: fmt.Sprintf("%.1f s / %.1f s", registered, r.up), HeldTo: "6 s / 40 s (5,000 nodes)",
		Peer: fmt.Sprintf("busy meanwhile %s / %s", made, r.coming), Figures: figures,
	})
	return nil
}

// perNode measures a fleet in which each node has a connection of its own.
func (b *bench) perNode(ctx context.Context) error {
	r, err := b.fleet(ctx, b.nodes, true, b.span)
	if err == nil {
		b.cost("b", "a connection and a certificate for each node", "300 MB; 8 s", r)
	}
	return err
}

// cost adds what a fleet costs storm and the control plane.
func (b *bench) cost(letter, how, heldTo string, r fleetRun) {
	api := r.all[server]
	grown := report.Growth{Bytes: api.RSS - r.before, Watches: r.watches, Nodes: float64(b.nodes)}
	figures := map[string]float64{
		"rss.mean.bytes": r.storm.RSS, "rss.most.bytes": r.storm.Most, "rss.peak.bytes": r.peak, "cpu.s.per.min": r.storm.perMinute(),
		"watches": r.watches, "renewals.per.s": r.renewals, "up.s": r.up, "share": r.tally.share(r.due),
		"apiserver.rss.before.bytes": r.before, "apiserver.rss.mean.bytes": api.RSS, "apiserver.bytes.per.watch": grown.PerWatch(),
		"apiserver.bytes.per.node": grown.PerNode(), "apiserver.cpu.ms.per.node.min": 1000 * api.perMinute() / float64(b.nodes),
	}
	// What does not grow has no quotient, and JSON no word for that.
	maps.DeleteFunc(figures, func(_ string, v float64) bool { return math.IsNaN(v) })
	for name, u := range r.all {
		figures[name+".cpu.s.per.min"] = u.perMinute()
	}
	b.add(row{
		Row: letter, What: fmt.Sprintf("%d nodes, %d watches a node, leases, statuses; %s: storm's memory (largest) and processor time a minute", b.nodes, watchesOfANode, how),
		Storm: fmt.Sprintf("%s (%s); %.1f s", mb(r.storm.RSS), mb(r.storm.Most), r.storm.perMinute()), HeldTo: heldTo,
		Peer: fmt.Sprintf("KWOK, leases alone: row h; the server counts %.0f watches and %.1f renewals/s%s", r.watches, r.renewals, r.without()), Figures: figures,
	})
	b.add(row{
		Row: letter, What: "what that costs the API server: memory (per watch; per node), processor time a minute (per node)",
		Storm: fmt.Sprintf("%s (%.0f kB; %.0f kB), %.1f s (%.1f ms)", mb(api.RSS), grown.PerWatch()/1e3, grown.PerNode()/1e3,
			api.perMinute(), 1000*api.perMinute()/float64(b.nodes)),
	})
}
