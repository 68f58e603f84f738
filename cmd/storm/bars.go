package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
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

// The columns that a profile's or tour's name is left with where a line is too
// narrow for it and for what is being done: as many as fast-election has, and
// fewer where that shows the whole of the latter.
const (
	usualName = 13
	leastName = 6
)

// layout is how the columns of a line are shared out.
type layout struct {
	label, bar, tail int
	figures          string
}

// layoutOf shares out so many columns. Where they are too few for a bar there is
// a label only.
func layoutOf(columns int, figures string) layout {
	l := layout{bar: barColumns, tail: tailColumns}
	if figures != "" {
		l = layout{bar: thinBar, tail: thinTail, figures: figures + " "}
	}
	l.label = columns - l.bar - columnsOf(l.figures) - l.tail - 3
	switch {
	case l.label >= 10:
		return l
	case figures != "": // then the figures give way
		return layoutOf(columns, "")
	}
	return layout{label: max(columns-1, 1)}
}

// barLine is a line of at most so many columns: a label, a bar, figures if there
// are any, and a tail. The share is from 0 to 1; below 0 nobody knows it, and a
// block walks by the beat.
func barLine(columns int, label string, share float64, figures, tail string, beat int) string {
	l := layoutOf(columns, figures)
	label = short(label, l.label)
	if l.bar == 0 {
		return label
	}
	// Not by fmt's widths, which count characters.
	return fmt.Sprintf("%s [%s] %s%s", runewidth.FillRight(label, l.label), barOf(l.bar-2, share, beat),
		l.figures, runewidth.FillLeft(short(tail, l.tail-1), l.tail-1))
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
	figures, label := n.figures(), oneLine(n.doing())
	room := layoutOf(columns, figures).label
	switch p := n.at.Planned; {
	case n.at.Trial == 0:
	case p.Tour != "":
		label = named("tour ", p.Tour, label, room)
	default:
		label = named(fmt.Sprintf("b%d ", p.Block), p.Profile, label, room)
	}
	return barLine(columns, label, n.share(), figures, n.clockOf(), beat)
}

// named puts a name before what is being done. Where there is no room for both
// it is the name that is shortened: phase and fault are the news of a line.
func named(before, name, doing string, room int) string {
	const gap = "  "
	left := room - columnsOf(before+gap+doing)
	if left < leastName {
		left = usualName // what is being done is cut off either way
	}
	return before + short(oneLine(name), left) + gap + doing
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
