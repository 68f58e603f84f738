package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// flushEvery bounds what a kill can lose: the lines of that long.
const flushEvery = time.Second

// flushAt is how many buffered bytes are written out without waiting.
const flushAt = 64 << 10

// appender writes one JSON object a line. Lines are buffered and written out
// in whole, at least once a second. The first error sticks: later lines are
// dropped, and close reports it.
type appender struct {
	path string

	mu     sync.Mutex
	file   *os.File
	buf    bytes.Buffer
	enc    *json.Encoder // into buf
	err    error
	closed bool

	stop chan struct{} // nil: no flusher of its own
	done chan struct{}
}

// newAppender makes the file, mode 0600; it may not exist, since to append
// after a cut-off line would spoil that line and the next.
func newAppender(path string) (*appender, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	a := &appender{path: path, file: f}
	a.enc = json.NewEncoder(&a.buf)
	a.enc.SetEscapeHTML(false)
	return a, nil
}

// start runs a flusher until close.
func (a *appender) start() {
	a.stop, a.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(a.done)
		flushLoop(a.stop, a.flush)
	}()
}

// flushLoop calls flush every second until stop is closed.
func flushLoop(stop <-chan struct{}, flush func()) {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			flush()
		case <-stop:
			return
		}
	}
}

func (a *appender) append(v any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed && a.err == nil {
		a.err = errors.New("a line came after the file was closed")
	}
	if a.err != nil {
		return
	}
	before := a.buf.Len()
	if err := a.enc.Encode(v); err != nil { // ends the line with \n
		a.buf.Truncate(before)
		a.err = err
		return
	}
	if a.buf.Len() >= flushAt {
		a.flushLocked()
	}
}

func (a *appender) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushLocked()
}

func (a *appender) flushLocked() {
	if a.buf.Len() == 0 || a.closed {
		return
	}
	if _, err := a.file.Write(a.buf.Bytes()); err != nil && a.err == nil {
		a.err = err
	}
	a.buf.Reset()
}

// failure returns the first error so far.
func (a *appender) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		return nil
	}
	return fmt.Errorf("append to %s: %w", a.path, a.err)
}

// close writes out, syncs and closes; further calls only repeat the error.
func (a *appender) close() error {
	a.mu.Lock()
	if !a.closed {
		a.flushLocked()
		a.closed = true
		if err := errors.Join(a.file.Sync(), a.file.Close()); err != nil && a.err == nil {
			a.err = err
		}
		if a.stop != nil {
			close(a.stop)
		}
	}
	a.mu.Unlock()
	if a.done != nil {
		<-a.done
	}
	return a.failure()
}
