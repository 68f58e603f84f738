package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/internal/rundir"
)

func TestMarkdown(t *testing.T) {
	got := markdown([]row{{Row: "a", What: "x|y", Note: "n", Storm: "1", Peer: "2", HeldTo: "3"}})
	want := "| | what | storm | beside it | held to |\n|---|---|---|---|---|\n| a | x\\|y (n) | 1 | 2 | 3 |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRowsAreChosen(t *testing.T) {
	for args, want := range map[string]string{
		"":                          usual,
		"-rows=a,c,d":               "acd",
		"-soak=20m":                 usual + "i",
		"-search=5000,7500":         usual + "j",
		"-rows=j -search=5000,7500": "j",
		"-rows=k":                   "",
		"-rows=i":                   "",
		"-rows=j":                   "",
		"-search=7500,5000":         "",
		"-nodes=0":                  "",
		"-span=0s":                  "",
		"-env=GOGC":                 "",
		"-rows=d -env=GOGC=300":     "d",
		"-rows=d -flag==1":          "",
		"-rows=acd -alone":          "acd",
		"-rows=e -inflight=1000000": "",
	} {
		o, err := parse(strings.Fields(args))
		if (err != nil) != (want == "") || err == nil && o.letters != want {
			t.Errorf("%q: rows %q, error %v; want %q", args, o.letters, err, want)
		}
	}
}

// A renewal is on time only if it is certainly: late, failed and missing ones
// all count against the share.
func TestShareOfLeasesOnTime(t *testing.T) {
	var y tally
	y.take(window(t, "renew", map[string]uint64{"timeout": 1}, 5*time.Millisecond, 900*time.Millisecond, 3*time.Second))
	y.take(window(t, "update", map[string]uint64{"timeout": 1}, time.Millisecond)) // one of its tries
	y.take(window(t, "get", nil, 2*time.Second))                                   // the renewal after it has that in its own time
	y.take(window(t, "create", nil, 9*time.Second))                                // no renewal
	if y.bad != nil {
		t.Fatal(y.bad)
	}
	if y.renewed != 3 || y.late != 1 || y.failed != 1 {
		t.Errorf("renewed %d, late %d, failed %d; want 3, 1, 1", y.renewed, y.late, y.failed)
	}
	if got := y.share(4); got != 0.5 {
		t.Errorf("of 4 due: %v, want 0.5", got)
	}
	if got := y.share(10); got != 0.2 {
		t.Errorf("of 10 due: %v, want 0.2", got)
	}
	if got := (&tally{}).share(0); got != 0 {
		t.Errorf("of nothing: %v, want 0: not measured is not on time", got)
	}
	if got, want := y.lateness(), "1 late, in 1 of 1 windows (from 0 s on), at most 3s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&tally{}).lateness(), "none late"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := y.failures(), "failed: 1 × update leases.coordination.k8s.io: timeout"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func window(t *testing.T, verb string, errs map[string]uint64, took ...time.Duration) *rundir.Window {
	t.Helper()
	h := rundir.NewHist()
	for _, d := range took {
		if err := h.RecordValue(d.Microseconds()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := rundir.EncodeHist(h)
	if err != nil {
		t.Fatal(err)
	}
	via := ""
	if verb == "renew" {
		via = rundir.ViaWatch
	}
	return &rundir.Window{
		Key: rundir.Key{Workload: fleetName, Verb: verb, Resource: "leases.coordination.k8s.io", Scope: "resource", Via: via},
		OK:  uint64(len(took)), Errors: errs, Hist: text,
	}
}
