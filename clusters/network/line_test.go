package network

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// taken is a device that keeps what is written into it.
type taken struct {
	mu     sync.Mutex
	got    []uint32
	when   []int64
	refuse bool
}

func (w *taken) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse {
		return 0, errors.New("removed")
	}
	w.got = append(w.got, binary.BigEndian.Uint32(b))
	w.when = append(w.when, monotonic())
	return len(b), nil
}

func (w *taken) await(n int) ([]uint32, []int64) {
	for {
		w.mu.Lock()
		if len(w.got) >= n {
			defer w.mu.Unlock()
			return slices.Clone(w.got), slices.Clone(w.when)
		}
		w.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func number(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func newTestLine(t *testing.T) (*line, *taken) {
	to := &taken{}
	l := newLine(to)
	t.Cleanup(l.close)
	return l, to
}

func TestLineHoldsEachPacketForTheDelayInOrder(t *testing.T) {
	l, to := newTestLine(t)
	const d = 30 * time.Millisecond
	l.hold(d)
	buffer := make([]byte, 4) // one for all, as the reader of the device has
	var put []int64
	for i := range 100 {
		if i == 50 {
			l.hold(d / 30) // what is held for longer is not overtaken
		}
		binary.BigEndian.PutUint32(buffer, uint32(i))
		put = append(put, monotonic())
		l.put(buffer)
	}
	got, when := to.await(100)
	for i, n := range got {
		if int(n) != i {
			t.Fatalf("order of arrival: %v", got)
		}
		least := d
		if i >= 50 {
			least = d / 30
		}
		if held := time.Duration(when[i] - put[i]); held < least {
			t.Errorf("packet %d was held for %s, less than %s", i, held, least)
		}
	}
	if held, delayed, overflowed := l.counts(); held != 0 || delayed != 100 || overflowed != 0 {
		t.Errorf("counts: %d held, %d delayed, %d overflowed", held, delayed, overflowed)
	}
}

func TestLineIsBounded(t *testing.T) {
	l, to := newTestLine(t)
	l.hold(MaxDelay)
	for i := range lineRoom + 5 {
		l.put(number(i))
	}
	if held, _, overflowed := l.counts(); held != lineRoom || overflowed != 5 {
		t.Errorf("%d held, %d overflowed; want %d and 5", held, overflowed, lineRoom)
	}
	l.hold(0)
	got, _ := to.await(lineRoom)
	if len(got) != lineRoom || !slices.IsSorted(got) {
		t.Errorf("%d packets came when the line was let go of, in order: %v", len(got), slices.IsSorted(got))
	}
	l.put(number(7)) // the line is a plain wire again
	if got, _ := to.await(lineRoom + 1); got[lineRoom] != 7 {
		t.Errorf("after that came packet %d", got[lineRoom])
	}
	l.hold(MaxDelay)
	if _, delayed, overflowed := l.counts(); delayed != 0 || overflowed != 0 {
		t.Errorf("a new delay begins with %d delayed, %d overflowed", delayed, overflowed)
	}
}

func TestLineCountsWhatTheReceiverRefuses(t *testing.T) {
	l, to := newTestLine(t)
	to.refuse = true
	l.hold(MaxDelay)
	l.put(number(1))
	l.hold(0)
	if _, _, overflowed := l.counts(); overflowed != 1 {
		t.Errorf("%d lost, want 1", overflowed)
	}
}

func TestDestinationOf(t *testing.T) {
	packet := make([]byte, 20)
	packet[0] = 0x45
	copy(packet[16:], []byte{198, 18, 0, 11})
	if got, ok := destinationOf(packet); !ok || got.String() != "198.18.0.11" {
		t.Errorf("got %s, %v", got, ok)
	}
	for _, bad := range [][]byte{nil, packet[:19], append([]byte{0x60}, packet[1:]...)} {
		if got, ok := destinationOf(bad); ok {
			t.Errorf("of %x: %s", bad, got)
		}
	}
}
