package workloads

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/internal/apart"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
	"github.com/storm-harness/storm/workloads/lean"
)

// Stages is the load of a cluster that is filled step by step, as PayPal did it
// up to 200,000 pods on 4,100 nodes: workers create Deployments until as many
// pods run as the stage wants, hold that for a while, and go on to the next.
//
// It is closed-loop by design, alone among the loads: what it asks is how fast
// the control plane takes pods in, so its workers pause while more than a bound
// of the pods that they asked for have no node yet. The latencies of its
// requests count from the moment they were sent, and a slow server is asked
// less: judge the control plane by the stages, or by another load beside it.
type Stages struct {
	Stages   []Stage      `yaml:"stages" doc:"how many pods run at the end of each stage; 2,000, 16,000, 32,000, 150,000 and 200,000 by default, as at PayPal"`
	Scale    unit.Percent `yaml:"scale" doc:"share of these pods, replicas, workers and pending pods, for smaller clusters: at 1% the stages are 20, 160, 320, 1,500 and 2,000 pods, in deployments of 3 made by one worker, which pauses while more than one has no node; 100% by default"`
	Replicas int          `yaml:"replicas" min:"1" max:"10000" doc:"pods of a deployment, before scaling, and at least 1; 250 by default, and what a stage still lacks where that is less"`
	Workers  int          `yaml:"workers" min:"1" max:"1000" doc:"deployments that are created at once, before scaling, and at least 1; 10 by default"`
	Pending  int          `yaml:"pending" min:"0" max:"1000000" doc:"pods asked for and not yet bound to a node, before scaling, above which workers pause, so that there are at most this many and one deployment more; 100 by default"`
	Pausing  `yaml:",inline"`
	Hold     unit.Duration `yaml:"hold" doc:"how long a stage is held once all of its pods run; 30s by default"`
	Timeout  unit.Duration `yaml:"timeout" min:"1ms" doc:"deadline of a request, 10s by default"`

	eye    *eye // opened by Prepare, closed by Run or Release
	client *client.Client
	filled *filling
}

// Stage is one of them.
type Stage struct {
	Pods int `yaml:"pods" required:"true" min:"1" max:"1000000" doc:"pods that run at the end of the stage, before scaling"`
}

func newStages() Workload {
	return &Stages{
		Stages: []Stage{{2_000}, {16_000}, {32_000}, {150_000}, {200_000}}, Scale: 1,
		Replicas: 250, Workers: 10, Pending: 100, Hold: unit.Duration(30 * time.Second), Timeout: unit.Duration(client.DefaultTimeout),
	}
}

// Limits of stages: pods beyond any known cluster, and workers beyond any
// known client.
const (
	maxPods    = 1_000_000
	maxWorkers = 1000
)

// Check implements Workload.
func (s *Stages) Check() []string {
	var problems []string
	if len(s.Stages) == 0 {
		problems = append(problems, "stages: there must be one or more")
	}
	before := 0
	for i, st := range s.Stages {
		switch {
		case st.Pods < 1 || st.Pods > maxPods:
			problems = append(problems, fmt.Sprintf("stages[%d].pods: %d is not between 1 and %d", i, st.Pods, maxPods))
		case st.Pods <= before:
			problems = append(problems, fmt.Sprintf("stages[%d].pods: %d is not above the %d of the stage before", i, st.Pods, before))
		case s.scaled(st.Pods) == s.scaled(before) && s.Scale > 0:
			problems = append(problems, fmt.Sprintf("stages[%d].pods: at a scale of %s the %d pods are no more than the stage before has", i, s.Scale, st.Pods))
		}
		before = st.Pods
	}
	if s.Scale <= 0 || s.Scale > 1 {
		problems = append(problems, fmt.Sprintf("scale: %s is not above 0%% and up to 100%%", s.Scale))
	}
	if s.Replicas < 1 || s.Replicas > maxReplicas {
		problems = append(problems, fmt.Sprintf("replicas: %d is not between 1 and %d", s.Replicas, maxReplicas))
	}
	if s.Workers < 1 || s.Workers > maxWorkers {
		problems = append(problems, fmt.Sprintf("workers: %d is not between 1 and %d", s.Workers, maxWorkers))
	}
	if s.Pending < 0 || s.Pending > maxPods {
		problems = append(problems, fmt.Sprintf("pending: %d is not between 0 and %d", s.Pending, maxPods))
	}
	if s.Hold < 0 {
		problems = append(problems, fmt.Sprintf("hold: %s is below the limit of 0s", s.Hold))
	}
	return append(problems, checkTimeout(s.Timeout)...)
}

