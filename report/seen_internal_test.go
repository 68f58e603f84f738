package report

import (
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// A counter that appears when its component has told of itself before began at 0; one
// of the first scrape began nobody knows when.
func TestACounterThatAppearsLate(t *testing.T) {
	one := &trial{state: TrialValid, end: 30 * s}
	one.done.Phases = []rundir.Phase{{Name: "warmup", To: 10 * s}, {Name: "steady", From: 10 * s, To: 30 * s}}
	const dispatched = `apiserver_flowcontrol_dispatched_requests_total{priority_level="events"}`
	const full = `apiserver_flowcontrol_rejected_requests_total{priority_level="events",reason="queue-full"}`
	tell := func(at int64, component string, samples map[string]float64) {
		one.scraped(rundir.Scrape{At: at, Component: component, Samples: samples})
	}
	tell(8*s, "kube-apiserver-0", map[string]float64{dispatched: 100})
	tell(12*s, "kube-apiserver-0", map[string]float64{dispatched: 110})
	tell(14*s, "kube-apiserver-0", map[string]float64{dispatched: 120, full: 7})
	tell(16*s, "kube-apiserver-0", map[string]float64{dispatched: 130, full: 10})
	one.scraped(rundir.Scrape{At: 12 * s, Component: "kube-apiserver-1", Err: "refused"})
	tell(14*s, "kube-apiserver-1", map[string]float64{dispatched: 1000, full: 500})
	tell(16*s, "kube-apiserver-1", map[string]float64{dispatched: 1001, full: 500})
	got := one.levels()["events"]
	if got == nil || got.rejected != 10 || got.reasons["queue-full"] != 10 || got.dispatched != 31 {
		t.Errorf("%+v, want 10 rejected and 31 dispatched", got)
	}
}
