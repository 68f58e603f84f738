package render

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// TestLargeRun: whatever a run has much of, its page stays below 500 KB and
// says what it left out, and the summary below what GitHub takes.
func TestLargeRun(t *testing.T) {
	t.Parallel()
	for name, grow := range map[string]func(*report.Result){
		"trials of an hour in 40 blocks of 8 profiles": hours,
		"errors of 256 KiB":                            longTexts,
		"many gates, shards, levels and tours":         manyRows,
		"all of it": func(r *report.Result) {
			hours(r)
			longTexts(r)
			manyRows(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := quickstart()
			grow(r)
			page := render(t, HTML, r)
			if len(page) > maxPage {
				t.Errorf("the page has %d bytes, may have %d", len(page), maxPage)
			}
			if len(page) < maxPage/8 {
				t.Errorf("the page has %d bytes: too much was left out", len(page))
			}
			if !strings.Contains(page, "which report.json has") && !strings.Contains(page, "report.json has all") && !strings.Contains(page, "too many trials to draw each") {
				t.Error("the page does not say that something was left out")
			}
			if n := len(render(t, Markdown, r)); n > 1<<20 {
				t.Errorf("the summary has %d bytes, GitHub takes %d", n, 1<<20)
			}
		})
	}
}

// TestManyProfiles: gates have a result for each profile, and there may be many of
// both; the summary keeps the verdict, and says what it leaves out.
func TestManyProfiles(t *testing.T) {
	t.Parallel()
	r := quickstart()
	gate := r.Gates[0]
	gate.Results = nil
	for n := range 300 {
		r.Profiles = append(r.Profiles, report.Profile{Name: fmt.Sprintf("p%d", n), About: strings.Repeat("long ", 200)})
		gate.Results = append(gate.Results, report.Judged{Profile: fmt.Sprintf("p%d", n), Verdict: gate.Verdict, Reason: strings.Repeat("<long> ", 100)})
	}
	r.Gates = nil
	for range 60 {
		r.Gates = append(r.Gates, gate)
	}
	text := render(t, Markdown, r)
	if len(text) > maxMarkdown || !strings.Contains(text, r.Headline[0][:20]) || !strings.Contains(text, "left out here") {
		t.Errorf("the summary has %d bytes of at most %d, and begins %q", len(text), maxMarkdown, text[:200])
	}
}

// TestTheWorstGateIsShown: where there are more gates and profiles than room, those
// that did not hold are the last to give way, on the page and in the summary.
func TestTheWorstGateIsShown(t *testing.T) {
	t.Parallel()
	r := quickstart()
	r.Gates = r.Gates[:0:0]
	for n := range 300 {
		g := report.Gate{Verdict: report.Pass, Title: "a gate", Lower: true}
		for p := range 100 {
			g.Results = append(g.Results, report.Judged{Profile: fmt.Sprintf("p%d", p), Verdict: report.Pass, Reason: "it held"})
		}
		if n == 299 {
			g.Verdict = report.Regressed
			g.Results[99].Verdict, g.Results[99].Reason = report.Regressed, "the one that broke it"
		}
		r.Gates = append(r.Gates, g)
	}
	for name, form := range map[string]func(io.Writer, *report.Result) error{"page": HTML, "summary": Markdown} {
		if !strings.Contains(render(t, form, r), "the one that broke it") {
			t.Errorf("the %s leaves out the gate that broke", name)
		}
	}
}

// TestWholeRun: the page of a run of ordinary size leaves nothing out.
func TestWholeRun(t *testing.T) {
	t.Parallel()
	page := render(t, HTML, quickstart())
	if len(page) > maxPage || strings.Contains(page, "larger than one page") || strings.Contains(page, "which report.json has") {
		t.Errorf("the page of the quickstart has %d bytes and leaves something out", len(page))
	}
}

func hours(r *report.Result) {
	var line report.Line
	for s := range 600 {
		line.T, line.V = append(line.T, 6*float64(s)+3), append(line.V, report.Number(float64(s*7919%9973)+0.123))
	}
	for i := range r.Charts[0].Chart {
		c := &r.Charts[0].Chart[i]
		c.Lines = nil
		for n := range 328 {
			l := line
			l.Profile, l.Median, l.Valid, l.Part = "p"+string(rune('a'+n%8)), n < 8, true, "etcd-main-0"
			c.Lines = append(c.Lines, l)
		}
	}
	r.Charts[0].From, r.Charts[0].To = 0, 3600
	for _, m := range r.Heat[:2] {
		m.Counts = nil
		for column := range 120 {
			counts := make([]uint64, 24)
			for row := range counts {
				counts[row] = uint64(column * row * 7919 % 9973)
			}
			m.Counts = append(m.Counts, counts)
		}
		for n := range 16 {
			m.Profile = "p" + string(rune('a'+n%8))
			r.Heat = append(r.Heat, m)
		}
	}
}

func longTexts(r *report.Result) {
	why := strings.Repeat("why ", 1<<16)
	for n := range 320 {
		x := r.Trials[0]
		x.Order, x.State, x.Reasons = n+14, report.TrialInvalid, []string{why}
		r.Trials = append(r.Trials, x)
		r.Warnings = append(r.Warnings, fmt.Sprint("a warning ", n, why))
	}
	for range 2000 {
		e := r.Errors[0]
		e.Code = why
		r.Errors = append(r.Errors, e)
		r.Latency = append(r.Latency, r.Latency[0])
		r.Audits = append(r.Audits, r.Audits[0])
	}
}

func manyRows(r *report.Result) {
	tour := r.Trials[len(r.Trials)-1]
	charts := r.Charts[len(r.Charts)-1]
	for n := range 300 {
		g := r.Gates[n%len(r.Gates)]
		r.Gates = append(r.Gates, g)
		r.Comparisons = append(r.Comparisons, r.Comparisons[n%8])
		shard, level := r.Shards[0], r.Levels[0]
		shard.Shard, level.Level = fmt.Sprint("shard-", n), fmt.Sprint("level-", n)
		r.Shards, r.Levels = append(r.Shards, shard), append(r.Levels, level)
		x, c := tour, charts
		x.Tour, x.ID = fmt.Sprint("tour-", n), fmt.Sprintf("%03d-tour-%d", n+14, n)
		c.Tour = x.Tour
		r.Trials, r.Charts = append(r.Trials, x), append(r.Charts, c)
		r.Scenario = append(r.Scenario, strings.Repeat("a: b ", 40))
		r.Profiles[0].Changes = append(r.Profiles[0].Changes, fmt.Sprintf("a.b.c%d=%d", n, n))
		r.Provenance = append(r.Provenance, rundir.Provenance{Component: fmt.Sprint("part-", n), Profile: "stock", Version: "v1"})
		part := r.Charts[0].Chart[6].Lines[0]
		part.Part, part.Median = fmt.Sprintf("part-%c%c-0", 'a'+n%26, 'a'+n/26), true
		r.Charts[0].Chart[6].Lines = append(r.Charts[0].Chart[6].Lines, part)
		for range 10 {
			r.Charts[0].Marks = append(r.Charts[0].Marks, r.Charts[0].Marks[0])
		}
	}
}
