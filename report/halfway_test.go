package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/report/render"
)

// named is the run of one of the cases.
func named(t *testing.T, name string) *world {
	t.Helper()
	for _, c := range cases {
		if c.name == name {
			w := newWorld()
			c.change(w)
			return w
		}
	}
	t.Fatalf("there is no case %s", name)
	return nil
}

// Of a run that was killed no gate is a test case that passed: what holds half-way
// has not passed, of any profile.
func TestWhatHoldsHalfWayIsNoPassedTestCase(t *testing.T) {
	r := analysed(t, named(t, "killed-half-way").write(t).Path())
	for _, g := range r.Gates {
		for _, res := range g.Results {
			if res.Verdict != report.Invalid {
				t.Errorf("%s: %s: %s: %s", g.Title, res.Profile, res.Verdict, res.Reason)
			}
			if g.Compare == "" && !strings.HasPrefix(res.Reason, "5 of 12 trials never ended; of those that did: ") {
				t.Errorf("%s: %s: %s", g.Title, res.Profile, res.Reason)
			}
		}
		if n := strings.Count(g.Reason, "never ended"); g.Compare == "" && n != 1 {
			t.Errorf("%s: says it %d times: %s", g.Title, n, g.Reason)
		}
	}
	var junit, md bytes.Buffer
	if err := render.JUnit(&junit, r); err != nil {
		t.Fatal(err)
	}
	// The run's own case, and of four gates one for each profile, or comparison.
	if text := junit.String(); !strings.Contains(text, `tests="8" failures="0" errors="8" skipped="0"`) || strings.Count(text, `type="invalid"`) != 7 {
		t.Errorf("junit.xml:\n%s", text)
	}
	if err := render.Markdown(&md, r); err != nil {
		t.Fatal(err)
	}
	// Six results, and the comparison has its own reason.
	if n := strings.Count(md.String(), "5 of 12 trials never ended"); n < 6 {
		t.Errorf("the table of gates says %d times why they are invalid:\n%s", n, md.String())
	}
}

// A failure that was seen is not hidden by what never ended, and the profile beside
// it has not passed.
func TestAFailureStandsInARunThatWasKilled(t *testing.T) {
	w := named(t, "killed-half-way")
	usual := w.recovery
	w.recovery = func(p rundir.Planned) float64 {
		if p.Profile == "stock" {
			return 9
		}
		return usual(p)
	}
	g := analysed(t, w.write(t).Path()).Gates[1]
	if got := g.Results; g.Verdict != report.Regressed || got[0].Verdict != report.Regressed || got[1].Verdict != report.Invalid ||
		strings.Contains(got[0].Reason, "never ended") || !strings.Contains(got[1].Reason, "5 of 12 trials never ended; of those that did: 1.2") || strings.Contains(g.Reason, "fast") {
		t.Errorf("%s: %s: %+v", g.Verdict, g.Reason, got)
	}
}
