package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/scenarios/runner"
)

// heartbeat is how long a display without a terminal is silent at most.
const heartbeat = 10 * time.Second

// display shows what storm is doing: bars on a terminal; elsewhere a plain line
// a step, and a heartbeat.
type display struct {
	out   io.Writer
	began time.Time

	// printing orders what is printed. Who holds it may wait for the bars to be
	// drawn; who draws them takes only mu.
	printing sync.Mutex
	bars     *bars     // nil where there is no terminal
	last     time.Time // when a line was printed
	closed   bool

	mu   sync.Mutex
	says *narrator
	beat int

	done   chan struct{}
	ticked sync.WaitGroup
}

// newDisplay shows a run whose trials are expected to take so long.
func newDisplay(out io.Writer, spans ...time.Duration) *display {
	d := &display{out: out, began: time.Now(), last: time.Now(), says: newNarrator(time.Now, spans), done: make(chan struct{})}
	if isTerminal(out) {
		d.bars = newBars(out)
	} else {
		d.ticked.Go(d.keepTelling)
	}
	return d
}

// close takes the bars away. It may be called twice.
func (d *display) close() {
	d.printing.Lock()
	if d.closed {
		d.printing.Unlock()
		return
	}
	d.closed = true
	if d.bars != nil {
		d.bars.close()
	}
	d.printing.Unlock()
	close(d.done)
	d.ticked.Wait()
}

// line prints a line, above the bars if there are any.
func (d *display) line(format string, args ...any) {
	d.printing.Lock()
	defer d.printing.Unlock()
	d.print(fmt.Sprintf(format, args...))
}

// interrupted says that the run was. A terminal has echoed ^C where the bars
// begin, and what is drawn next would begin behind it.
func (d *display) interrupted(format string, args ...any) {
	d.printing.Lock()
	defer d.printing.Unlock()
	if d.bars != nil && !d.closed {
		_, _ = io.WriteString(d.out, "\r")
	}
	d.print(fmt.Sprintf(format, args...))
}

func (d *display) print(text string) {
	stamp := clock(time.Since(d.began)) + "  "
	text = plain(text)
	d.last = time.Now()
	// What an error has further lines of stands under it, and passes for no line of
	// storm's.
	indent := strings.Repeat(" ", len(stamp))
	if d.bars == nil || d.closed {
		_, _ = fmt.Fprintln(d.out, stamp+strings.ReplaceAll(text, "\n", "\n"+indent))
		return
	}
	lines := wrap(text, width(d.out)-len(stamp)-1)
	_, _ = fmt.Fprintln(d.bars.progress, stamp+strings.Join(lines, "\n"+indent))
}

// event shows a step of getting components, or of a cluster's start.
func (d *display) event(e clusters.Event) {
	d.progress(runner.Progress{Stage: runner.StageCluster, Component: e.Component, Text: e.Text, Done: e.Done, Total: e.Total})
}

// progress shows what a run is doing; it is a runner.Observer.
func (d *display) progress(p runner.Progress) {
	d.printing.Lock()
	defer d.printing.Unlock()
	if d.closed {
		return
	}
	d.mu.Lock()
	line := d.says.take(p)
	d.mu.Unlock()
	if d.bars == nil {
		if line != "" {
			d.print(line)
		}
		return
	}
	// The steps of a trial are its bar's; only its end stays to be read.
	if line != "" && (p.Trial == 0 || p.Ended) {
		d.print(line)
	}
	d.draw(p)
}

// draw adds the bars as soon as there is something to show by them.
func (d *display) draw(p runner.Progress) {
	if d.bars.step == nil {
		d.bars.step = d.bars.add(func(columns int) string {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.beat++
			return d.says.stepLine(columns, d.beat)
		})
	}
	if d.bars.trials == nil && p.Trial > 0 {
		d.bars.trials = d.bars.add(func(columns int) string {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.says.trialsLine(columns, d.beat)
		})
	}
}

// keepTelling prints the heartbeat.
func (d *display) keepTelling() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-ticker.C:
		}
		d.printing.Lock()
		if time.Since(d.last) >= heartbeat {
			d.mu.Lock()
			text := d.says.heartbeat()
			d.mu.Unlock()
			if text != "" {
				d.print(text)
			}
		}
		d.printing.Unlock()
	}
}

// clock is a time since the start, as mm:ss.
func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
