package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// cases are the verdicts, each with the smallest change to a run that passes.
var cases = []struct {
	name     string
	verdict  report.Verdict
	code     int
	headline string // in the first sentence
	change   func(w *world)
}{
	{"improved", report.Improved, 0, "fast recovers 2×", func(*world) {}},
	{"pass", report.Pass, 0, "no difference between fast and stock", func(w *world) {
		w.recovery = func(p rundir.Planned) float64 {
			v := 2 + 0.1*float64(p.Block)
			if p.Profile == "fast" {
				v *= 1 + 0.04*math.Sin(2*float64(p.Block)+1)
			}
			return v
		}
	}},
	{"regressed", report.Regressed, 3, "fast recovers 1.6", func(w *world) {
		w.recovery = func(p rundir.Planned) float64 {
			v := 1.5 + 0.1*float64(p.Block)
			if p.Profile == "fast" {
				v *= 1.6 + 0.05*math.Sin(float64(p.Block))
			}
			return v
		}
	}},
	{"failed-absolute", report.Regressed, 3, "Failed: p99 latency of mutating requests in the steady phase: fast: 2.65 s", func(w *world) {
		w.slow = func(p rundir.Planned) float64 { return map[string]float64{"stock": 1, "fast": 60}[p.Profile] }
	}},
	{"inconclusive", report.Inconclusive, 4, "reaches over the margin", func(w *world) {
		w.recovery = func(p rundir.Planned) float64 {
			v := 2.0
			if p.Profile == "fast" {
				v *= 1.2 + 0.3*math.Sin(2*float64(p.Block))
			}
			return v
		}
	}},
	{"too-few-blocks", report.Inconclusive, 4, "4 blocks can give no 95 % interval; it needs 6", func(w *world) {
		w.run.Blocks, w.run.Plan = 4, w.run.Plan[:8]
	}},
	{"generator-lag", report.Invalid, 5, "none of 6 trials is valid (002-b1-fast: load generator", func(w *world) {
		w.change = func(t *rundir.Trial) {
			if t.Acts[0].Recovery[0].RTO < 1.5e9 { // of fast
				t.Health.Problems = []string{"send lag p99 of 210ms is over its bound of 10ms"}
			}
		}
	}},
	{"no-effect", report.Invalid, 5, "none of 12 trials is valid", func(w *world) {
		w.change = func(t *rundir.Trial) { t.Acts[0].Proven, t.Acts[0].Proof = 0, "" }
	}},
	{"zero-samples", report.Invalid, 5, "not soundly measured", func(w *world) {
		w.rate = func(_ rundir.Planned, verb string) int { return map[string]int{"list": 4}[verb] }
	}},
	{"unhealed", report.Regressed, 3, "Failed: recovery of the slowest probe: fast: not recovered when the observation ended after", func(w *world) {
		w.change = func(t *rundir.Trial) {
			if a := &t.Acts[0]; a.Recovery[0].RTO < 1.2e9 { // of fast, in its first block
				a.Error, a.Unhealed, a.Healed = "could not be healed: etcd-main-0 follows nobody", true, 0
				t.Invalid = []string{"fault leaderKill: " + a.Error}
			}
		}
	}},
	{"censored", report.Regressed, 3, "Failed: recovery of the slowest probe: fast: not recovered when the observation ended after 5 s", func(w *world) {
		usual := w.recovery
		w.recovery = func(p rundir.Planned) float64 {
			if p.Profile == "fast" && p.Block%2 == 1 {
				return math.Inf(1)
			}
			return usual(p)
		}
	}},
	{"lost-write-in-invalid-trial", report.Regressed, 3, "Failed: acknowledged writes lost: stock: 2 in 001-b1-stock", func(w *world) {
		first := true
		w.change = func(t *rundir.Trial) {
			if first {
				t.Journal[0].Found, t.Journal[0].Lost = 198, 2
				t.Exits = []string{"kube-scheduler-0: exit status 1"}
				first = false
			}
		}
	}},
	{"killed-half-way", report.Invalid, 5, "No verdict: the run directory is incomplete: 7 of 12 trials ended", func(w *world) {
		w.run.Outcome, w.run.Finished = "", w.run.Started.Add(-w.run.Started.Sub(w.run.Started))
		w.stop = func(p rundir.Planned) int { return map[bool]int{p.ID[:3] == "008": 1, p.ID[:3] > "008": 2}[true] }
	}},
	{"no-gates", report.None, 0, "sets no gates", func(w *world) { w.run.Gates = nil }},
}

