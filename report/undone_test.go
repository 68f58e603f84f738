package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// A restore that fails in half of the trials of a profile, storm having kept up, passes
// no gate by the other half: not on its duration, on lost writes or on latencies. In a
// quarter of them it makes a comparison invalid.
func TestARestoreThatFailsPassesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		fails bool
		want  []report.Verdict
	}{
		"it works": {false, []report.Verdict{report.Pass, report.Pass, report.Pass, report.Pass, report.Pass}},
		"it fails": {true, []report.Verdict{report.Regressed, report.Invalid, report.Invalid, report.Invalid, report.Inconclusive}},
	} {
		w := newWorld()
		duration := gate("operation.duration")
		duration.Max = ptr(60)
		compared := gate("operation.duration")
		compared.Compare, compared.Margin = "stock", 0.25
		w.run.Gates = []rundir.Gate{duration, {Metric: "writes.lost", Max: ptr(0)},
			{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Max: ptr(1)},
			{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Compare: "stock", Margin: 0.25},
			compared,
		}
		w.change = func(tr *rundir.Trial) {
			a := rundir.Act{Name: "restore", Kind: "restore", Sort: "operation", Intended: 7 * second, Injected: 8 * second, Proven: 8*second + 5e8, Healed: 9 * second}
			if tr.Acts[0].Recovery[0].RTO < 1.09e9 && c.fails { // of fast, in half of its trials
				a.Proven, a.Error = 0, "could not be done: starting the members: context deadline exceeded"
				tr.Invalid = []string{"operation restore: " + a.Error}
			}
			tr.Acts = append(tr.Acts, a)
		}
		r := analysed(t, w.write(t).Path())
		for i, g := range r.Gates {
			if g.Verdict != c.want[i] {
				t.Errorf("%s: %s: %s: %s", name, g.Title, g.Verdict, g.Reason)
			}
		}
		if c.fails && r.ExitCode != 3 {
			t.Errorf("%s: exit code %d", name, r.ExitCode)
		}
	}
}

// gate is one that only selects.
func gate(metric string) rundir.Gate {
	return rundir.Gate{Metric: metric, Where: map[string]string{}}
}

// Warnings of a run whose events cannot be read to their end are said to be perhaps
// missing.
func TestWarningsThatAreCutOff(t *testing.T) {
	whole := `{"at":1,"kind":"warning","subject":"etcd-main-0","text":"slow disk"}` + "\n"
	for name, c := range map[string]struct{ events, says string }{
		"whole":       {whole, ""},
		"cut off":     {whole + `{"at":2,"kind":"warn`, "What else the run warned of is perhaps missing here: events.jsonl is cut off."},
		"broken":      {whole + "nothing\n" + whole, "perhaps missing here: events.jsonl has lines that cannot be read (line 2:"},
		"without any": {"", ""},
	} {
		path := newWorld().write(t).Path()
		if err := os.WriteFile(filepath.Join(path, rundir.EventsFile), []byte(c.events), 0o600); err != nil {
			t.Fatal(err)
		}
		said := strings.Join(analysed(t, path).Warnings, "; ")
		if strings.Contains(said, "perhaps missing") != (c.says != "") || !strings.Contains(said, c.says) || strings.Contains(said, "slow disk") != (c.events != "") {
			t.Errorf("%s: %q", name, said)
		}
	}
}
