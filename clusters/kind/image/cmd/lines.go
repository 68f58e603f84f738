package main

import (
	"fmt"
	"io"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// silence is how often work in parts is said to go on.
const silence = 10 * time.Second

// lines prints what happens, a line each; of work in parts, its first and last,
// and one now and then.
type lines struct {
	out   io.Writer
	began time.Time
	text  string
	last  time.Time
}

func newLines(out io.Writer) *lines { return &lines{out: out, began: time.Now()} }

// event is a clusters.Sink.
func (l *lines) event(e clusters.Event) {
	now := time.Now()
	if e.Text == l.text && now.Sub(l.last) < silence && (e.Total == 0 || e.Done < e.Total) {
		return
	}
	l.text, l.last = e.Text, now
	parts := ""
	switch {
	case e.Total > 0:
		parts = fmt.Sprintf(" %d/%d", e.Done, e.Total)
	case e.Done > 0:
		parts = fmt.Sprintf(" %d", e.Done)
	}
	fmt.Fprintf(l.out, "%4ds  %s: %s%s\n", int(now.Sub(l.began).Seconds()), e.Component, e.Text, parts)
}