func TestVerdicts(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.change(w)
			r, err := report.Analyse(w.write(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != c.verdict || r.ExitCode != c.code {
				t.Errorf("verdict %s, exit code %d; want %s, %d", r.Verdict, r.ExitCode, c.verdict, c.code)
			}
			if !strings.Contains(r.Headline[0], c.headline) {
				t.Errorf("headline %q does not say %q", r.Headline[0], c.headline)
			}
			if c.name != "improved" { // its golden file holds everything, the others what differs
				r.Charts, r.Heat, r.Curves, r.Latency, r.Provenance, r.Method = nil, nil, nil, nil, nil, report.Method{}
				r.Comparisons = r.Comparisons[:min(len(r.Comparisons), 1)]
				for i := range r.Trials {
					r.Trials[i].Phases, r.Trials[i].Acts, r.Trials[i].Events = nil, nil, nil
				}
			}
			goldenResult(t, c.name+".golden", r)
		})
	}
}

// goldenResult compares a result, as report.json would hold it, with its file.
func goldenResult(t *testing.T, name string, r *report.Result) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		t.Fatal(err)
	}
	var back report.Result
	if err := json.Unmarshal(got.Bytes(), &back); err != nil {
		t.Errorf("what was written cannot be read: %v", err)
	}
	golden.File(t, filepath.Join("testdata", name), got.String())
}

// Of a trial without a record its events still tell what happened.
func TestCutOffTrialIsShownAndNotCounted(t *testing.T) {
	w := newWorld()
	w.run.Outcome = "interrupted"
	w.stop = func(p rundir.Planned) int { return map[bool]int{p.ID[:3] == "012": 1}[true] }
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	last := r.Trials[11]
	if last.State != report.TrialCutOff || len(last.Phases) != 3 || len(last.Acts) != 1 {
		t.Fatalf("cut-off trial: %+v", last)
	}
	if a := last.Acts[0]; a.Kind != "leaderKill" || a.Intended != 5 || a.Target != "etcd-main-0" || a.Proven.Is() {
		t.Errorf("its act: %+v", a)
	}
	lines, valid := 0, 0
	for _, l := range r.Charts[0].Chart[0].Lines {
		if l.Trial == last.ID {
			lines++
			if l.Valid {
				valid++
			}
		}
	}
	if lines != 1 || valid != 0 {
		t.Errorf("%d lines of it are drawn, %d as valid", lines, valid)
	}
	if r.Verdict != report.Invalid || r.Run.Missing != 1 || r.Run.Complete || !strings.Contains(r.Headline[0], "interrupted after 11 of 12 trials") {
		t.Errorf("verdict %s, %d missing: %s", r.Verdict, r.Run.Missing, r.Headline[0])
	}
}

