package workloads

import (
	"context"
	"fmt"
	"sync"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
	"github.com/storm-harness/storm/workloads/reflector"
)

// Watching is what loads of many watches of one collection have in common.
type Watching struct {
	Count       int           `yaml:"count" required:"true" min:"1" max:"100000" doc:"how many of them"`
	Sync        string        `yaml:"sync" enum:"watchList,list" doc:"how a watch begins: streaming the list within it, as client-go does from 1.35 on, or after a list; watchList by default"`
	Content     string        `yaml:"content" enum:"protobuf,json" doc:"encoding of watches and lists; protobuf by default; custom resources have JSON alone"`
	Connections string        `yaml:"connections" enum:"shared,own" doc:"shared: all of them share as few connections as the server's limit of streams allows; own: each has a TLS connection of its own, as separate processes do; shared by default"`
	Timeout     unit.Duration `yaml:"timeout" min:"1ms" doc:"deadline of a request, and of the beginning of a watch; 60s by default, 10s for watchers"`
}

// maxWatches is beyond what any API server is known to bear.
const maxWatches = 100_000

// check returns what is wrong, given how many files may be open.
func (w Watching) check(name string, files uint64) []string {
	var problems []string
	switch {
	case w.Count < 1 || w.Count > maxWatches:
		problems = append(problems, fmt.Sprintf("count: %d is not between 1 and %d", w.Count, maxWatches))
	case w.files() > files:
		problems = append(problems, tooManyFiles(fmt.Sprintf("count: %d", w.Count), w.files(), files))
	}
	if w.Sync != "watchList" && w.Sync != "list" {
		problems = append(problems, fmt.Sprintf("sync: %q is not one of watchList, list", w.Sync))
	}
	problems = append(problems, checkContent(w.Content)...)
	if r, err := findResource(name); err == nil && w.Content == "protobuf" && !r.builtin() {
		problems = append(problems, fmt.Sprintf("content: %s are custom resources, which have no Protobuf: write content: json", name))
	}
	if w.Connections != "shared" && w.Connections != "own" {
		problems = append(problems, fmt.Sprintf("connections: %q is not one of shared, own", w.Connections))
	}
	return append(problems, checkTimeout(w.Timeout)...)
}

// Sockets implements Connected.
func (w Watching) Sockets() uint64 {
	if w.Connections == "own" {
		return uint64(max(w.Count, 0))
	}
	return uint64(max(w.Count, 0)/streamsPerConnection + 1)
}

// files is how many files the watches may need open.
func (w Watching) files() uint64 { return w.Sockets() + filesBeside }

// manner says in words how the watches are made.
func (w Watching) manner() string {
	s := "streaming its list within the watch"
	if w.Sync == "list" {
		s = "listing before it watches"
	}
	if w.Content == "json" {
		s += ", in JSON"
	}
	if w.Connections == "own" {
		s += ", over a connection of its own"
	}
	return s
}

// herd is the watches of one load. Its reflectors are to be started.
type herd struct {
	env        *Env
	shared     *reflector.Shared
	reflectors []reflector.Reflector
	clients    []*client.Client
	end        context.CancelFunc
	alive      sync.WaitGroup
}

// collection is what a herd watches.
type collection struct {
	resource  resource
	namespace string // empty: all
	labels    string // the selectors
	fields    string
}

// perWatch is how much one watch of a herd can be about at once: a list, or its
// beginning, and its start anew, which must not wait for that: it ends it.
const perWatch = 2

// newHerd makes the watches of a load; it asks nothing of the server yet. sink
// may be nil. The herd must be closed.
func newHerd(env *Env, w Watching, of collection, sink func(i int) reflector.Sink) (*herd, error) {
	first, err := env.client(w.Timeout)
	if err != nil {
		return nil, err
	}
	series := func(verb, via string) *measure.Series {
		return env.Recorder.Series(rundir.Key{
			Workload: env.Name, Verb: verb, Resource: of.resource.String(), Scope: scopeIn(of.namespace, of.fields), Via: via, Detail: w.Sync,
		})
	}
	h := &herd{
		env: env, clients: []*client.Client{first}, reflectors: make([]reflector.Reflector, w.Count),
		shared: &reflector.Shared{
			Clock: env.Clock, Agenda: agenda.New(env.Clock, perWatch*w.Count), Seed: env.Seed,
			Streaming: w.Sync == "watchList", JSON: w.Content == "json", Objects: sink != nil,
			List: series("list", ""), Watch: series("watch", ""), Sync: series("sync", fleet.ViaWatch),
		},
	}
	query := selectors(of.labels, of.fields).Encode()
	for i := range h.reflectors {
		c := first
		if w.Connections == "own" && i > 0 {
			c = first.Twin()
			h.clients = append(h.clients, c)
		}
		h.reflectors[i] = reflector.Reflector{
			Shared: h.shared, Client: c, Path: of.resource.path(of.namespace), Query: query, ID: uint64(i),
		}
		if sink != nil {
			h.reflectors[i].Sink = sink(i)
		}
	}
	var background context.Context
	background, h.end = context.WithCancel(context.Background())
	h.alive.Go(func() { h.shared.Agenda.Run(background) })
	return h, nil
}

// close ends everything that the herd has open, and says what it has had.
func (h *herd) close() {
	h.shared.End()
	h.end()
	h.alive.Wait()
	cut := uint64(0)
	for _, c := range h.clients {
		cut += c.Cut()
		c.Close()
	}
	counts := &h.shared.Counts
	h.env.Log.Info("watches closed", "workload", h.env.Name, "open", counts.Open.Load(), "begun", counts.Watches.Load(),
		"events", counts.Events.Load(), "bytes", counts.Bytes.Load(), "cut", cut)
}

// await waits until every watch has seen everything that was there.
func (h *herd) await(ctx context.Context) error {
	synced := func() int { return int(h.shared.Counts.Synced.Load()) }
	if err := reflector.Await(ctx, len(h.reflectors), "watches", synced, h.env.Progress); err != nil {
		return fmt.Errorf("workload %s: %w", h.env.Name, err)
	}
	return nil
}
