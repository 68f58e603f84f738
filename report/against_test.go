package report_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// later is the world's run again, of another day.
func later(change func(w *world)) *world {
	w := newWorld()
	w.run.ID, w.run.Started = "run-2", w.run.Started.Add(24*time.Hour)
	change(w)
	return w
}

func TestCompareRuns(t *testing.T) {
	usual := newWorld()
	slower := later(func(w *world) {
		recovery := w.recovery
		w.recovery = func(p rundir.Planned) float64 { return 1.5 * recovery(p) }
		w.run.Host.Cores, w.run.Host.Kernel, w.run.Host.FsyncUS = 8, "6.12.0", 8000
		w.run.Observing = &rundir.Observing{Probes: 1, Witness: 1}
		w.run.Profiles[1].Changes = []string{"cluster.etcd.electionTimeout=700ms"}
	})
	a, err := report.CompareRuns(usual.write(t), slower.write(t), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(a.Claim, "It has no verdict") || a.Old.ID != "run-1" || a.New.ID != "run-2" {
		t.Errorf("%+v", a)
	}
	said := strings.Join(a.Warnings, "\n")
	for _, want := range []string{"2 cores", "8 cores", "the kernel: 6.18.0 in the old run, 6.12.0 in the new one", "an fsync: 800 µs", "what storm itself asks and writes: unknown in the old run, probes at 1/s, a witness at 1/s in the new one", "fast was cluster.etcd.electionTimeout=500ms and fast is cluster.etcd.electionTimeout=700ms"} {
		if !strings.Contains(said, want) {
			t.Errorf("no warning says %q:\n%s", want, said)
		}
	}
	if len(a.Rows) != 4 {
		t.Fatalf("%d rows", len(a.Rows))
	}
	for _, r := range a.Rows {
		switch r.Metric {
		case "recovery.time":
			// Six against six: 1 − 2·19/924, the sixth difference from either end.
			if !(r.Low <= 1.5 && 1.5 <= r.High && r.Low > 1) || r.OldTrials != 6 || r.NewTrials != 6 || !strings.Contains(r.Text, "slower (95.9 % interval") {
				t.Errorf("%s: %+v", r.Profile, r)
			}
		case "api.latency":
			if r.Low > 1 || r.High < 1 || !strings.Contains(r.Text, "no difference found") {
				t.Errorf("%s: %+v", r.Profile, r)
			}
		}
	}
	same, err := report.CompareRuns(usual.write(t), later(func(*world) {}).write(t), "stock", "fast")
	if err != nil {
		t.Fatal(err)
	}
	if r := same.Rows[1]; len(same.Rows) != 2 || r.NewProfile != "fast" || r.High >= 1 || len(same.Warnings) != 3 || !strings.Contains(same.Warnings[0], "keeps no scenario") || same.Warnings[2] != "not compared: acknowledged writes lost: an account of writes has no ratio" {
		t.Errorf("%+v, %q", same.Rows, same.Warnings)
	}
}

func TestRunsThatCannotBeCompared(t *testing.T) {
	base := newWorld().write(t)
	for name, c := range map[string]struct {
		change   func(w *world)
		from, to string
		says     string
		other    bool // a different thing was measured
	}{
		"two different scenarios": {func(w *world) { w.run.Scenario = "quota-breach" }, "", "",
			"these runs cannot be compared: the scenario leader-loss in the old run and quota-breach in the new one", true},
		"another load": {func(w *world) { w.run.Workloads[0].Text = "creates 90 events a second" }, "", "",
			`both are of leader-loss, but the load differs: "churn: creates 60 events a second" in the old run and "churn: creates 90 events a second" in the new one`, true},
		"another timeline": {func(w *world) { w.run.Timeline = nil }, "", "", `"leaderKill: kills the leader of shard main" in the old run and "nothing" in the new one`, true},
		"no profile in common": {func(w *world) {
			w.run.Profiles = []rundir.Profile{{Name: "head"}}
		}, "", "", "no profile in common (stock and fast; head): say which with --profile OLD=NEW", false},
		"an unknown profile": {func(*world) {}, "stock", "slow", `has no profile "slow": it has stock and fast`, false},
	} {
		w := later(c.change)
		_, err := report.CompareRuns(base, w.write(t), c.from, c.to)
		var profile *report.ProfileError
		if errors.As(err, &profile) == c.other {
			t.Errorf("%s: an error of the profiles that were named: %v, want %v", name, !c.other, c.other)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, report.ErrNotComparable) != c.other {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARunIsNotComparedWithItself(t *testing.T) {
	w := newWorld()
	w.run.ID = "20261122t100000-abc"
	dir := w.write(t)
	if _, err := report.CompareRuns(dir, dir, "", ""); !errors.Is(err, report.ErrNotComparable) {
		t.Errorf("a run against itself: %v", err)
	}
	if _, err := report.CompareRuns(dir, dir, "stock", "fast"); err != nil {
		t.Errorf("two profiles of one run: %v", err)
	}
}

// Too few trials give no interval, and what is there says so.
func TestCompareRunsOfTooFewTrials(t *testing.T) {
	short := func(w *world) *rundir.Dir {
		w.run.Blocks, w.run.Plan = 3, w.run.Plan[:6]
		return w.write(t)
	}
	a, err := report.CompareRuns(short(newWorld()), short(later(func(*world) {})), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range a.Rows {
		if r.Confidence != 0 || !strings.Contains(r.Text, "n/a (a 95 % interval needs more than 3 trials against 3)") {
			t.Errorf("%+v", r)
		}
	}
	cut := later(func(w *world) {
		w.run.Outcome = "interrupted"
		w.stop = func(p rundir.Planned) int { return map[bool]int{p.Block > 4: 2}[true] }
	})
	if a, err = report.CompareRuns(newWorld().write(t), cut.write(t), "", ""); err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(a.Warnings, "\n"); !strings.Contains(said, "the run run-2 is not complete: 8 of 12 trials are valid") || a.Rows[0].NewTrials != 4 ||
		a.Rows[0].Text != "not compared: 6 of 6 trials of the old run and 4 of 6 of the new one can be used: what is left is no fair comparison" || a.Rows[0].Ratio.Is() {
		t.Errorf("%s, %+v", said, a.Rows[0])
	}
}

// What is not compared within a run is not compared between two, and the counts of
// either side are said.
func TestCompareRunsOfUnusableTrials(t *testing.T) {
	late := func(blocks int) func(w *world) {
		return func(w *world) {
			n := 0
			w.change = func(tr *rundir.Trial) {
				if p := w.run.Plan[n]; p.Profile == "stock" && p.Block <= blocks {
					tr.Health.Problems = []string{"it was late"}
				}
				n++
			}
		}
	}
	silent := func(w *world) { // a valid trial in which nothing was probed
		n := 0
		w.change = func(tr *rundir.Trial) {
			if w.run.Plan[n].ID == "004-b2-stock" {
				tr.Acts[0].Recovery = nil
			}
			n++
		}
	}
	for _, c := range []struct {
		name     string
		old, now func(w *world)
		says     string // empty where they are compared
	}{
		{"one of six", func(*world) {}, late(1), ""},
		{"two of six", func(*world) {}, late(2), "not compared: 6 of 6 trials of the old run and 4 of 6 of the new one can be used: what is left is no fair comparison"},
		{"of the old one", late(2), func(*world) {}, "not compared: 4 of 6 trials of the old run and 6 of 6 of the new one can be used: what is left is no fair comparison"},
		{"as many of both", late(2), late(2), ""},
		{"none of one", func(*world) {}, late(6), "not compared: no valid trial measured it in one of the runs; 6 of 6 trials of the old run and 0 of 6 of the new one can be used"},
		{"nothing measured", func(*world) {}, silent, "not compared: nothing was measured in 004-b2-stock ("},
		{"nor in the old one", silent, func(*world) {}, "of the old run; 5 of 6 trials of the old run and 6 of 6 of the new one can be used"},
	} {
		old, now := newWorld(), later(c.now)
		c.old(old)
		a, err := report.CompareRuns(old.write(t), now.write(t), "stock", "stock")
		if err != nil {
			t.Fatal(err)
		}
		r := a.Rows[1]
		if c.says == "" {
			if !r.Ratio.Is() || strings.Contains(r.Text, "not compared") {
				t.Errorf("%s: %+v", c.name, r)
			}
			continue
		}
		if !strings.Contains(r.Text, c.says) || r.Ratio.Is() || r.Low.Is() || r.P.Is() || r.Confidence != 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// A time that did not end while it was watched is said; where most of both runs are
// such, nothing is said of their ratio.
func TestCompareRunsOfWhatNeverRecovered(t *testing.T) {
	never := func(blocks int) func(w *world) {
		return func(w *world) {
			usual := w.recovery
			w.recovery = func(p rundir.Planned) float64 {
				if p.Block <= blocks {
					return math.Inf(1)
				}
				return usual(p)
			}
		}
	}
	for _, c := range []struct {
		old, now int
		says     string
		ratio    bool
	}{
		{0, 0, "no difference found", true},
		{0, 1, "; it did not recover in 0 of 6 trials of the old run and 1 of 6 of the new one", true},
		{6, 2, "; it did not recover in 6 of 6 trials of the old run and 2 of 6 of the new one", true},
		{3, 3, "not compared: it did not recover in 3 of 6 trials of the old run and 3 of 6 of the new one, which says nothing about the ratio", false},
		{6, 6, "not compared: it did not recover in 6 of 6 trials of the old run and 6 of 6 of the new one, which says nothing about the ratio", false},
	} {
		old, now := newWorld(), later(never(c.now))
		never(c.old)(old)
		a, err := report.CompareRuns(old.write(t), now.write(t), "stock", "stock")
		if err != nil {
			t.Fatal(err)
		}
		if r := a.Rows[1]; !strings.Contains(r.Text, c.says) || r.Ratio.Is() != c.ratio || r.P.Is() != c.ratio || (c.old+c.now == 0) == strings.Contains(r.Text, "recover") {
			t.Errorf("%d and %d: %+v", c.old, c.now, r)
		}
	}
}