// A tour is judged by its own gates alone, and charted apart.
func TestToursAreJudgedApart(t *testing.T) {
	w := newWorld()
	w.run.Plan = append(w.run.Plan, rundir.Planned{ID: "013-tour-repair", Profile: "stock", Tour: "repair"})
	w.run.Gates = []rundir.Gate{
		{Metric: "restore.lost", Min: ptr(1), Max: ptr(40), Tour: "repair"},
		{Metric: "restore.mismatch", Max: ptr(0), Tour: "repair"},
		{Metric: "recovery.time", Max: ptr(5)},
	}
	usual := w.recovery
	w.recovery = func(p rundir.Planned) float64 {
		if p.Tour != "" {
			return 30 // would break the blocks' gate
		}
		return usual(p)
	}
	w.change = func(tr *rundir.Trial) { tr.Journal[0].Restored = 12 }
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Pass {
		t.Errorf("%s: %s", r.Verdict, r.Headline[0])
	}
	if res := r.Gates[0].Results; len(res) != 1 || res[0].Profile != "stock" || res[0].Value != 12 || !strings.Contains(r.Gates[0].Title, "in tour repair") {
		t.Errorf("the tour's gate: %+v", r.Gates[0])
	}
	if len(r.Charts) != 2 || r.Charts[1].Tour != "repair" || r.Profiles[0].Planned != 6 {
		t.Errorf("%d chart groups, %d block trials of stock", len(r.Charts), r.Profiles[0].Planned)
	}
}

