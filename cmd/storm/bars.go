package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// The columns of a bar's line: what, the bar, and a time.
const (
	barColumns  = 16
	tailColumns = 12
)

// The bar's and the tail's columns where figures stand beside them.
const (
	thinBar  = 8
	thinTail = 10
)

// barLine is a line of at most so many columns: a label, a bar, figures if there
// are any, and a tail. The share is from 0 to 1; below 0 nobody knows it, and a
// block walks by the beat.
func barLine(columns int, label string, share float64, figures, tail string, beat int) string {
	bar, end := barColumns, tailColumns
	if figures != "" {
		bar, end, figures = thinBar, thinTail, figures+" "
	}
	room := columns - bar - utf8.RuneCountInString(figures) - end - 3
	if room < 10 && figures != "" { // then the figures give way
		return barLine(columns, label, share, "", tail, beat)
	}
	if room < 10 { // no room for a bar
		return short(label, max(columns-1, 1))
	}
	return fmt.Sprintf("%-*s [%s] %s%*s", room, short(label, room), barOf(bar-2, share, beat), figures, end-1, short(tail, end-1))
}

func barOf(n int, share float64, beat int) string {
	if share < 0 {
		const block = "<=>"
		at := beat % (2 * (n - len(block)))
		if at > n-len(block) {
			at = 2*(n-len(block)) - at
		}
		return strings.Repeat(" ", at) + block + strings.Repeat(" ", n-len(block)-at)
	}
	full := int(share * float64(n))
	if full >= n {
		return strings.Repeat("=", n)
	}
	return strings.Repeat("=", full) + ">" + strings.Repeat(" ", n-full-1)
}

// stepLine is the line of the step in hand.
func (n *narrator) stepLine(columns, beat int) string {
	label := n.doing()
	switch p := n.at.Planned; {
	case n.at.Trial == 0:
	case p.Tour != "":
		label = "tour " + p.Tour + "  " + label
	default:
		label = fmt.Sprintf("b%d %s  %s", p.Block, p.Profile, label)
	}
	return barLine(columns, plain(label), n.share(), n.figures(), n.clockOf(), beat)
}

// trialsLine is the line of all trials.
func (n *narrator) trialsLine(columns, beat int) string {
	return barLine(columns, fmt.Sprintf("trial %d/%d", n.trial, n.at.Trials), n.overall(), "", "ETA "+clock(n.eta()), beat)
}

// bars are the two lines that are drawn again and again on a terminal.
type bars struct {
	progress *mpb.Progress
	step     *mpb.Bar
	trials   *mpb.Bar // nil before the first trial
}

// redraw is how often the bars are drawn.
const redraw = 200 * time.Millisecond

func newBars(out io.Writer) *bars {
	return &bars{progress: mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(redraw))}
}

// add adds a bar that is what line returns. mpb asks for it at each redraw,
// from a goroutine of its own.
func (b *bars) add(line func(columns int) string) *mpb.Bar {
	return b.progress.MustAdd(0, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, line(s.AvailableWidth))
		return err
	}), mpb.BarFillerTrim())
}

// close takes the bars away.
func (b *bars) close() {
	for _, bar := range []*mpb.Bar{b.step, b.trials} {
		if bar != nil {
			bar.Abort(true)
		}
	}
	b.progress.Wait()
}
