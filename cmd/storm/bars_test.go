package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// drawnAt is the line of a step, in so many columns.
func drawnAt(columns int, p runner.Progress) string {
	n := newNarrator(func() time.Time { return epoch }, nil)
	n.take(p)
	return n.stepLine(columns, 0)
}

// TestBarOfATrial: at 80 columns phase and fault are to be seen beside rate, p99
// and errors, however long the profile's name is.
func TestBarOfATrial(t *testing.T) {
	const long = "a-profile-with-quite-a-long-name-indeed"
	in := func(block int, profile, phase, act string, inForce ...string) runner.Progress {
		return runner.Progress{
			Stage: runner.StageTrial, Trial: 1, Trials: 2, Planned: rundir.Planned{Block: block, Profile: profile},
			Phase: phase, Act: act, InForce: inForce, Live: runner.Live{Rate: 312, Errors: 7},
		}
	}
	tour := in(1, "", scenarios.PhaseFault, "memberKill")
	tour.Planned = rundir.Planned{Tour: "lose-the-quorum-and-restore"}
	for _, c := range []struct {
		p    runner.Progress
		want string // what stands before the bar
	}{
		{in(1, "stock", scenarios.PhaseSteady, ""), "b1 stock  steady                   "},
		{in(1, "fast-election", scenarios.PhaseFault, "leaderKill"), "b1 fast-election  fault leaderKill "},
		{in(12, "fast-election", scenarios.PhaseFault, "leaderKill"), "b12 fast-election  fault leaderKill"},
		{in(1, long, scenarios.PhaseSteady, ""), "b1 a-profile-with-quite-a-…  steady"},
		{in(1, long, scenarios.PhaseFault, "linkDelay"), "b1 a-profile-with…  fault linkDelay"},
		{in(1, long, scenarios.PhaseFault, "kubeletRestart"), "b1 a-profile…  fault kubeletRestart"},
		{in(1, long, scenarios.PhaseOperation, "defrag", "quotaBreach"), "b1 a-pro…  defrag under quotaBreach"},
		{in(1, long, scenarios.PhaseFault, "a-fault-of-my-own-naming"), "b1 a-profile-wi…  fault a-fault-of…"},
		{tour, "tour lose-the-qu…  fault memberKill"},
		// Columns, not characters: each of these is two wide.
		{in(1, "世界世界世界世界世界世界世界", scenarios.PhaseFault, "leaderKill"), "b1 世界世界世界…  fault leaderKill "},
		{in(1, "stock", scenarios.PhaseFault, "世界世界世界世界世界世界世界"), "b1 stock  fault 世界世界世界世界世…"},
	} {
		line := drawnAt(80, c.p)
		if !strings.HasPrefix(line, c.want+" [") {
			t.Errorf("%q, want %q", line, c.want)
		}
		if !strings.Contains(line, "]  312/s p99     -  7 err ") {
			t.Errorf("the figures are not all there: %q", line)
		}
		if n := columnsOf(line); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"steady", 6, "steady"},
		{"steady", 5, "stea…"},
		{"a-profile-with-quite-a-long-name", 12, "a-profile-w…"}, // no space to cut at
		{"filling the cluster: base", 24, "filling the cluster:…"},
		{"filling the cluster: base", 20, "filling the cluster…"},
		{"filling the cluster", 12, "filling the…"},           // a space is next
		{"fault a-fault-of-my-own", 18, "fault a-fault-of-…"}, // too much would be lost
		{"two  spaces", 6, "two…"},
		{"世界世界", 8, "世界世界"},
		{"世界世界", 7, "世界世…"},
		{"世界世界", 6, "世界…"}, // half a character is none
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
	} {
		if got := short(c.text, c.columns); got != c.want {
			t.Errorf("%q in %d columns is %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

// Lines above the bars are broken by columns too.
func TestWrapCountsColumns(t *testing.T) {
	got := strings.Join(wrap("世界 世界 世界 ab", 9), "|")
	if want := "世界 世界|世界 ab"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// hostile is what a cluster may say to take a terminal over, or to pass for
// another line of storm's.
const hostile = "\x1b[2J\x1b]0;owned\x07\u009b31m<script>alert(1)</script>\r\n00:09\ttrial 1/1  done\u202e\u2028\x00\xff世界"

// inEachField is a step once for each of its texts, with that one hostile, and
// once with all.
func inEachField() map[string]runner.Progress {
	out := map[string]runner.Progress{}
	planned := rundir.Planned{ID: "001-b1-stock", Block: 1, Profile: "stock"}
	var all runner.Progress
	for name, set := range map[string]func(p *runner.Progress){
		"component": func(p *runner.Progress) { p.Stage, p.Trial, p.Component = runner.StageCluster, 0, hostile },
		"text":      func(p *runner.Progress) { p.Stage, p.Trial, p.Text = runner.StageCluster, 0, hostile },
		"reset":     func(p *runner.Progress) { p.Stage, p.Phase = runner.StageReset, hostile },
		"phase":     func(p *runner.Progress) { p.Phase = hostile },
		"act":       func(p *runner.Progress) { p.Act = hostile },
		"in force":  func(p *runner.Progress) { p.InForce = []string{hostile, hostile} },
		"problem":   func(p *runner.Progress) { p.Ended, p.Problem = true, hostile },
		"profile":   func(p *runner.Progress) { p.Planned.Profile = hostile },
		"tour":      func(p *runner.Progress) { p.Planned.Tour = hostile },
		"id":        func(p *runner.Progress) { p.Planned.ID = hostile },
	} {
		p := runner.Progress{Stage: runner.StageTrial, Trial: 1, Trials: 1, Planned: planned, Phase: scenarios.PhaseFault, Live: runner.Live{Rate: 12}}
		set(&p)
		set(&all)
		out[name] = p
	}
	all.Stage, all.Trial, all.Trials = runner.StageTrial, 1, 1
	out["all"] = all
	return out
}

// steering says whether a text has a character that steers a terminal.
func steering(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	})
}

func TestHostileTextInABar(t *testing.T) {
	for name, p := range inEachField() {
		for columns := range 200 {
			line := drawnAt(columns, p)
			if steering(line) {
				t.Errorf("%s: what steers a terminal came through: %q", name, line)
			}
			if n := columnsOf(line); n > max(columns, 1) {
				t.Errorf("%s: %d columns of %d: %q", name, n, columns, line)
			}
		}
	}
	line := drawnAt(80, inEachField()["act"])
	if want := "fault ·[2J·]0;"; !strings.Contains(line, want) {
		t.Errorf("%q, want %q to be seen in it", line, want)
	}
}

// redrawing is what mpb writes to draw its bars once more, and nothing else.
var redrawing = regexp.MustCompile(`\x1b\[[0-9]+A\x1b\[J`)

// The display writes escapes of its own on a terminal; what it is told adds none.
func TestHostileTextOnADisplay(t *testing.T) {
	terminal, elsewhere := openTerminal(t, 80, 24), &bytes.Buffer{}
	on, off := newDisplay(terminal.File), newDisplay(elsewhere)
	for _, p := range inEachField() {
		on.progress(p)
		off.progress(p)
	}
	terminal.await(t, "ETA ")
	on.close()
	off.close()
	drawn := redrawing.ReplaceAllString(terminal.end(), "")
	for _, forbidden := range []string{"\x1b", "\x07", "\u009b", "\u202e", "\u2028", "\x00"} {
		if strings.Contains(drawn, forbidden) {
			t.Errorf("%q came through to the terminal: %q", forbidden, drawn)
		}
		if strings.Contains(elsewhere.String(), forbidden) {
			t.Errorf("%q came through to a log: %q", forbidden, elsewhere)
		}
	}
}
