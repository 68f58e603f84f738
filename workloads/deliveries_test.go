package workloads

import (
	"maps"
	"testing"

	"github.com/storm-harness/storm/workloads/client"
)

// The answers to a write.
var (
	acknowledged = client.Answer{Status: 200}
	conflict     = client.Answer{Status: 409, Code: "409"}
	unknown      = client.Answer{Code: client.CodeTimeout}
)

func everyOpen(int) bool { return true }

// lostOf counts what is lost by code.
func (d *deliveries) lostOf(open func(int) bool) map[string]int {
	out := map[string]int{}
	d.lost(open, func(_ int64, code string) { out[code]++ })
	return out
}

func TestEveryDeliveryIsAccountedFor(t *testing.T) {
	const watches = 70 // more than a word of bits
	up := func() *deliveries {
		d := newDeliveries(watches)
		for i := range watches {
			d.synced(i, 1)
		}
		return d
	}
	for name, c := range map[string]struct {
		do   func(*deliveries)
		open func(int) bool
		want map[string]int
		held int // writes that are not done with
	}{
		"delivered before it is acknowledged": {func(d *deliveries) {
			d.send(1, 10)
			d.all(watches, 1)
			d.answered(1, acknowledged)
		}, everyOpen, nil, 0},
		"delivered after it is acknowledged": {func(d *deliveries) {
			d.send(1, 10)
			d.answered(1, acknowledged)
			d.all(watches, 1)
		}, everyOpen, nil, 0},
		"never delivered": {func(d *deliveries) { d.send(1, 10); d.answered(1, acknowledged) }, everyOpen, map[string]int{CodeMissed: watches}, 1},
		"delivered to all but two": {func(d *deliveries) {
			d.send(1, 10)
			d.all(watches-2, 1)
			d.answered(1, acknowledged)
		}, everyOpen, map[string]int{CodeMissed: 2}, 1},
		"refused":               {func(d *deliveries) { d.send(1, 10); d.answered(1, conflict) }, everyOpen, nil, 0},
		"its end is not known":  {func(d *deliveries) { d.send(1, 10); d.answered(1, unknown) }, everyOpen, nil, 1},
		"still in flight":       {func(d *deliveries) { d.send(1, 10) }, everyOpen, nil, 1},
		"not known to be there": {func(d *deliveries) { d.deliver(0, 7); d.answered(7, acknowledged) }, everyOpen, nil, 0},
		"a watch that listed anew": {func(d *deliveries) {
			d.send(1, 10)
			d.answered(1, acknowledged)
			d.all(watches-1, 1)
			d.synced(watches-1, 20)
			d.send(2, 30)
			d.answered(2, acknowledged)
			d.all(watches-1, 2)
		}, everyOpen, map[string]int{CodeRelisted: 1, CodeMissed: 1}, 2},
		"a watch that is not open again": {func(d *deliveries) {
			d.send(1, 10)
			d.answered(1, acknowledged)
			d.all(watches-1, 1)
		}, func(i int) bool { return i != watches-1 }, map[string]int{CodeUnresumed: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := up()
			c.do(d)
			if got := d.lostOf(c.open); !maps.Equal(got, c.want) {
				t.Errorf("lost %v, want %v", got, c.want)
			}
			if len(d.writes) != c.held {
				t.Errorf("%d writes are held, want %d", len(d.writes), c.held)
			}
		})
	}
}

// all delivers a write to the first so many watches.
func (d *deliveries) all(watches int, n uint64) {
	for i := range watches {
		d.deliver(i, n)
	}
}

func TestAWriteCountsOnceForEachWatchThatWasOpen(t *testing.T) {
	d := newDeliveries(2)
	d.synced(0, 1)
	d.send(1, 10)
	d.synced(1, 20)
	if sent, ok := d.deliver(0, 1); !ok || sent != 10 {
		t.Errorf("got %d, %v", sent, ok)
	}
	if _, ok := d.deliver(0, 1); ok {
		t.Error("a second delivery counts")
	}
	if _, ok := d.deliver(1, 1); ok {
		t.Error("a watch that was not open counts")
	}
	d.answered(1, acknowledged)
	if n := d.awaited(); n != 0 {
		t.Errorf("%d writes are awaited", n)
	}
}
