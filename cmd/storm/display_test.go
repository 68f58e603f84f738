package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// steps are n steps of a run, as several goroutines of it tell them.
func steps(n int) []runner.Progress {
	var out []runner.Progress
	for i := range n {
		p := runner.Progress{Stage: runner.StageTrial, Trial: 1 + i/10, Trials: n / 10, Phase: scenarios.PhaseSteady, Live: runner.Live{Rate: float64(i)}}
		const profile = "a-profile-with-quite-a-long-name-indeed"
		p.Planned = rundir.Planned{ID: fmt.Sprintf("%03d-b1-%s", p.Trial, profile), Block: 1, Profile: profile}
		p.Ended = i%10 == 9
		out = append(out, p)
	}
	return out
}

// show plays steps on a display from two goroutines at once, as a run does, and
// closes it when it has been seen.
func show(d *display, all []runner.Progress, seen func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, p := range all {
			d.progress(p)
		}
	})
	wg.Go(func() {
		for i := range 20 {
			d.line("a line of its own: %d", i)
		}
	})
	wg.Wait()
	seen()
	d.close()
	d.close()
	d.progress(all[0]) // too late to be shown
}

func TestDisplayElsewhere(t *testing.T) {
	var out bytes.Buffer
	show(newDisplay(&out), steps(100), func() {})
	text := out.String()
	if strings.ContainsRune(text, '\x1b') {
		t.Errorf("escapes where there is no terminal: %q", text)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		what := line[len("00:00"):]
		if seen[what] {
			t.Errorf("said twice: %q", what)
		}
		seen[what] = true
	}
	if want := 20 + 2*10; len(seen) != want { // each trial's steady, and its end
		t.Errorf("%d lines, want %d:\n%s", len(seen), want, text)
	}
}

func TestDisplayOnATerminal(t *testing.T) {
	terminal := openTerminal(t, 80, 24)
	all := steps(110)[:109] // ten trials, and the eleventh is not over
	all[108].Phase, all[108].Act = scenarios.PhaseFault, "kubeletRestart"
	all[108].Live.Errors = 3
	show(newDisplay(terminal.File), all, func() {
		// The bar of the trial in hand, and that of all.
		terminal.await(t, "b1 a-profile…  fault kubeletRestart [")
		terminal.await(t, "]  108/s p99     -  3 err ")
		terminal.await(t, "ETA 00:00")
	})
	text := terminal.end()
	if n := strings.Count(text, "a line of its own: "); n != 20 {
		t.Errorf("%d of 20 lines came out", n)
	}
	if n := strings.Count(text, "done in 0s"); n < 10 {
		t.Errorf("%d of 10 trials ended, as it seems:\n%s", n, text)
	}
	// What is left on the screen: nothing of the bars.
	last := text[strings.LastIndexByte(text, '\x1b'):]
	if strings.Contains(last, "/s p99") {
		t.Errorf("a bar was left behind: %q", last)
	}
	for line := range strings.Lines(escapes.ReplaceAllString(text, "")) {
		if n := columnsOf(strings.TrimRight(line, "\r\n")); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// pseudoterminal is a terminal that remembers what was written to it.
type pseudoterminal struct {
	*os.File
	control *os.File
	done    chan struct{} // closed when nobody has it open any more

	mu   sync.Mutex
	news *sync.Cond
	text []byte
}

func openTerminal(t *testing.T, columns, rows uint16) *pseudoterminal {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudoterminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(file.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
	p := &pseudoterminal{File: file, control: control, done: make(chan struct{})}
	p.news = sync.NewCond(&p.mu)
	go p.remember()
	return p
}

// remember reads until nobody has the terminal open.
func (p *pseudoterminal) remember() {
	defer close(p.done)
	buffer := make([]byte, 4096)
	for {
		n, err := p.control.Read(buffer)
		p.mu.Lock()
		p.text = append(p.text, buffer[:n]...)
		p.news.Broadcast()
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await returns when a text was written, and fails the test where it was not in
// the longest that a busy machine takes for that.
func (p *pseudoterminal) await(t *testing.T, text string) {
	t.Helper()
	late := false
	defer time.AfterFunc(time.Minute, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		late = true
		p.news.Broadcast()
	}).Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !bytes.Contains(p.text, []byte(text)) {
		if late {
			t.Errorf("%q was not written, but %q", text, p.text[max(0, len(p.text)-1000):])
			return
		}
		p.news.Wait()
	}
}

// end closes the terminal and returns everything that was written to it.
func (p *pseudoterminal) end() string {
	_ = p.Close()
	<-p.done
	_ = p.control.Close()
	return string(p.text)
}