// scaled returns what is run in place of so many pods or workers. All of the ramp
// is in proportion: a hundredth of the cluster that schedules a hundredth as fast
// would let a queue of the same length wait a hundred times as long.
func (s *Stages) scaled(many int) int { return int(math.Round(float64(many) * s.Scale.Fraction())) }

func (s *Stages) replicas() int { return max(1, s.scaled(s.Replicas)) }
func (s *Stages) workers() int  { return max(1, s.scaled(s.Workers)) }

// Describe implements Workload.
func (s *Stages) Describe() string {
	var steps []string
	for _, st := range s.Stages {
		steps = append(steps, unit.Grouped(s.scaled(st.Pods)))
	}
	return fmt.Sprintf("Fills the cluster to %s pods, in deployments of up to %s made by %s, none while pods without a node are more than %s; each stage is held for %s. Closed-loop by design: a slow control plane is asked less.",
		strings.Join(steps, ", then "), unit.Grouped(s.replicas()), unit.Count(s.workers(), "worker"), unit.Grouped(s.scaled(s.Pending)), s.Hold)
}

// Prepare implements Workload: it finds out whether the nodes can hold the last
// stage, makes the namespace and opens the watch of the pods.
func (s *Stages) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(s.Timeout)
	if err != nil {
		return err
	}
	s.client = c
	if err := s.fits(ctx, c, env); err != nil {
		return err
	}
	ns := objectName(env.Name)
	if err := makeNamespaces(ctx, c, env, []string{ns}); err != nil {
		return err
	}
	r := resources["pods"]
	s.filled = newFilling(func(verb, detail string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: verb, Resource: "pods", Scope: "resource", Via: fleet.ViaWatch, Detail: detail})
	})
	s.eye, err = env.observe(ctx, c, r, ns, "", s.filled)
	return err
}

// fits says whether the nodes of the cluster have room for the last stage.
func (s *Stages) fits(ctx context.Context, c *client.Client, env *Env) error {
	nodes, room, err := allocatablePods(ctx, c, env.Access.RealNodes)
	if err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	if want := s.scaled(s.Stages[len(s.Stages)-1].Pods); int64(want) > room {
		return fmt.Errorf("workload %s: the last stage is %s pods, and the %s of the cluster can hold %s: name a load with more nodes before it, or lower scale",
			env.Name, unit.Grouped(want), unit.Count(nodes, "node"), unit.Grouped(int(room)))
	}
	return nil
}

// allocatablePods returns how many nodes there are, and how many pods they can
// hold in all, those included that they hold already. Beside real nodes the
// simulated ones alone count: the load's pods go nowhere else.
func allocatablePods(ctx context.Context, c *client.Client, simulated bool) (nodes int, pods int64, err error) {
	q := url.Values{"limit": {"500"}}
	if simulated {
		q.Set("labelSelector", apart.Key+"="+apart.Value)
	}
	var body bytes.Buffer
	for {
		req := &client.Request{Method: http.MethodGet, Path: resources["nodes"].path(""), Query: q.Encode()}
		if _, err := c.Insist(ctx, req, patience, &body, math.MaxInt64); err != nil {
			return 0, 0, err
		}
		raw, err := lean.Unwrap(body.Bytes())
		if err != nil {
			return 0, 0, err
		}
		var list corev1.NodeList
		if err := list.Unmarshal(raw); err != nil {
			return 0, 0, fmt.Errorf("decode a list of nodes: %w", err)
		}
		for i := range list.Items {
			pods += list.Items[i].Status.Allocatable.Pods().Value()
		}
		nodes += len(list.Items)
		switch {
		case list.Continue == "":
			return nodes, pods, nil
		case len(list.Items) == 0, list.Continue == q.Get("continue"), nodes > 10*maxNodes:
			return 0, 0, fmt.Errorf("GET %s: after %s the API server still has a next page, and what it gives is no list that ends", req.Path, unit.Count(nodes, "node"))
		}
		q.Set("continue", list.Continue)
	}
}

