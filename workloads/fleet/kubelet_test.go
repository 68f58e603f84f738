package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// idleFleet is a fleet that is never run.
func idleFleet(t *testing.T, count int) *Fleet {
	t.Helper()
	clock := measure.NewClock()
	rec := measure.NewRecorder(clock, func(rundir.Window) {})
	t.Cleanup(rec.Close)
	return New(Config{
		Count: count, Heartbeat: 10 * time.Second, StatusReport: time.Minute, Watches: Watches(), AsNodes: true, InFlight: 10,
		Pods: Pods{Start: unit.OneDuration(time.Second), Stop: unit.OneDuration(2 * time.Second), Work: unit.OneDuration(time.Second), References: true},
	}, Env{Workload: "fleet", Recorder: rec, Clock: clock, Seed: 1, Log: slog.New(slog.DiscardHandler)})
}

func podIs(uid, phase string, deleting bool) *lean.Pod {
	return &lean.Pod{Meta: lean.Meta{Name: "p-" + uid, Namespace: "ns", UID: uid, Deleting: deleting}, Phase: phase, Ready: phase == "Running", Node: "n"}
}

// What a kubelet sees of a pod, and what it then has to do: each step adds its
// errands, and none twice.
func TestWhatAKubeletDoesAboutItsPods(t *testing.T) {
	type seen struct {
		kind, phase string
		deleting    bool
		errands     int
		stage       stage
	}
	for name, steps := range map[string][]seen{
		"a life": {
			{"ADDED", "Pending", false, 1, starting},
			{"MODIFIED", "Pending", false, 0, starting}, // the scheduler's condition
			{"MODIFIED", "Running", true, 1, stopping},
			{"MODIFIED", "Running", true, 0, stopping},
			{"DELETED", "Running", true, 0, 0},
		},
		"deleted before it runs": {
			{"ADDED", "Pending", false, 1, starting},
			{"MODIFIED", "Pending", true, 1, stopping},
			{"DELETED", "Pending", true, 0, 0},
		},
		"seen after a restart while it runs": {{"LISTED", "Running", false, 1, running}},
		"seen after a restart, new":          {{"LISTED", "Pending", false, 1, starting}},
		"seen after a restart, deleted":      {{"LISTED", "Running", true, 1, stopping}},
		"seen twice over a new list": {
			{"ADDED", "Pending", false, 1, starting},
			{"LISTED", "Pending", false, 0, starting},
		},
		"come to its end":             {{"LISTED", "Succeeded", false, 0, 0}},
		"come to its end and deleted": {{"ADDED", "Failed", true, 1, stopping}},
	} {
		t.Run(name, func(t *testing.T) {
			f := idleFleet(t, 1)
			k := f.nodes[0].kubelet
			want := 0
			for i, s := range steps {
				k.see(s.kind, 0, podIs("u", s.phase, s.deleting))
				want += s.errands
				var at stage
				if p := k.pods["u"]; p != nil {
					at = p.stage
				}
				if f.agenda.Len() != want || at != s.stage {
					t.Errorf("step %d: %d errands and stage %d, want %d and %d", i, f.agenda.Len(), at, want, s.stage)
				}
			}
		})
	}
}

func TestAListForgetsThePodsThatAreGone(t *testing.T) {
	k := idleFleet(t, 1).nodes[0].kubelet
	k.see("ADDED", 0, podIs("gone", "Running", false))
	k.see("ADDED", 0, podIs("stays", "Running", false))
	k.see("LISTED", 0, podIs("stays", "Running", false))
	k.Synced(0)
	if len(k.pods) != 1 || k.pods["stays"] == nil {
		t.Errorf("knows %v", k.pods)
	}
	k.Synced(0) // an empty list
	if len(k.pods) != 0 {
		t.Errorf("knows %v", k.pods)
	}
}

