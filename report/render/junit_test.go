package render

import (
	"encoding/xml"
	"testing"

	"github.com/storm-harness/storm/report"
)

// TestJUnitOutcomes: each verdict is what a CI system makes of it.
func TestJUnitOutcomes(t *testing.T) {
	t.Parallel()
	r := quickstart()
	for i, v := range []report.Verdict{report.Pass, report.Improved, report.Regressed, report.Inconclusive, report.Invalid} {
		r.Gates[i].Verdict = v
		r.Gates[i].Results = r.Gates[i].Results[:1]
		r.Gates[i].Results[0].Verdict = v
		r.Gates[i].Results[0].Reason = "because of " + string(v)
	}
	r.Gates = r.Gates[:5]
	suite := readSuite(t, r)
	if suite.Tests != 6 || suite.Failures != 1 || suite.Errors != 1 || suite.Skipped != 1 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped; want 6, 1, 1, 1", suite.Tests, suite.Failures, suite.Errors, suite.Skipped)
	}
	if c := suite.Cases[3]; c.Failure == nil || c.Failure.Message != "because of regressed" || c.Failure.Type != "regressed" {
		t.Errorf("regressed is %+v, want a failure", c)
	}
	if c := suite.Cases[4]; c.Skipped == nil || c.Skipped.Message != "inconclusive: because of inconclusive" {
		t.Errorf("inconclusive is %+v, want skipped with its reason", c)
	}
	if c := suite.Cases[5]; c.Error == nil || c.Error.Type != "invalid" {
		t.Errorf("invalid is %+v, want an error", c)
	}
}

// TestJUnitIncompleteRun: a run that was cut off is an error, even where every
// gate that could be judged passed.
func TestJUnitIncompleteRun(t *testing.T) {
	t.Parallel()
	r := quickstart()
	r.Run.Outcome, r.Run.Complete, r.Run.Missing, r.Run.Valid = "interrupted", false, 5, 8
	r.Verdict = report.Invalid
	suite := readSuite(t, r)
	if c := suite.Cases[0]; c.Error == nil || suite.Errors != 1 {
		t.Errorf("the run's case is %+v with %d errors, want one error", c, suite.Errors)
	}
}

// TestJUnitGateWithoutResults: a gate that was judged on no profile is still a
// case, and no pass.
func TestJUnitGateWithoutResults(t *testing.T) {
	t.Parallel()
	r := quickstart()
	r.Gates = r.Gates[:1]
	r.Gates[0].Results, r.Gates[0].Verdict, r.Gates[0].Reason = nil, report.Invalid, "no samples"
	suite := readSuite(t, r)
	if suite.Tests != 2 || suite.Errors != 1 {
		t.Errorf("%d tests and %d errors, want 2 and 1", suite.Tests, suite.Errors)
	}
}

func readSuite(t *testing.T, r *report.Result) junitSuite {
	t.Helper()
	var suites junitSuites
	if err := xml.Unmarshal([]byte(render(t, JUnit, r)), &suites); err != nil {
		t.Fatal(err)
	}
	return suites.Suites[0]
}
