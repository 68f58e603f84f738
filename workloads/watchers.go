package workloads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
	"github.com/storm-harness/storm/workloads/lean"
	"github.com/storm-harness/storm/workloads/reflector"
)

// Watchers is the load of many watches of objects that change: it writes
// objects in a namespace of its own, and measures for every write and every
// watch how long the event took, from the instant that the write was sent until
// the event's bytes were here. Both are read from one clock.
type Watchers struct {
	Watching `yaml:",inline"`
	Resource string        `yaml:"resource" enum:"configmaps,secrets" doc:"what is written and watched; configmaps by default"`
	Rate     unit.Schedule `yaml:"rate" required:"true" doc:"writes a second, as a constant, a ramp or steps; each makes an event on every watch"`
	Arrivals string        `yaml:"arrivals" enum:"constant,poisson" doc:"whether writes come evenly or at random with that rate on average; constant by default"`
	InFlight int           `yaml:"inFlight" min:"1" max:"100000" doc:"writes that may be in flight at once; beyond it one is refused at its intended time and counts as failed"`
	Objects  int           `yaml:"objects" min:"1" max:"100000" doc:"objects that the writes go round; 100 by default"`
	Size     unit.Size     `yaml:"size" max:"1MiB" doc:"bytes of data in each object, which every event carries; 1KiB by default"`

	herd       *herd // made by Prepare, used up by Run
	deliveries *deliveries
	deliver    *measure.Series
}

func newWatchers() Workload {
	return &Watchers{
		Watching: Watching{Sync: "watchList", Content: "protobuf", Connections: "shared", Timeout: unit.Duration(client.DefaultTimeout)},
		Resource: "configmaps", InFlight: 1000, Objects: 100, Size: 1 << 10,
	}
}

// writeAnnotation carries the number of the write that an object has last seen.
const writeAnnotation = "storm.dev/write"

// Limits of Watchers. Larger objects than 1 MiB come near what etcd refuses.
const (
	maxWatched     = 100_000
	maxWatchedSize = unit.Size(1 << 20)
)

func (w *Watchers) loop() OpenLoop {
	return OpenLoop{Rate: w.Rate, Arrivals: w.Arrivals, InFlight: w.InFlight, Timeout: w.Timeout}
}

// Check implements Workload.
func (w *Watchers) Check() []string {
	problems := append(w.check(w.Resource, openFiles()), checkRate("rate", w.Rate)...)
	if n := w.Rate.Peak().PerSecond() * float64(w.Count); len(problems) == 0 && n > maxRate {
		problems = append(problems, fmt.Sprintf("rate: %s to %d watches are %.0f deliveries a second, above the limit of %.0f", w.Rate.Peak(), w.Count, n, float64(maxRate)))
	}
	if w.object("x", "") == nil {
		problems = append(problems, fmt.Sprintf("resource: %q is not one of configmaps, secrets", w.Resource))
	}
	if w.Objects < 1 || w.Objects > maxWatched {
		problems = append(problems, fmt.Sprintf("objects: %d is not between 1 and %d", w.Objects, maxWatched))
	}
	if w.Size < 0 || w.Size > maxWatchedSize {
		problems = append(problems, fmt.Sprintf("size: %s is above the limit of %s", w.Size, maxWatchedSize))
	}
	bounds := w.loop()
	bounds.Timeout = 1 // it is checked above
	return append(problems, bounds.checkBounds()...)
}

// Describe implements Workload.
func (w *Watchers) Describe() string {
	return fmt.Sprintf("Changes %s, %s of %s, at %s, before %s, each %s; the way of each event to each of them is measured from the write.",
		w.Resource, unit.Count(w.Objects, "object"), w.Size, w.Rate.Phrase(), unit.Count(w.Count, "watcher"), w.manner())
}

// object is one to be written; nil of a resource that storm does not write.
func (w *Watchers) object(name, runID string) runtime.Object {
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{RunLabel: runID}}
	data := strings.Repeat("x", int(min(w.Size, maxWatchedSize)))
	switch w.Resource {
	case "configmaps":
		return &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"data": data}}
	case "secrets":
		return &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"data": []byte(data)}}
	}
	return nil
}

