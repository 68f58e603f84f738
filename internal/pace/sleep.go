package pace

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/swift"
)

// Sleeper waits for instants of a clock, as finely as the kernel can. One
// goroutine at a time may use it.
//
// The runtime's own timers go through epoll_wait with a resolution of a
// millisecond, and a sleep in a system call would hold one of the runtime's
// processors: with a few loads and probes on a small machine that stalls the
// whole program for as long as its monitor thread does not get to run. A
// timerfd has neither fault: the goroutine that waits is parked, and the
// kernel's high resolution timer wakes it.
type Sleeper struct {
	ctx    context.Context
	clock  Clock
	file   *os.File // a timerfd; nil where none could be had
	reader *swift.Reader
	fd     int
	forget func() bool // ends what wakes the sleeper with its context
	timer  *time.Timer // instead of the file
	buf    [8]byte
}

// NewSleeper returns a sleeper that wakes when ctx ends; it must be stopped.
func NewSleeper(ctx context.Context, c Clock) *Sleeper {
	s := &Sleeper{ctx: ctx, clock: c}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err == nil {
		s.fd, s.file = fd, os.NewFile(uintptr(fd), "timerfd")
		s.reader, err = swift.NewReader(s.file)
	}
	if err != nil {
		// Out of open files: a coarser wait is better than none, and the
		// send lag tells of it.
		s.file = nil
		s.timer = time.NewTimer(time.Hour)
		s.timer.Stop()
		return s
	}
	s.forget = context.AfterFunc(ctx, func() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) })
	return s
}

// Stop releases what the sleeper holds.
func (s *Sleeper) Stop() {
	if s.file == nil {
		s.timer.Stop()
		return
	}
	s.forget()
	_ = s.file.Close()
}

// Until returns true when the clock has reached at, or false as soon as the
// sleeper's context has ended; it looks at that even where at has passed.
func (s *Sleeper) Until(at int64) bool {
	for s.ctx.Err() == nil {
		left := at - s.clock.Now()
		if left <= 0 {
			return true
		}
		s.wait(left)
	}
	return false
}

// wait waits for so many nanoseconds, or less.
func (s *Sleeper) wait(left int64) {
	if s.file != nil {
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(left)}
		if unix.TimerfdSettime(s.fd, 0, &spec, nil) == nil {
			_, _ = s.reader.Read(s.buf[:]) // the error of a deadline is that ctx has ended
			return
		}
	}
	timer := s.timer
	if timer == nil {
		timer = time.NewTimer(time.Duration(left))
		defer timer.Stop()
	} else {
		timer.Reset(time.Duration(left))
	}
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}
