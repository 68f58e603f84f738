package network

import (
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lineRoom is how many packets a line holds: 100 ms at 1 Gbit/s in full-size
// packets, twice over. What comes beyond is dropped and counted.
const lineRoom = 1 << 14

// line carries the packets of one direction between two hosts, in order, each
// held for the delay.
type line struct {
	to   io.Writer     // takes a whole packet with each write
	wake chan struct{} // has room for one; tells carry to look again

	mu         sync.Mutex
	delay      time.Duration
	queue      []packet
	closed     bool
	delayed    uint64
	overflowed uint64
}

type packet struct {
	due  int64 // on the monotonic clock, ns
	data []byte
}

func newLine(to io.Writer) *line {
	l := &line{to: to, wake: make(chan struct{}, 1)}
	go l.carry()
	return l
}

// put takes a packet; it copies what it keeps.
func (l *line) put(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
	case l.delay == 0 && len(l.queue) == 0:
		l.write(data) // mended: what was still under way goes straight on
	case len(l.queue) >= lineRoom:
		l.overflowed++
	default:
		due := monotonic() + int64(l.delay)
		if n := len(l.queue); n > 0 {
			due = max(due, l.queue[n-1].due) // a shorter delay does not overtake
		}
		l.queue = append(l.queue, packet{due: due, data: append([]byte(nil), data...)})
		l.signal()
	}
}

// hold sets the delay of the packets to come and, where there was none before,
// begins to count anew. A delay of 0 lets go of all that is held, in order and
// at once, so that what takes the direct way afterwards does not overtake it.
func (l *line) hold(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.delay == 0 && d > 0 {
		l.delayed, l.overflowed = 0, 0
	}
	l.delay = d
	if d > 0 {
		return
	}
	for _, p := range l.queue {
		l.write(p.data)
	}
	l.delayed += uint64(len(l.queue))
	l.queue = nil
	l.signal()
}

func (l *line) counts() (held, delayed, overflowed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.queue)), l.delayed, l.overflowed
}

func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.queue = true, nil
	l.signal()
}

// carry passes packets on when they are due, until the line is closed.
func (l *line) carry() {
	for {
		due, closed := l.pass()
		switch {
		case closed:
			return
		case due == 0:
			<-l.wake
		default:
			l.await(due)
		}
	}
}

// pass passes on all that is due, and returns when the next packet will be; 0
// where there is none.
func (l *line) pass() (due int64, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		if next := l.queue[0].due; next > monotonic() {
			return next, l.closed
		}
		l.write(l.queue[0].data)
		l.delayed++
		l.queue[0].data = nil
		l.queue = l.queue[1:]
	}
	return 0, l.closed
}

// write needs l.mu, which keeps the packets in order. A packet that the device
// refuses, as when it is being removed, is lost like any other on a wire.
func (l *line) write(data []byte) {
	if _, err := l.to.Write(data); err != nil {
		l.overflowed++
	}
}

func (l *line) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// coarse is how late a timer of Go's can be: it waits in whole milliseconds.
const coarse = 1500 * time.Microsecond

// await returns when the time has come, or earlier if there is news. The last
// stretch is slept in the kernel, whose clock is good to some 50 µs.
func (l *line) await(due int64) {
	if early := time.Duration(due-monotonic()) - coarse; early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.wake:
			return
		}
	}
	at := unix.NsecToTimespec(due)
	// Interrupted by a signal it returns early, and pass looks again.
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil)
}

// monotonic is the clock that ClockNanosleep waits on.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("the kernel has no monotonic clock: " + err.Error())
	}
	return t.Nano()
}
