package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/scenarios/runner"
)

// heartbeat is how long a display without a terminal is silent at most.
const heartbeat = 10 * time.Second

// display shows what storm is doing: bars on a terminal; elsewhere a plain line
// a step, and a heartbeat.
type display struct {
	out   io.Writer
	bars  *mpb.Progress // nil where there is no terminal
	began time.Time

	mu     sync.Mutex
	closed bool
	last   time.Time // a line was printed
	now    string    // what is going on, for the heartbeat and the bar's name
	trials *mpb.Bar
	step   *mpb.Bar
	stepOf string
	at     runner.Progress
	done   chan struct{}
	ticked sync.WaitGroup
}

func newDisplay(out io.Writer) *display {
	d := &display{out: out, began: time.Now(), last: time.Now(), done: make(chan struct{})}
	if isTerminal(out) {
		d.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(30), mpb.WithRefreshRate(200*time.Millisecond))
	}
	d.ticked.Go(d.tick)
	return d
}

// close takes the bars away. It may be called twice.
func (d *display) close() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	for _, bar := range []*mpb.Bar{d.trials, d.step} {
		if bar != nil {
			bar.Abort(true)
		}
	}
	d.mu.Unlock()
	close(d.done)
	d.ticked.Wait()
	if d.bars != nil {
		d.bars.Wait()
	}
}

// line prints a line, above the bars if there are any.
func (d *display) line(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.print(fmt.Sprintf(format, args...))
}

func (d *display) print(text string) {
	text = fmt.Sprintf("%s  %s\n", clock(time.Since(d.began)), plain(text))
	d.last = time.Now()
	if d.bars != nil && !d.closed {
		_, _ = d.bars.Write([]byte(text))
		return
	}
	_, _ = io.WriteString(d.out, text)
}

// event shows a step of getting components.
func (d *display) event(e clusters.Event) {
	d.progress(runner.Progress{Stage: runner.StageComponents, Component: e.Component, Text: e.Text, Done: e.Done, Total: e.Total})
}

// progress shows what a run is doing; it is a runner.Observer.
func (d *display) progress(p runner.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	text := d.words(p)
	news := text != d.now
	d.now = text
	before := d.at
	d.at = p
	if d.bars == nil {
		// Parts of a build come by the hundred: the heartbeat shows them.
		if news && p.Total == 0 && p.Live == before.Live {
			d.print(text)
		}
		return
	}
	d.draw(p)
	if p.Total == 0 && news && (p.Ended || p.Trial == 0) {
		d.print(text)
	}
}

// words says what is going on.
func (d *display) words(p runner.Progress) string {
	var parts []string
	if p.Trial > 0 {
		parts = append(parts, fmt.Sprintf("trial %d/%d %s", p.Trial, p.Trials, p.Planned.ID))
	}
	switch {
	case p.Ended && p.Problem != "":
		parts = append(parts, "invalid: "+p.Problem)
	case p.Ended:
		parts = append(parts, "done")
	case p.Phase != "":
		phase := p.Phase
		if p.Act != "" {
			phase += " " + p.Act
		}
		parts = append(parts, phase)
	}
	if p.Text != "" {
		if p.Component != "" {
			parts = append(parts, p.Component)
		}
		parts = append(parts, p.Text)
	}
	return strings.Join(parts, "  ")
}

// draw keeps one bar for the trials and one for the step in hand.
func (d *display) draw(p runner.Progress) {
	if p.Trials > 0 && d.trials == nil {
		d.trials = d.bars.AddBar(int64(p.Trials), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name("trials", decor.WC{W: 10, C: decor.DindentRight}), decor.CountersNoUnit("%d/%d", decor.WC{W: 7})),
			mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS)))
	}
	if d.trials != nil && p.Trial > 0 {
		done := int64(p.Trial - 1)
		if p.Ended {
			done++
		}
		d.trials.SetCurrent(done)
	}
	if d.step == nil {
		d.step = d.bars.AddBar(100, mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return d.label() })))
	}
}

// label is the text of the lower bar; mpb asks for it at each refresh.
func (d *display) label() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := d.now
	if d.at.Live.Rate > 0 {
		text += fmt.Sprintf("  %.0f/s", d.at.Live.Rate)
		if d.at.Live.Errors > 0 {
			text += fmt.Sprintf(", %d errors", d.at.Live.Errors)
		}
	}
	return short(plain(text), max(width(d.out)-34, 20)) + " "
}

// tick moves the lower bar, and prints the heartbeat.
func (d *display) tick() {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-ticker.C:
		}
		d.mu.Lock()
		if d.step != nil {
			d.step.SetCurrent(share(d.at))
		}
		if d.bars == nil && time.Since(d.last) >= heartbeat && d.now != "" {
			text := "… " + d.now
			if d.at.Total > 0 {
				text += fmt.Sprintf(" %d/%d", d.at.Done, d.at.Total)
			}
			if d.at.Live.Rate > 0 {
				text += fmt.Sprintf("  %.0f requests/s, %d errors", d.at.Live.Rate, d.at.Live.Errors)
			}
			d.print(text)
		}
		d.mu.Unlock()
	}
}

// share is how much of the step in hand is done, in percent.
func share(p runner.Progress) int64 {
	switch {
	case p.Total > 0:
		return int64(100 * p.Done / p.Total)
	case p.Lasts > 0 && !p.Began.IsZero():
		return min(int64(100*time.Since(p.Began)/p.Lasts), 100)
	}
	return 0
}

// clock is a time since the start, as mm:ss.
func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
