package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// narrator turns the progress of a run into words: what is going on now, and
// which of it is worth a line. It prints nothing and has no clock of its own.
type narrator struct {
	at      runner.Progress
	since   time.Time        // at's step began
	told    map[string]bool  // lines of this stage or trial: none is said twice
	trial   int              // in hand; 0 before the first
	trialAt time.Time        // it began
	spans   []time.Duration  // what each trial is expected to take
	took    []time.Duration  // what each ended trial took
	now     func() time.Time // the clock
}

// newNarrator makes a narrator of a run whose trials are expected to take so
// long.
func newNarrator(now func() time.Time, spans []time.Duration) *narrator {
	return &narrator{told: map[string]bool{}, spans: spans, now: now, since: now()}
}

// take takes a step and returns the line to print, empty if there is no news.
func (n *narrator) take(p runner.Progress) string {
	before := n.doing()
	switch {
	case n.trial > 0 && p.Trial == 0 && p.Stage == runner.StageCluster:
		// The cluster tells of each component at every reset: the bar shows it.
		n.at.Component, n.at.Text, n.at.Done, n.at.Total = p.Component, p.Text, p.Done, p.Total
		return ""
	case p.Trial > 0 && p.Trial != n.trial:
		n.trial, n.trialAt, n.told = p.Trial, n.now(), map[string]bool{}
	}
	n.at = p
	if p.Ended {
		n.took = append(n.took, n.now().Sub(n.trialAt))
	}
	if n.doing() != before {
		n.since = n.now()
	}
	line := n.line()
	if line == "" || n.told[line] {
		return ""
	}
	n.told[line] = true
	return line
}

// line is the step in hand as a line of its own; empty where it is a detail
// that would bury the others.
func (n *narrator) line() string {
	p := n.at
	if p.Trial > 0 {
		return fmt.Sprintf("trial %d/%d  %s  %s", p.Trial, p.Trials, p.Planned.ID, n.doing())
	}
	if p.Component != "" && p.Stage == runner.StageCluster && strings.ContainsAny(p.Component, "0123456789") {
		return "" // one of the components that start
	}
	return n.doing()
}

// doing is the step in hand in words.
func (n *narrator) doing() string {
	p := n.at
	switch {
	case p.Ended && p.Problem != "":
		return fmt.Sprintf("invalid, after %s: %s", n.lasted(), p.Problem)
	case p.Ended:
		return "done in " + n.lasted()
	case p.Stage == runner.StageReset && p.Phase != "":
		return p.Phase
	case p.Stage == runner.StageReset:
		return "resetting the cluster"
	case p.Stage == runner.StageTrial:
		text := p.Phase
		if p.Act != "" {
			text += " " + p.Act
		}
		if len(p.InForce) > 0 {
			if p.Act != "" {
				text = p.Act // a bar has little room
			}
			text += " under " + strings.Join(p.InForce, ", ")
		}
		return text
	case p.Component != "":
		return p.Component + ": " + p.Text
	}
	return p.Text
}

// lasted is how long the trial that has just ended took.
func (n *narrator) lasted() string {
	if len(n.took) == 0 {
		return "0s"
	}
	return n.took[len(n.took)-1].Round(time.Second).String()
}

// idle says whether nothing is known of the load.
func (n *narrator) idle() bool {
	return n.at.Stage != runner.StageTrial || n.at.Ended || n.at.Live == (runner.Live{})
}

// load says what the load does, empty where there is none.
func (n *narrator) load() string {
	if n.idle() {
		return ""
	}
	text := fmt.Sprintf("%.0f requests/s", n.at.Live.Rate)
	if p99 := n.at.Live.Latency.P99(); p99 > 0 {
		text += ", p99 " + brief(p99)
	}
	switch e := n.at.Live.Errors; e {
	case 0:
	case 1:
		text += ", 1 error"
	default:
		text += fmt.Sprintf(", %d errors", e)
	}
	return text
}

// figures are the same for a bar, where every column counts.
func (n *narrator) figures() string {
	if n.idle() {
		return ""
	}
	p99 := "-"
	if d := n.at.Live.Latency.P99(); d > 0 {
		p99 = brief(d)
	}
	return fmt.Sprintf("%4.0f/s p99 %5s %2d err", n.at.Live.Rate, p99, n.at.Live.Errors)
}

// brief is a time of at most five columns: 44ms, 1.2s, 103s.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0fms", d.Seconds()*1e3)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%.0fs", d.Seconds())
}

// heartbeat is the line that is printed when there has been no other for long.
func (n *narrator) heartbeat() string {
	doing := n.line()
	if doing == "" {
		doing = n.doing()
	}
	if doing == "" {
		return ""
	}
	text := "… " + doing + ", for " + n.now().Sub(n.since).Round(time.Second).String()
	if of := n.parts(); of != "" {
		text += ", " + of
	}
	if load := n.load(); load != "" {
		text += ", " + load
	}
	return text
}

// parts is how many parts of a step are done.
func (n *narrator) parts() string {
	switch {
	case n.at.Total > 0:
		return fmt.Sprintf("%d of %d", n.at.Done, n.at.Total)
	case n.at.Done > 0:
		return fmt.Sprint(n.at.Done)
	}
	return ""
}

// share is how much of the step in hand is done, from 0 to 1, and -1 where
// nobody knows. A recovery's time is the most that it may take.
func (n *narrator) share() float64 {
	p := n.at
	switch {
	case p.Total > 0:
		return min(float64(p.Done)/float64(p.Total), 1)
	case p.Lasts > 0 && p.Phase != scenarios.PhaseRecovery && !p.Ended:
		return min(float64(n.now().Sub(p.Began))/float64(p.Lasts), 1)
	case p.Ended:
		return 1
	}
	return -1
}

// clockOf is the step's time, or its parts.
func (n *narrator) clockOf() string {
	if of := n.parts(); of != "" {
		return strings.Replace(of, " of ", "/", 1)
	}
	spent := n.now().Sub(n.since).Truncate(time.Second)
	if n.at.Lasts > 0 && spent <= n.at.Lasts && n.at.Phase != scenarios.PhaseRecovery && !n.at.Ended {
		return fmt.Sprintf("%s/%s", spent, n.at.Lasts.Round(time.Second))
	}
	return spent.String()
}
