//go:build cluster || kind

package runner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// What nodes do on cue, and the loads on etcd itself and on a resource of the
// scenario's own, in a whole trial: the run directory holds the acts with their
// proofs and recoveries, and the report says so.
func TestNodesOnCueInAScenario(t *testing.T) {
	dir := playDir(t, "nodes-on-cue.yaml")
	for id, trial := range outcomes(t, dir) {
		for _, reason := range trial.Invalid {
			// How late a busy machine lets storm send is no matter of this test.
			if !rundir.OfTheMachine(reason) {
				t.Errorf("%s is invalid: %s", id, reason)
			}
		}
		var names []string
		for _, a := range trial.Acts {
			t.Logf("%s: %s: %s | %s | %v", id, a.Name, a.Proof, a.HealedBy, a.Facts)
			names = append(names, a.Name)
			if a.Proven == 0 || a.Proven < a.Injected || a.Error != "" {
				t.Errorf("%s was not proven: %+v", a.Name, a)
			}
			if a.Sort == "fault" && a.Healed < a.Proven {
				t.Errorf("%s was not healed: %+v", a.Name, a)
			}
			looked := map[string]bool{}
			for _, r := range a.Recovery {
				if r.Worst && !r.Censored && r.Probes > 0 {
					looked[r.Layer+" "+r.Op] = true
				}
			}
			for _, want := range []string{"etcd read", "etcd write", "api read", "api write"} {
				if !looked[want] {
					t.Errorf("no recovery of %s was measured after %s: %+v", want, a.Name, a.Recovery)
				}
			}
		}
		if want := []string{"kubeletRestart", "rackSilence", "drain"}; !slices.Equal(names, want) {
			t.Errorf("%s: acts %v, want %v", id, names, want)
		}
	}
	r, err := report.Analyse(dir)
	if err != nil {
		t.Fatal(err)
	}
	slow := map[string]bool{} // loads with requests that a busy machine did not answer in time
	for _, e := range r.Errors {
		slow[e.Workload] = slow[e.Workload] || busy(e.Code)
	}
	for _, e := range r.Errors {
		switch {
		case busy(e.Code):
			continue // the machine's affair
		case slow[e.Workload] && (e.Code == "404" || strings.HasPrefix(e.Code, "409")):
			continue // what was not answered in time was done all the same
		case e.Verb == "get" && e.Resource == "pods" && e.Code == "403 unrelated":
			continue // a kubelet saw its pod before the Node authorizer did
		case e.Workload == "web" && e.Code == "409 conflict":
			continue // a deletion of a deployment's meets its controllers' updates
		}
		t.Errorf("%d of %s %s %s failed with %s in %s", e.Count, e.Workload, e.Verb, e.Resource, e.Code, e.Phase)
	}
	if len(r.Recovery) < 12 {
		t.Errorf("%d kinds of recovery, want 4 after each of 3 acts", len(r.Recovery))
	}
	for _, g := range r.Gates {
		t.Logf("%s: %s: %s", g.Title, g.Verdict, g.Reason)
	}
	done := series(t, dir)
	for _, want := range []string{
		"direct: txn create", "direct: txn update", "direct: txn event", "direct: range list",
		"fleet: patch nodes/status", "fleet: create nodes",
		"gadgets: create gadgets.example.com", "gadgets: update gadgets.example.com", "gadgets: patch gadgets.example.com", "gadgets: delete gadgets.example.com",
	} {
		if !slices.ContainsFunc(done, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("nothing of %q in %v", want, done)
		}
	}
}

// busy says whether a failure is one that a machine without time makes of any
// request: it was turned away, or not answered in time.
func busy(code string) bool {
	switch code {
	case "refused", "timeout", "server-timeout", "server-deadline", "connection", "reset", "too-many-requests":
		return true
	}
	return strings.HasPrefix(code, "429") || strings.HasPrefix(code, "5")
}

// series lists what succeeded in a run, as "workload: verb resource", or detail at etcd.
func series(t *testing.T, dir *rundir.Dir) []string {
	t.Helper()
	var out []string
	for _, ts := range dir.Trials() {
		records, err := dir.Records(ts.ID)
		if err != nil {
			t.Fatal(err)
		}
		for w, err := range records.Windows() {
			if err != nil {
				t.Fatal(err)
			}
			what := w.Resource
			if w.Via == "etcd" {
				what = w.Detail
			}
			if s := w.Workload + ": " + w.Verb + " " + what; w.OK > 0 && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	slices.Sort(out)
	return out
}