func TestAPodThatWasDeletedMeanwhileIsNotStarted(t *testing.T) {
	k := idleFleet(t, 1).nodes[0].kubelet
	k.see("ADDED", 0, podIs("u", "Pending", false))
	p := k.pods["u"]
	k.see("DELETED", 0, podIs("u", "Pending", false))
	// There is no connection: a request would crash.
	k.start(context.Background(), 0, p)
}

// A pod that is being deleted when its kubelet first sees it, as after a restart, is
// watched for what it names like any other until it is gone, and takes no other pod's
// watch with it.
func TestWhatAPodNamesThatIsBeingDeletedIsWatchedToo(t *testing.T) {
	k := idleFleet(t, 1).nodes[0].kubelet
	of := func(uid string, deleting bool) *lean.Pod {
		p := podIs(uid, "Running", deleting)
		p.ConfigMaps, p.Secrets = []string{"ca"}, []string{"key"}
		return p
	}
	ca := reference{refConfigMap, "ns", "ca"}
	k.see("LISTED", 0, of("ends", true))
	if len(k.refs) != 2 || k.refs[ca].pods != 1 {
		t.Fatalf("holds %v", k.refs)
	}
	k.see("LISTED", 0, of("stays", false))
	k.see("DELETED", 0, of("ends", true))
	if len(k.refs) != 2 || k.refs[ca].pods != 1 {
		t.Fatalf("holds %v for the one that stays", k.refs)
	}
	k.see("LISTED", 0, of("ends too", true))
	k.forget()
	if len(k.refs) != 0 {
		t.Errorf("holds %v for nobody", k.refs)
	}
}

