package report_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// cuts are the lengths that a file of that content is cut off at: its begin and
// its end, whole lines and parts of them.
func cuts(data []byte) []int {
	seen := map[int]bool{}
	add := func(n int) {
		if n >= 0 && n < len(data) {
			seen[n] = true
		}
	}
	for i := range 8 {
		add(i * len(data) / 8)
	}
	add(1)
	add(len(data) - 1)
	add(len(data) - 2)
	lines := bytes.Count(data, []byte("\n"))
	at := 0
	for n := 1; n <= lines; n++ {
		at += bytes.IndexByte(data[at:], '\n') + 1
		if n == 1 || n == lines/2 || n == lines-1 { // after a whole line: nothing looks amiss
			add(at)
			add(at - 1)
		}
	}
	var out []int
	for n := range seen {
		out = append(out, n)
	}
	return out
}

// A run directory of which any file was cut off anywhere gives an error, or a
// report that says of the trial what is wrong with it; never another verdict
// than the whole one and never a panic.
func TestCutOffAnywhere(t *testing.T) {
	warmed := func(w *world) {
		for i := range w.run.Plan { // the warm-up block is read like the others
			if w.run.Plan[i].Block == 1 {
				w.run.Plan[i].Block, w.run.Plan[i].Discarded = 0, true
			} else {
				w.run.Plan[i].Block--
			}
		}
		for b, name := range []string{"stock", "fast"} {
			w.run.Plan = append(w.run.Plan, rundir.Planned{ID: "0" + string(rune('x'+b)) + "-b6-" + name, Block: 6, Profile: name})
		}
	}
	w := newWorld()
	warmed(w)
	path := w.write(t).Path()
	whole := analysed(t, path)
	verbs := newOtherVerbs(t, path, later(warmed).write(t))
	if whole.Verdict != report.Improved || whole.Run.Valid != 12 || whole.Run.Discarded != 2 {
		t.Fatalf("the whole directory: %s, %d valid, %d discarded", whole.Verdict, whole.Run.Valid, whole.Run.Discarded)
	}
	const cutTrial = "003-b2-fast"
	var files []string
	if err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(path, p)
		if err == nil && !d.IsDir() && (filepath.Dir(rel) == "." || strings.Contains(rel, cutTrial)) {
			files = append(files, rel)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(files) < 9 {
		t.Fatalf("only %v", files)
	}
	tried := 0
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(path, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range cuts(data) {
			tried++
			if err := os.WriteFile(filepath.Join(path, file), data[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			checkCut(t, path, file, cutTrial, n, len(data), whole)
			verbs.check(t, path, file, cutTrial, n, len(data))
		}
		if err := os.WriteFile(filepath.Join(path, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if tried < 80 {
		t.Errorf("only %d cuts were tried", tried)
	}
}

// otherVerbs are what reads run directories beside a report, with what they say of
// the whole one.
type otherVerbs struct {
	later   *rundir.Dir // another run of the same scenario
	against *report.Against
	noise   *report.Calibration
}

func newOtherVerbs(t *testing.T, path string, later *rundir.Dir) otherVerbs {
	t.Helper()
	v := otherVerbs{later: later}
	var err, err2 error
	v.against, v.noise, err, err2 = v.read(t, path)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return v
}

func (v otherVerbs) read(t *testing.T, path string) (a *report.Against, c *report.Calibration, err, err2 error) {
	t.Helper()
	d, err := rundir.Open(path)
	if err != nil {
		return nil, nil, err, err
	}
	a, err = report.CompareRuns(d, v.later, "", "")
	c, err2 = report.Calibrate(d)
	return a, c, err, err2
}

// check: neither gives figures of a run that was cut off without a word of it.
func (v otherVerbs) check(t *testing.T, path, file, trial string, n, all int) {
	t.Helper()
	a, c, err, err2 := v.read(t, path)
	if err != nil || err2 != nil {
		if (err == nil) != (err2 == nil) || file != rundir.RunFile {
			t.Errorf("%s cut off at %d of %d: %v, %v", file, n, all, err, err2)
		}
		return
	}
	if !strings.Contains(file, trial) || strings.HasSuffix(file, rundir.TrialFile) && n == all-1 {
		if fmt.Sprint(a.Rows) != fmt.Sprint(v.against.Rows) || fmt.Sprint(c.Metrics) != fmt.Sprint(v.noise.Metrics) {
			t.Errorf("%s cut off at %d of %d: other figures: %+v, %+v", file, n, all, a.Rows, c.Metrics)
		}
		return
	}
	if said := strings.Join(a.Warnings, "; "); !strings.Contains(said, "the run run-1 ") || !strings.Contains(said, "11 of 12 trials are valid") {
		t.Errorf("%s cut off at %d of %d: no warning of what is missing: %s", file, n, all, said)
	}
	if said := strings.Join(c.Warnings, "; "); !strings.Contains(said, "(valid: stock 6 of 6, fast 5 of 6)") {
		t.Errorf("%s cut off at %d of %d: no warning of what is missing: %s", file, n, all, said)
	}
	for _, r := range a.Rows {
		if want := map[string]int{"stock": 6, "fast": 5}[r.Profile]; r.OldTrials != want {
			t.Errorf("%s cut off at %d of %d: %d trials of %s, want %d", file, n, all, r.OldTrials, r.Profile, want)
		}
	}
	for _, m := range c.Metrics {
		if m.Pairs != 5 || m.Confidence != 0 {
			t.Errorf("%s cut off at %d of %d: %+v", file, n, all, m)
		}
	}
}

func analysed(t *testing.T, path string) *report.Result {
	t.Helper()
	d, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Analyse(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func checkCut(t *testing.T, path, file, trial string, n, all int, whole *report.Result) {
	t.Helper()
	d, err := rundir.Open(path)
	if file == rundir.RunFile && n < all-1 { // all but the end of its last line is JSON no more
		if err == nil || !strings.Contains(err.Error(), rundir.RunFile) {
			t.Errorf("%s cut off at %d of %d: %v", file, n, all, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s cut off at %d of %d: %v", file, n, all, err)
	}
	r, err := report.Analyse(d)
	if err != nil {
		t.Fatalf("%s cut off at %d of %d: %v", file, n, all, err)
	}
	if !strings.Contains(file, trial) || strings.HasSuffix(file, rundir.TrialFile) && n == all-1 {
		if r.Verdict != whole.Verdict || r.Headline[0] != whole.Headline[0] {
			t.Errorf("%s cut off at %d of %d: %s, %s", file, n, all, r.Verdict, r.Headline[0])
		}
		return
	}
	for _, tr := range r.Trials {
		if tr.ID != trial {
			continue
		}
		if tr.State == report.TrialValid || !strings.Contains(strings.Join(tr.Reasons, "; "), "cut off") && !strings.Contains(strings.Join(tr.Reasons, "; "), "cannot be read") {
			t.Errorf("%s cut off at %d of %d: the trial is %s because %q", file, n, all, tr.State, tr.Reasons)
		}
	}
	// Five blocks are left of six: too few for this comparison.
	if r.Verdict != report.Invalid {
		t.Errorf("%s cut off at %d of %d: verdict %s: %s", file, n, all, r.Verdict, r.Headline[0])
	}
}

// A profile whose trials are not in the plan, or not in the directory, or that
// no gate can find, makes its comparison invalid.
func TestAProfileIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		says   string
	}{
		"not planned": {func(w *world) {
			w.run.Plan = keep(w.run.Plan, func(p rundir.Planned) bool { return p.Profile == "stock" })
		}, "not one of 6 blocks could be used"},
		"never begun": {func(w *world) {
			w.stop = func(p rundir.Planned) int { return map[bool]int{p.Profile == "fast": 2}[true] }
		}, "6 of 12 trials ended"},
		"not declared": {func(w *world) { w.run.Profiles = w.run.Profiles[:1] }, "there is no profile beside stock"},
		"the base":     {func(w *world) { w.run.Profiles = w.run.Profiles[1:] }, `there is no profile "stock" to compare with`},
	} {
		w := newWorld()
		c.change(w)
		r := analysed(t, w.write(t).Path())
		said := r.Headline[0]
		for _, g := range r.Gates {
			said += "\n" + g.Reason
		}
		if r.Verdict != report.Invalid || !strings.Contains(said, c.says) {
			t.Errorf("%s: %s, without %q: %s", name, r.Verdict, c.says, said)
		}
	}
}

func keep(plan []rundir.Planned, want func(rundir.Planned) bool) (out []rundir.Planned) {
	for _, p := range plan {
		if want(p) {
			out = append(out, p)
		}
	}
	return out
}

// The warm-up block is in no figure, whatever it holds; but a write that was
// lost in it is lost.
func TestTheWarmupBlockIsNeverJudged(t *testing.T) {
	warm := func(change func(w *world)) *report.Result {
		w := newWorld()
		for i, name := range []string{"stock", "fast"} {
			w.run.Plan = append([]rundir.Planned{{ID: []string{"000-warmup-a", "000-warmup-b"}[i], Profile: name, Discarded: true}}, w.run.Plan...)
		}
		change(w)
		return analysed(t, w.write(t).Path())
	}
	plain := analysed(t, newWorld().write(t).Path())
	slow := warm(func(w *world) {
		usual, rate := w.recovery, w.slow
		w.recovery = func(p rundir.Planned) float64 {
			if p.Discarded {
				return 4000
			}
			return usual(p)
		}
		w.slow = func(p rundir.Planned) float64 {
			if p.Discarded {
				return 5000
			}
			return rate(p)
		}
		w.change = func(tr *rundir.Trial) {
			if tr.Acts[0].Recovery[0].RTO > 1e12 {
				tr.Exits, tr.Outcome = []string{"etcd-main-0: killed"}, "failed"
			}
		}
	})
	if slow.Verdict != plain.Verdict || slow.Headline[0] != plain.Headline[0] || slow.Run.Valid != 12 || slow.Run.Planned != 12 || slow.Run.Discarded != 2 || !slow.Run.Complete {
		t.Errorf("%s: %s: %+v", slow.Verdict, slow.Headline, slow.Run)
	}
	for i, g := range slow.Gates {
		if g.Reason != plain.Gates[i].Reason {
			t.Errorf("%s: %s, without a warm-up block %s", g.Title, g.Reason, plain.Gates[i].Reason)
		}
	}
	if len(slow.Latency) != len(plain.Latency) || len(slow.Charts[0].Chart[0].Lines) != len(plain.Charts[0].Chart[0].Lines) || slow.Charts[0].To != plain.Charts[0].To {
		t.Error("the warm-up block is in the tables or the charts")
	}
	if got := slow.Trials[0]; got.State != report.TrialDiscarded || len(got.Reasons) < 3 {
		t.Errorf("the first trial is %s: %q", got.State, got.Reasons)
	}
	lost := warm(func(w *world) {
		first := true
		w.change = func(tr *rundir.Trial) {
			if first {
				tr.Journal[0].Found, tr.Journal[0].Lost, first = 198, 2, false
			}
		}
	})
	if lost.Verdict != report.Regressed || !strings.Contains(lost.Headline[0], "acknowledged writes lost: fast: 2 in 000-warmup-b") {
		t.Errorf("%s: %s", lost.Verdict, lost.Headline[0])
	}
}

// A clock that jumped makes a trial invalid, by the record itself.
func TestAClockThatJumps(t *testing.T) {
	w := newWorld()
	n := 0
	w.change = func(tr *rundir.Trial) {
		tr.Clock = rundir.Clock{Readings: 10, StepMax: 1e6, Drift: 2e6}
		if n++; n == 5 {
			tr.Clock.StepMax = -90e9
		}
	}
	r := analysed(t, w.write(t).Path())
	if got := r.Trials[4]; got.State != report.TrialInvalid || got.Reasons[0] != "the wall clock jumped by -1m30s during the trial" || r.Run.Invalid != 1 {
		t.Errorf("%s: %q, %d invalid", got.State, got.Reasons, r.Run.Invalid)
	}
}

// What so few trials support is said beside an exact count.
func TestRPO(t *testing.T) {
	r := analysed(t, newWorld().write(t).Path())
	if len(r.RPO) != 2 {
		t.Fatalf("%+v", r.RPO)
	}
	got := r.RPO[0]
	if got.Trials != 6 || got.Acked != 1200 || got.Losing != 0 || got.Text != "stock: none of 1,200 acknowledged writes was lost in 6 trials; with 95 % confidence, at most 39.3 % of such trials lose any" {
		t.Errorf("%+v", got)
	}
}

// What was lost in trials that do not count bounds no share, and is said.
func TestLossesBesideTheValidTrialsAreSaid(t *testing.T) {
	of := func(r *report.Result, profile string) report.RPO {
		for _, row := range r.RPO {
			if row.Profile == profile {
				return row
			}
		}
		t.Fatalf("%s has no row: %+v", profile, r.RPO)
		return report.RPO{}
	}
	w := named(t, "lost-write-in-invalid-trial")
	w.run.Plan = append([]rundir.Planned{{ID: "000-warmup", Profile: "stock", Discarded: true}}, w.run.Plan...)
	n := 0
	w.change = func(tr *rundir.Trial) {
		n++
		switch n {
		case 1: // the warm-up
			tr.Journal[0].Lost = 1
		case 2: // 001-b1-stock
			tr.Journal[0].Lost, tr.Exits = 2, []string{"kube-scheduler-0: exit status 1"}
		}
	}
	const none = "stock: none of 1,000 acknowledged writes was lost in 5 trials; with 95 % confidence, at most 45.1 % of such trials lose any" +
		"; 1 was lost in 000-warmup, of the warm-up block; 2 were lost in 001-b1-stock, which is not valid"
	got := of(analysed(t, w.write(t).Path()), "stock")
	if got.Text != none || got.Lost != 0 || got.Losing != 0 || got.Trials != 5 || got.Acked != 1000 {
		t.Errorf("%+v", got)
	}
	n = -100
	w.change = func(tr *rundir.Trial) {
		if n++; n == -98 {
			tr.Journal[0].Lost, tr.Exits = 2, []string{"kube-scheduler-0: exit status 1"}
		} else if n == -95 { // 004-b2-stock
			tr.Journal[0].Lost = 3
		}
	}
	if got = of(analysed(t, w.write(t).Path()), "stock"); !strings.Contains(got.Text, "3 of 1,000 acknowledged writes were lost, in 1 of 5 trials") || !strings.HasSuffix(got.Text, "; 2 more were lost in 001-b1-stock, which is not valid") {
		t.Errorf("%+v", got)
	}
	w.change = func(tr *rundir.Trial) {
		tr.Journal[0].Lost, tr.Exits = 2, []string{"kube-scheduler-0: exit status 1"}
	}
	if got = of(analysed(t, w.write(t).Path()), "stock"); got.Trials != 0 || got.AtMost != 1 || !strings.HasPrefix(got.Text, "stock: no valid trial tells whether acknowledged writes are lost; 2 were lost in 000-warmup") {
		t.Errorf("%+v", got)
	}
}
