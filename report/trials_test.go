package report_test

import (
	"testing"

	"github.com/storm-harness/storm/report"
)

func TestTrialsSayHowTheyWereReset(t *testing.T) {
	r, err := report.Analyse(newWorld().write(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range r.Trials {
		if trial.ResetHow != "back at the golden copy" || trial.Reset != 4 {
			t.Errorf("%s: reset in %v, %q", trial.ID, trial.Reset, trial.ResetHow)
		}
	}
}