// The watches of a node draw their times by themselves: none ends with another, or backs
// off in step with it.
func TestWatchesOfWhatPodsNameAreNotInStep(t *testing.T) {
	seen := map[uint64]bool{}
	for _, node := range []int{0, 1, 99_999} {
		for _, ref := range []reference{{refConfigMap, "a", "x"}, {refConfigMap, "a", "y"}, {refConfigMap, "b", "x"}, {refSecret, "a", "x"}} {
			seen[ref.id(node)] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d numbers for 12 watches", len(seen))
	}
}

// Two pods that name the same objects are one watch each; it ends with the last.
func TestWhatPodsNameIsWatchedOnceForAsLongAsItIsNeeded(t *testing.T) {
	k := idleFleet(t, 1).nodes[0].kubelet
	of := func(uid string) *lean.Pod {
		p := podIs(uid, "Running", false)
		p.ConfigMaps, p.Secrets = []string{"ca", "ca", ""}, []string{"key"}
		return p
	}
	k.see("ADDED", 0, of("a"))
	k.see("ADDED", 0, of("b"))
	if len(k.refs) != 2 || k.refs[reference{refConfigMap, "ns", "ca"}].pods != 2 {
		t.Errorf("holds %v", k.refs)
	}
	k.see("DELETED", 0, of("a"))
	if len(k.refs) != 2 {
		t.Errorf("holds %v", k.refs)
	}
	k.see("DELETED", 0, of("b"))
	if len(k.refs) != 0 {
		t.Errorf("still holds %v", k.refs)
	}
}

func TestARunningPodsStatusNamesItsContainers(t *testing.T) {
	k := idleFleet(t, 300).nodes[299].kubelet
	body, err := json.Marshal(k.running(&pod{uid: "u", containers: []lean.Container{{Name: "main", Image: "pause:3"}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"phase":"Running"`, `"type":"Ready","status":"True"`, `"type":"ContainersReady"`, `"hostIP":"100.64.1.43"`,
		`"name":"main"`, `"image":"pause:3"`, `"ready":true`, `"podIP":"10.`,
	} {
		if !strings.Contains(string(body), part) {
			t.Errorf("%s is missing in %s", part, body)
		}
	}
}

// Of the pods that do not run when the load ends, or when they are deleted, those
// count that are to have a node, have been at it for long, and for longer than any
// that came to run.
func TestPodsThatDoNotStartAreCounted(t *testing.T) {
	clock := measure.NewClock()
	got := map[string]uint64{}
	rec := measure.NewRecorder(clock, func(w rundir.Window) { got[w.Detail] += w.Errors[measure.CodeUnended] })
	o := newObserver(New(Config{Count: 1}, Env{Workload: "fleet", Recorder: rec, Clock: clock}))
	const second = int64(time.Second)
	of := func(uid, phase, node string) *lean.Pod {
		p := podIs(uid, phase, false)
		p.Node, p.Scheduler = node, "default-scheduler"
		return p
	}
	add := func(uid, phase, node string, at int64) { o.see("ADDED", at, of(uid, phase, node)) }
	add("runs", "Pending", "n", second)
	o.see("MODIFIED", 21*second, podIs("runs", "Running", false))
	add("is over", "Pending", "n", second)
	o.see("MODIFIED", 20*second, podIs("is over", "Failed", false))
	for _, scheduler := range []string{NoScheduler, ""} {
		nobodys := of("is to have no node, by "+scheduler, "Pending", "")
		nobodys.Scheduler = scheduler
		o.see("ADDED", second, nobodys)
	}
	add("has no node", "Pending", "", second)
	add("stuck", "Pending", "n", 39*second)
	add("may be quick", "Pending", "n", 41*second)
	add("is deleted at once", "Pending", "n", 35*second)
	o.see("DELETED", 36*second, of("is deleted at once", "Pending", "n"))
	add("is deleted after long, without a node", "Pending", "", second)
	o.see("DELETED", 50*second, of("is deleted after long, without a node", "Pending", ""))
	add("is to go, after long", "Pending", "n", second)
	going := of("is to go, after long", "Pending", "n")
	going.Deleting = true
	o.see("MODIFIED", 50*second, going)
	o.see("DELETED", 51*second, going) // counted already
	add("ran before it went", "Pending", "n", 2*second)
	o.see("MODIFIED", 3*second, of("ran before it went", "Running", "n"))
	o.see("DELETED", 50*second, of("ran before it went", "Running", "n"))
	o.settle(60 * second)
	rec.Close()
	if got["created-running"] != 4 || got["scheduled-running"] != 2 || got["created-scheduled"] != 2 {
		t.Errorf("counted %v", got)
	}
}

// Pods' starts are measured only where their beginning was seen.
func TestPodStartsAreObserved(t *testing.T) {
	clock := measure.NewClock()
	got := map[string]uint64{}
	rec := measure.NewRecorder(clock, func(w rundir.Window) { got[w.Detail] += w.OK })
	o := newObserver(New(Config{Count: 1}, Env{Workload: "fleet", Recorder: rec, Clock: clock}))
	bound := func(uid, phase, node string) *lean.Pod {
		p := podIs(uid, phase, false)
		p.Node = node
		return p
	}
	o.see("LISTED", 1, bound("old", "Pending", ""))
	o.Synced(0)
	o.see("MODIFIED", 2, bound("old", "Running", "n")) // began before the watch

	o.see("ADDED", 3, bound("new", "Pending", ""))
	o.see("MODIFIED", 4, bound("new", "Pending", "n"))
	o.see("MODIFIED", 5, bound("new", "Running", "n"))
	o.see("MODIFIED", 6, bound("new", "Running", "n"))
	o.see("DELETED", 7, bound("new", "Running", "n"))

	o.see("ADDED", 8, bound("never", "Pending", "n"))
	o.see("MODIFIED", 9, podIs("never", "Pending", true))
	rec.Close()
	if got["created-scheduled"] != 2 || got["scheduled-running"] != 1 || got["created-running"] != 1 {
		t.Errorf("observed %v", got)
	}
	if len(o.pods) != 2 {
		t.Errorf("keeps %d pods, want the two that are left", len(o.pods))
	}
	o.Synced(0)
	if len(o.pods) != 0 {
		t.Errorf("keeps %d pods after an empty list", len(o.pods))
	}
}

// A pod that has come to its end needs nothing any more; its token least of all.
func TestACompletedPodIsLeftAlone(t *testing.T) {
	f, _ := oneNode(t, Config{Pods: Pods{Tokens: true}}, func(w http.ResponseWriter, _ *http.Request) { answerPod(w, 1) })
	k := f.nodes[0].kubelet
	p := podIs("u", "Running", false)
	p.RestartPolicy, p.Tokens = "Never", []lean.Token{{Seconds: 1}}
	k.see("ADDED", 0, p)
	k.complete(t.Context(), 0, k.pods["u"])
	if at := k.pods["u"].stage; at != ended {
		t.Errorf("it is at stage %d, want %d", at, ended)
	}
	k.see("MODIFIED", 0, podIs("u", "Succeeded", true))
	if at := k.pods["u"].stage; at != stopping {
		t.Errorf("deleted, it is at stage %d, want %d", at, stopping)
	}
}

// A pod's containers are not started before it has its tokens.
func TestNoContainerStartsWithoutItsTokens(t *testing.T) {
	asked := make(chan string, 20)
	var refused atomic.Bool
	token, err := client.Encode(&authenticationv1.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := oneNode(t, Config{Pods: Pods{Tokens: true, Start: unit.OneDuration(30 * time.Millisecond)}}, func(w http.ResponseWriter, r *http.Request) {
		switch what := r.Method; what {
		case http.MethodGet:
			answerPod(w, 1)
			return
		case http.MethodPost:
			if !refused.Swap(true) {
				asked <- "refused"
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			_, _ = w.Write(token)
			asked <- "token"
		default:
			asked <- toldBy(r.Body)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var ran sync.WaitGroup
	ran.Go(func() { f.agenda.Run(ctx) })
	p := podIs("u", "Pending", false)
	p.Tokens = []lean.Token{{Seconds: 3600}}
	f.nodes[0].kubelet.see("ADDED", f.env.Clock.Now(), p)
	for i, want := range []string{"Pending, sandbox False, observed 1", "refused", "token", "Running, sandbox True, observed 1"} {
		if is := <-asked; is != want {
			t.Errorf("request %d is %q, want %q", i, is, want)
		}
	}
	cancel()
	ran.Wait()
}

// The waits of a kubelet between the crashes of a container.
func TestBackOffOfContainersThatCrash(t *testing.T) {
	const second, minute = int64(time.Second), int64(time.Minute)
	p := &pod{crashes: 7}
	for i, want := range []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second} {
		if got := p.backOff(second); got != want {
			t.Errorf("crash %d waits %s, want %s", i+1, got, want)
		}
	}
	p.since = minute
	if got := p.backOff(12 * minute); got != 0 {
		t.Errorf("after eleven minutes of running it waits %s", got)
	}
	if p.crashes != 16 {
		t.Errorf("%d crashes, want 16: they go on from what the server knows", p.crashes)
	}
}

// What the controllers have said of a pod that runs, its kubelet corrects: once, and
// only where the server had it for ready.
func TestAKubeletCorrectsWhoSaysThatItsPodIsNotReady(t *testing.T) {
	f := idleFleet(t, 1)
	k := f.nodes[0].kubelet
	ready, not := podIs("u", "Running", false), podIs("u", "Running", false)
	not.Ready = false
	k.see("ADDED", 0, ready)
	before := f.agenda.Len()
	for i := range 2 {
		k.see("MODIFIED", 0, not)
		if n := f.agenda.Len() - before; n != 1 {
			t.Errorf("after change %d: %d errands, want one", i+1, n)
		}
	}
	if p := k.pods["u"]; k.isReady(p) {
		t.Error("it is ready")
	}
}
