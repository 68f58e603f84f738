package workloads

import (
	"math/bits"
	"sync"

	"github.com/storm-harness/storm/workloads/client"
)

// deliveries follows each write to each watch that was open when it was sent.
// What is held of a write, a bit for each watch, is held until it is
// acknowledged and every one of them has delivered it.
type deliveries struct {
	mu     sync.Mutex
	open   []uint64 // a bit for every watch that has seen everything that was there
	listed []int64  // when a watch last began anew, with a list; 0: never
	writes map[uint64]*write
}

// write is one that was sent and is not done with.
type write struct {
	sent    int64
	acked   bool
	awaited []uint64 // a bit for every watch that has not delivered it
	left    int      // how many bits are set
}

func newDeliveries(watches int) *deliveries {
	return &deliveries{open: make([]uint64, (watches+63)/64), listed: make([]int64, watches), writes: map[uint64]*write{}}
}

// send notes that write n is about to be sent.
func (d *deliveries) send(n uint64, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := &write{sent: at, awaited: append([]uint64(nil), d.open...)}
	for _, word := range w.awaited {
		w.left += bits.OnesCount64(word)
	}
	d.writes[n] = w
}

// answered notes what became of write n. One that the server has refused will
// not be delivered; one whose end is not known may be.
func (d *deliveries) answered(n uint64, a client.Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.writes[n]
	if w == nil {
		return
	}
	w.acked = a.OK()
	if w.acked && w.left == 0 || a.Status >= 400 && a.Status < 500 {
		delete(d.writes, n)
	}
}

// deliver notes that a watch has shown write n, and returns when that was sent;
// false where the watch was not open then, or has shown it before.
func (d *deliveries) deliver(watch int, n uint64) (sent int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.writes[n]
	bit := uint64(1) << (watch % 64)
	if w == nil || w.awaited[watch/64]&bit == 0 {
		return 0, false
	}
	w.awaited[watch/64] &^= bit
	if w.left--; w.left == 0 && w.acked {
		delete(d.writes, n)
	}
	return w.sent, true
}

// synced notes that a watch has seen everything that was there.
func (d *deliveries) synced(watch int, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	bit := uint64(1) << (watch % 64)
	if d.open[watch/64]&bit != 0 {
		d.listed[watch] = at
	}
	d.open[watch/64] |= bit
}

// awaited returns how many acknowledged writes some watch has not delivered.
func (d *deliveries) awaited() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, w := range d.writes {
		if w.acked {
			n++
		}
	}
	return n
}

// The codes of deliveries of acknowledged writes that never came.
const (
	// CodeMissed: the watch was open from before the write was sent until the
	// end, or was resumed where it had broken, and did not show it.
	CodeMissed = "missed"
	// CodeRelisted: the watch could not be resumed and began anew with a list,
	// which shows the last state of an object and not what led to it.
	CodeRelisted = "relisted"
	// CodeUnresumed: the watch had broken and was not open again at the end.
	CodeUnresumed = "unresumed"
)

// lost calls each for every delivery of an acknowledged write that did not
// come; open says of a watch whether it is open.
func (d *deliveries) lost(open func(watch int) bool, each func(sent int64, code string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.writes {
		if !w.acked {
			continue
		}
		for i, word := range w.awaited {
			for ; word != 0; word &= word - 1 {
				switch watch := 64*i + bits.TrailingZeros64(word); {
				case w.sent <= d.listed[watch]:
					each(w.sent, CodeRelisted)
				case !open(watch):
					each(w.sent, CodeUnresumed)
				default:
					each(w.sent, CodeMissed)
				}
			}
		}
	}
}
