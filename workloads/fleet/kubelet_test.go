package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/lean"
)

// idleFleet is a fleet that is never run.
func idleFleet(t *testing.T, count int) *Fleet {
	t.Helper()
	clock := measure.NewClock()
	rec := measure.NewRecorder(clock, func(rundir.Window) {})
	t.Cleanup(rec.Close)
	return New(Config{
		Count: count, Heartbeat: 10 * time.Second, StatusReport: time.Minute, PodWatch: true, AsNodes: true,
		PodStart: time.Second, PodStop: 2 * time.Second, InFlight: 10,
	}, Env{Workload: "fleet", Recorder: rec, Clock: clock, Seed: 1, Log: slog.New(slog.DiscardHandler)})
}

func podIs(uid, phase string, deleting bool) *lean.Pod {
	return &lean.Pod{Meta: lean.Meta{Name: "p-" + uid, Namespace: "ns", UID: uid, Deleting: deleting}, Phase: phase, Node: "n"}
}

// What a kubelet sees of a pod, and what it then has to do: each step adds at
// most one errand, and none twice.
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
			{"MODIFIED", "Running", false, 0, running},
			{"MODIFIED", "Running", true, 1, stopping},
			{"MODIFIED", "Running", true, 0, stopping},
			{"DELETED", "Running", true, 0, 0},
		},
		"deleted before it runs": {
			{"ADDED", "Pending", false, 1, starting},
			{"MODIFIED", "Pending", true, 1, stopping},
			{"DELETED", "Pending", true, 0, 0},
		},
		"seen after a restart while it runs": {{"LISTED", "Running", false, 0, running}},
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
			a := newAgenda(f.env.Clock)
			k := newKubelet(f, f.nodes[0], a)
			want := 0
			for i, s := range steps {
				k.pod(s.kind, 0, podIs("u", s.phase, s.deleting))
				want += s.errands
				if len(a.due) != want || k.pods["u"] != s.stage {
					t.Errorf("step %d: %d errands and stage %d, want %d and %d", i, len(a.due), k.pods["u"], want, s.stage)
				}
			}
		})
	}
}

func TestAListForgetsThePodsThatAreGone(t *testing.T) {
	f := idleFleet(t, 1)
	k := newKubelet(f, f.nodes[0], newAgenda(f.env.Clock))
	k.pod("ADDED", 0, podIs("gone", "Running", false))
	k.pod("ADDED", 0, podIs("stays", "Running", false))
	k.pod("LISTED", 0, podIs("stays", "Running", false))
	k.listed()
	if len(k.pods) != 1 || k.pods["stays"] != running {
		t.Errorf("knows %v", k.pods)
	}
	k.listed() // an empty list
	if len(k.pods) != 0 {
		t.Errorf("knows %v", k.pods)
	}
}

func TestAPodThatWasDeletedMeanwhileIsNotStarted(t *testing.T) {
	f := idleFleet(t, 1)
	k := newKubelet(f, f.nodes[0], newAgenda(f.env.Clock))
	k.pod("ADDED", 0, podIs("u", "Pending", false))
	k.pod("DELETED", 0, podIs("u", "Pending", false))
	// There is no connection: a request would crash.
	k.start(context.Background(), 0, &pod{uid: "u"})
}

func TestARunningPodsStatusNamesItsContainers(t *testing.T) {
	f := idleFleet(t, 300)
	k := newKubelet(f, f.nodes[299], newAgenda(f.env.Clock))
	body, err := json.Marshal(k.runningStatus(&pod{uid: "u", containers: []lean.Container{{Name: "main", Image: "pause:3"}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"uid":"u"`, `"phase":"Running"`, `"type":"Ready","status":"True"`, `"type":"ContainersReady"`, `"hostIP":"100.64.1.43"`,
		`"name":"main"`, `"image":"pause:3"`, `"ready":true`, `"podIP":"10.`,
	} {
		if !strings.Contains(string(body), part) {
			t.Errorf("%s is missing in %s", part, body)
		}
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
	o.pod("LISTED", 1, bound("old", "Pending", ""))
	o.listed()
	o.pod("MODIFIED", 2, bound("old", "Running", "n")) // began before the watch

	o.pod("ADDED", 3, bound("new", "Pending", ""))
	o.pod("MODIFIED", 4, bound("new", "Pending", "n"))
	o.pod("MODIFIED", 5, bound("new", "Running", "n"))
	o.pod("MODIFIED", 6, bound("new", "Running", "n"))
	o.pod("DELETED", 7, bound("new", "Running", "n"))

	o.pod("ADDED", 8, bound("never", "Pending", "n"))
	o.pod("MODIFIED", 9, podIs("never", "Pending", true))
	rec.Close()
	if got["created-scheduled"] != 2 || got["scheduled-running"] != 1 || got["created-running"] != 1 {
		t.Errorf("observed %v", got)
	}
	if len(o.pods) != 2 {
		t.Errorf("keeps %d pods, want the two that are left", len(o.pods))
	}
	o.listed()
	if len(o.pods) != 0 {
		t.Errorf("keeps %d pods after an empty list", len(o.pods))
	}
}