// Release implements Releaser.
func (s *Stages) Release() {
	if s.eye != nil {
		s.eye.close()
		s.eye = nil
	}
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// Run implements Workload. Once the last stage is reached it holds that.
func (s *Stages) Run(ctx context.Context, env *Env) error {
	if s.eye == nil {
		return errors.New("workload " + env.Name + ": its pods are not watched: call Prepare first")
	}
	c, err := env.client(s.Timeout) // the watch has its own connection
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	defer s.Release()
	f := &filler{
		Stages: s, env: env, client: c, pods: s.filled,
		create: env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: "create", Resource: "deployments.apps", Scope: "resource", Detail: "closed-loop"}),
	}
	f.run(ctx)
	return nil
}

// filler is one run of the load.
type filler struct {
	*Stages
	env    *Env
	client *client.Client
	pods   *filling
	create *measure.Series

	// Guarded by the lock of pods.
	made  int // deployments
	asked int // pods
}

// run goes from stage to stage until ctx ends. A stage that the end of the load
// found unfinished, or not begun, counts as one that did not end: a report that
// had nothing to say of it would look like that of a shorter ramp.
func (f *filler) run(ctx context.Context) {
	for i, st := range f.Stages.Stages {
		if f.stage(ctx, f.scaled(st.Pods)) {
			continue
		}
		for _, left := range f.Stages.Stages[i+1:] {
			now := f.env.Clock.Now()
			f.series(f.scaled(left.Pods)).Observe(now, now, measure.CodeUnended, 0)
		}
		return
	}
	<-ctx.Done()
}

func stageName(pods int) string { return fmt.Sprintf("to %d", pods) }

// series is that of how long a stage took: one value each.
func (f *filler) series(pods int) *measure.Series { return f.pods.series("stage", stageName(pods)) }

// stage creates deployments until so many pods run, and holds that; it returns
// false where the load ended before.
func (f *filler) stage(ctx context.Context, want int) bool {
	began := f.env.Clock.Now()
	before := f.pods.begin(stageName(want))
	var workers sync.WaitGroup
	for range f.workers() {
		workers.Go(func() { f.work(ctx, want) })
	}
	workers.Wait()
	var full census
	if !f.pods.await(ctx, func(c census) bool { full = c; return c.running >= want }) {
		f.series(want).Observe(began, f.env.Clock.Now(), measure.CodeUnended, 0)
		return false
	}
	// How long it took from its first request until all of its pods were seen
	// running. The log has what is beyond the histograms.
	ended := max(full.at, began)
	f.series(want).Observe(began, ended, "", 0)
	if took := time.Duration(ended - began); took > 0 {
		f.env.Log.Info("stage reached", "workload", f.env.Name, "pods", want, "took", took.Round(time.Millisecond),
			"boundPerSecond", math.Round(10*float64(full.bound-before)/took.Seconds())/10)
	}
	select {
	case <-time.After(f.Hold.D()):
		return true
	case <-ctx.Done():
		return false
	}
}

// work is one worker: it creates deployments until the stage has all that it
// needs, pausing while too many pods have no node.
func (f *filler) work(ctx context.Context, want int) {
	for {
		var index, replicas int
		taken := func(c census) (over bool) {
			index, replicas, over = f.take(c, want)
			return over || replicas > 0
		}
		if !f.pods.await(ctx, taken) || replicas == 0 {
			return
		}
		req, err := createDeployment(f.env, objectName(f.env.Name), index, replicas, f.Pausing)
		if err != nil {
			f.env.Log.Error("encode a deployment", "error", err)
			return
		}
		for !f.ask(ctx, req) {
			select {
			case <-time.After(retryPause):
			case <-ctx.Done():
				return
			}
		}
	}
}

// retryPause is how long a worker waits before it repeats a creation that
// failed: the stage cannot do without its pods.
const retryPause = time.Second

// ask creates a deployment; one that is there was made by an attempt whose
// answer was lost.
func (f *filler) ask(ctx context.Context, req *client.Request) bool {
	a := f.client.Do(ctx, req, nil, 0)
	a.Observe(f.create)
	return a.OK() || a.Status == http.StatusConflict
}

// take returns the next deployment of the stage and with how many pods, unless
// too many of those asked for have no node yet, those included that the
// controllers have not made; over is true where the stage needs no more.
// filling's lock is held, so that of many workers one alone takes it.
func (f *filler) take(now census, want int) (index, replicas int, over bool) {
	left := want - f.asked
	if left <= 0 {
		return 0, 0, true
	}
	if f.asked-now.bound > f.scaled(f.Pending) {
		return 0, 0, false
	}
	index, replicas = f.made, min(f.replicas(), left)
	f.made++
	f.asked += replicas
	return index, replicas, false
}
