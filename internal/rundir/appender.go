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

// flushAt is how many buffered bytes are written out before that.
const flushAt = 64 << 10

// appender writes one JSON object a line. Lines are buffered and written out
// in whole, at least once a second. The first error sticks: later lines are
// dropped, and close reports it.
type appender struct {
	path string

	writing sync.Mutex // held while the file is written, and taken before mu
	file    *os.File
	full    chan struct{} // tells the flusher that there is enough to write

	mu     sync.Mutex
	buf    bytes.Buffer
	enc    *json.Encoder // into buf
	err    error
	closed bool

	stop chan struct{}
	done chan struct{}
}

// newAppender makes the file, mode 0600; it may not exist, since to append
// after a cut-off line would spoil that line and the next.
func newAppender(path string) (*appender, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	a := &appender{path: path, file: f, full: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	a.enc = json.NewEncoder(&a.buf)
	a.enc.SetEscapeHTML(false)
	go a.run()
	return a, nil
}

// run writes out every second, and whenever there is enough, until close.
func (a *appender) run() {
	defer close(a.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-a.full:
		case <-a.stop:
			return
		}
		a.flush()
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
		select {
		case a.full <- struct{}{}:
		default: // it has been told
		}
	}
}

// flush writes out what is buffered. Nobody who appends waits for it: a write
// can block for as long as the disk is busy with an fsync of the very cluster
// that is being measured, and a probe that waited for its own log would report
// that as the cluster's doing.
func (a *appender) flush() {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	out := bytes.Clone(a.buf.Bytes())
	a.buf.Reset()
	a.mu.Unlock()
	if len(out) == 0 {
		return
	}
	if _, err := a.file.Write(out); err != nil {
		a.mu.Lock()
		a.err = errors.Join(a.err, err)
		a.mu.Unlock()
	}
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
	first := !a.closed
	a.closed = true
	a.mu.Unlock()
	if first {
		close(a.stop)
		<-a.done
		a.flush()
		if err := errors.Join(a.file.Sync(), a.file.Close()); err != nil {
			a.mu.Lock()
			a.err = errors.Join(a.err, err)
			a.mu.Unlock()
		}
	}
	return a.failure()
}
