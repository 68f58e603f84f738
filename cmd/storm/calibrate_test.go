package main

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/storm-harness/storm/report"
)

// What calibrate says fits a terminal of 80 columns, however long its reasons; and a
// p99 without a known end is no recovery.
func TestCalibrationFitsATerminal(t *testing.T) {
	c := &report.Calibration{
		Run: report.Run{Scenario: "a-scenario-with-quite-a-long-name-that-says-what-it-is-about"}, Base: "a-profile-with-a-long-name", Profile: "another-one", Blocks: 8, Alpha: 0.05,
		Metrics: []report.Noise{
			{
				Title: "p99 latency of mutating requests for configmaps of the load churn in the steady phase", Metric: "api.latency", Stat: "p99", Unit: "seconds",
				Median: report.Number(math.Inf(1)), Pairs: 8, SD: 0.1, SDHigh: 0.15,
				Detect: []report.Detectable{{Blocks: 8, Ratio80: 1.3, Ratio95: 1.4, Margin: 0.4}},
				Text:   "a margin of 25 % takes 24 blocks; with 8 blocks take a margin of 40%, or calm the machine, or both of them",
			},
			{
				Title: "recovery", Metric: "recovery.time", Unit: "seconds", Median: 2, SD: report.Missing(),
				Text: "0 trials of a and 3 of b cannot be used (005-b3-b: load generator: it was late): what is left is no fair comparison",
			},
		},
	}
	var out bytes.Buffer
	printCalibration(&out, c)
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if s := out.String(); strings.Contains(s, "not recovered") || !strings.Contains(s, "  median ∞, 8 pairs;") || !strings.Contains(strings.Join(strings.Fields(s), " "), "what is left is no fair comparison") {
		t.Errorf("%s", s)
	}
}

// So does what compare says.
func TestAComparisonOfRunsSaysWhatHasNoEnd(t *testing.T) {
	var out bytes.Buffer
	a := newApp(&out, &out)
	a.printAgainst(&report.Against{Rows: []report.Shifted{
		{Profile: "stock", Title: "p99 latency", Metric: "api.latency", Unit: "seconds", OldMedian: 1, NewMedian: report.Number(math.Inf(1))},
		{Profile: "stock", Title: "recovery", Metric: "recovery.time", Unit: "seconds", OldMedian: 1, NewMedian: report.Number(math.Inf(1))},
	}})
	if s := out.String(); strings.Count(s, "new ∞") != 1 || strings.Count(s, "new not recovered") != 1 {
		t.Errorf("%s", s)
	}
}