func TestDifferentCompilersAreSaidAloud(t *testing.T) {
	w := newWorld()
	d := w.write(t)
	data, err := json.Marshal([]rundir.Provenance{
		{Component: "etcd", Profile: "stock", GoVersion: "go1.25.1", Origin: "release"},
		{Component: "etcd", Profile: "fast", GoVersion: "go1.26.0", Origin: "binDir /b"},
		{Component: "kube-apiserver", GoVersion: "go1.26.0", Origin: "release"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path(), rundir.ComponentsFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := report.Analyse(d)
	if err != nil {
		t.Fatal(err)
	}
	const want = "The profiles run different builds of etcd, by compiler (stock: go1.25.1, fast: go1.26.0), " +
		"origin (stock: release, fast: binDir /b): a difference between them may be the compiler's."
	if len(r.Warnings) != 1 || r.Warnings[0] != want {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestSameDirectorySameResult(t *testing.T) {
	d := newWorld().write(t)
	var first []byte
	for range 3 {
		r, err := report.Analyse(d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, got) {
			t.Error("the same run directory gave two results")
		}
		first = got
	}
}

// Every code is counted by load, as the server or the network gave it.
func TestFailuresAreCountedByCodeAndLoad(t *testing.T) {
	w := newWorld()
	w.errors = map[string]uint64{"409": 7, "410": 1, "429": 2, "429 retry-after": 9, "500 no-space": 3, "503 shutting-down": 4, "timeout": 5, "reset": 6, "goaway": 8, "malformed": 10}
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, e := range r.Errors {
		if !e.Again {
			got[e.Workload+" "+e.Verb+" "+e.Resource+" "+e.Code] += e.Count
		} else if e.Code != "goaway" || e.Workload != "churn" || e.Count != 3 || e.Trials != 1 {
			t.Errorf("sent again: %+v", e)
		}
	}
	for _, load := range []string{"churn create events ", "lists list pods "} {
		for code, n := range w.errors {
			if want := n * uint64(len(w.run.Plan)); got[load+code] != want {
				t.Errorf("%s%s: %d, want %d", load, code, got[load+code], want)
			}
		}
	}
}

// A request that timed out ranks behind those that were answered, whoever's
// deadline it was; one that was answered with an error has no latency.
func TestWhatTimedOutRanksLast(t *testing.T) {
	for code, want := range map[string]report.Verdict{
		"timeout": report.Regressed, "refused": report.Regressed, "504 too-slow": report.Regressed, "500 server-timeout": report.Regressed,
		"429": report.Pass, "409": report.Pass, "reset": report.Pass, "500 no-space": report.Pass,
	} {
		w := newWorld()
		w.errors = map[string]uint64{code: 1000} // more than one in a hundred
		w.run.Gates = []rundir.Gate{{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "fault"}, Stat: "p99", Max: ptr(200)}}
		r, err := report.Analyse(w.write(t))
		if err != nil {
			t.Fatal(err)
		}
		said := map[report.Verdict]string{report.Regressed: "did not end in time and rank behind all others", report.Pass: "failed and have no latency"}[want]
		if g := r.Gates[0]; g.Verdict != want || !strings.Contains(g.Reason, said) {
			t.Errorf("%s: %s: %s", code, g.Verdict, g.Reason)
		}
		for _, l := range r.Latency {
			if l.Verb == "create" && l.Phase == "fault" && l.P50.Finite() != (want == report.Pass) {
				t.Errorf("%s: p50 %v in the table", code, l.P50)
			}
		}
	}
}

// What took longer than a histogram reaches is no number of its: the report says
// that it took longer, the bound does not hold, and a ratio has no end.
func TestLatenciesBeyondTheHistogramAreSaidToBe(t *testing.T) {
	w := newWorld()
	w.errors = nil
	// Of stock a few in a hundred take over 5 minutes, of fast most do.
	w.slow = func(p rundir.Planned) float64 { return map[string]float64{"stock": 1, "fast": 200_000}[p.Profile] }
	w.run.Gates = []rundir.Gate{
		{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Max: ptr(300)},
		{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Max: ptr(400)},
		{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "mean", Max: ptr(300)},
		{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Compare: "stock", Margin: .25},
	}
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		verdict report.Verdict
		reason  string
	}{
		{report.Regressed, "∞"},
		{report.Invalid, "beyond what storm measures"},
		{report.Invalid, "took over 5 min"},
		{report.Regressed, "fast has no known end in 6 of 6 blocks"},
	} {
		if g := r.Gates[i]; g.Verdict != want.verdict || !strings.Contains(g.Reason, want.reason) {
			t.Errorf("%s: %s: %s", g.Title, g.Verdict, g.Reason)
		}
	}
	for _, l := range r.Latency {
		if l.Profile == "fast" && l.Verb == "create" && l.Phase == "steady" && (!math.IsInf(l.Max.Float(), 1) || !math.IsInf(l.P99.Float(), 1)) {
			t.Errorf("max %v, p99 %v", l.Max, l.P99)
		}
		if l.Profile == "stock" && !l.Max.Finite() {
			t.Errorf("stock: max %v", l.Max)
		}
	}
	for _, c := range r.Charts {
		for _, chart := range c.Chart {
			for _, l := range chart.Lines {
				for _, v := range l.V {
					if v.Is() && !v.Finite() {
						t.Fatalf("%s of %s is infinite", chart.Name, l.Trial)
					}
				}
			}
		}
	}
}

// Where more trials of one profile than of the other cannot be used, what is left is no
// fair choice: neither a gate nor a row for information draws a conclusion from it.
func TestImbalancedProfilesAreNotCompared(t *testing.T) {
	w := newWorld()
	fast := 0
	w.change = func(trial *rundir.Trial) {
		if trial.Acts[0].Recovery[0].RTO >= 1.5e9 {
			return // of stock
		}
		if fast++; fast <= 3 {
			trial.Health.Problems = []string{"send lag p99 of 210ms is over its bound of 50ms"}
		}
	}
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Comparisons) == 0 {
		t.Fatal("nothing is held against anything")
	}
	for _, c := range r.Comparisons {
		if c.Ratio.Is() || c.Low.Is() || c.P.Is() || c.Confidence != 0 || !strings.Contains(c.Text, "what is left is no fair comparison") {
			t.Errorf("%s: %+v", c.Title, c)
		}
	}
	for _, g := range r.Gates {
		if g.Compare == "" {
			continue
		}
		if g.Verdict != report.Invalid {
			t.Errorf("%s: %s: %s", g.Title, g.Verdict, g.Reason)
		}
		for _, j := range g.Results {
			// Nothing that a reader of report.json could take for a finding is left.
			if c := j.Comparison; j.Value.Is() || c.Ratio.Is() || c.Low.Is() || c.P.Is() || c.PFlip.Is() || c.PMargin.Is() || c.PHolm.Is() {
				t.Errorf("%s: value %v: %+v", g.Title, j.Value, c)
			}
		}
	}
}