func watchedName(i int) string { return "watched-" + strconv.Itoa(i) }

// Prepare implements Workload: it makes the objects, and brings the watches up.
func (w *Watchers) Prepare(ctx context.Context, env *Env) error {
	namespace := objectName(env.Name)
	c, err := env.client(w.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := makeNamespaces(ctx, c, env, []string{namespace}); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	path := resources[w.Resource].path(namespace)
	err = fill(ctx, env, fillers, w.Objects, "object", func(ctx context.Context, i int) error {
		return makeObject(ctx, c, path, w.object(watchedName(i), env.RunID))
	})
	if err != nil {
		return err
	}
	w.Release()
	w.deliveries = newDeliveries(w.Count)
	w.deliver = env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: "deliver", Resource: w.Resource, Scope: "resource", Via: fleet.ViaWatch})
	w.herd, err = newHerd(env, w.Watching, collection{resource: resources[w.Resource], namespace: namespace}, func(i int) reflector.Sink {
		return &watcher{w, i}
	})
	if err != nil {
		return err
	}
	now := env.Clock.Now()
	for i := range w.herd.reflectors {
		w.herd.reflectors[i].Start(now)
	}
	return w.herd.await(ctx)
}

// Release implements Releaser.
func (w *Watchers) Release() {
	if w.herd != nil {
		w.herd.close()
		w.herd = nil
	}
}

// lateness is how long after the last write the deliveries are waited for: what
// has not come by then is missed.
const lateness = 5 * time.Second

// Run implements Workload.
func (w *Watchers) Run(ctx context.Context, env *Env) error {
	if w.herd == nil {
		return errors.New("workload " + env.Name + ": its watches are not open: call Prepare first")
	}
	defer w.Release()
	c, err := env.client(w.Timeout)
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	path := resources[w.Resource].path(objectName(env.Name)) + "/"
	patch := env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: "patch", Resource: w.Resource, Scope: "resource"})
	loop := w.loop()
	loop.run(ctx, env, loop.schedule(env.Seed), func(ctx context.Context, slot pace.Slot) {
		n := slot.N + 1
		body := `{"metadata":{"annotations":{"` + writeAnnotation + `":"` + strconv.FormatUint(n, 10) + `"}}}`
		w.deliveries.send(n, env.Clock.Now())
		a := c.Do(ctx, &client.Request{
			Method: http.MethodPatch, Path: path + watchedName(int(slot.N%uint64(w.Objects))), Body: []byte(body), ContentType: client.MergePatch,
		}, nil, 0)
		w.deliveries.answered(n, a)
		a.Record(patch, slot.Intended)
	}, func(pace.Slot) *measure.Series { return patch })
	w.settle(env)
	return nil
}

// settle waits for what is still on its way, and counts what does not come.
func (w *Watchers) settle(env *Env) {
	for end := time.Now().Add(lateness); w.deliveries.awaited() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	now, lost := env.Clock.Now(), map[string]int{}
	open := func(i int) bool { return w.herd.reflectors[i].Open() }
	w.deliveries.lost(open, func(sent int64, code string) {
		lost[code]++
		w.deliver.Record(sent, sent, now, code, 0)
	})
	if len(lost) > 0 {
		env.Log.Warn("acknowledged writes that watches did not deliver", "workload", env.Name, "deliveries", fmt.Sprint(lost))
	}
}

// watcher is one watch.
type watcher struct {
	load  *Watchers
	index int
}

// Event implements reflector.Sink. An object that was listed counts too: that
// is how its watch learned of the write.
func (w *watcher) Event(at int64, ev lean.Event) error {
	text, err := ev.Annotation(writeAnnotation)
	if err != nil || text == nil || ev.Type == "DELETED" {
		return err
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: the write %q is no number", lean.ErrMalformed, text)
	}
	if sent, ok := w.load.deliveries.deliver(w.index, n); ok {
		w.load.deliver.Record(sent, sent, at, "", int64(len(ev.Object)))
	}
	return nil
}

// Synced implements reflector.Sink.
func (w *watcher) Synced(at int64) { w.load.deliveries.synced(w.index, at) }
