package fleet

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/unit"
)

const second = int64(time.Second)

func reportsOf(look, every time.Duration, change string, seed uint64) *reports {
	var d unit.Durations
	if err := d.UnmarshalText([]byte(change)); err != nil {
		panic(err)
	}
	return newReports(look, every, d, 7*second, rand.New(rand.NewPCG(seed, 1)))
}

// A status that never changes is reported once an interval, from the first
// report on; never more often than it is looked at.
func TestUnchangedStatusIsReportedAtItsInterval(t *testing.T) {
	for every, want := range map[time.Duration]int64{5 * time.Minute: 300, 10 * time.Second: 10, 2 * time.Second: 2, 25 * time.Second: 30} {
		r := reportsOf(10*time.Second, every, "0s", 1)
		last, _ := r.next()
		for range 20 {
			at, changed := r.next()
			if changed || at-last != want*second {
				t.Fatalf("every %s: a report %ds after the last, changed: %v", every, (at-last)/second, changed)
			}
			last = at
		}
	}
}

// What changes is reported at the first look after the change, and at no other
// time than a look.
func TestChangedStatusIsReportedAtTheNextLook(t *testing.T) {
	const look, every = 10 * time.Second, 5 * time.Minute
	for seed := range uint64(20) {
		r := reportsOf(look, every, "exponential 100s", seed)
		first, _ := r.next()
		last, unchanged, all := first, 0, 0
		for {
			change := r.changes
			sent, due := r.sent, r.due
			at, changed := r.next()
			if at > 24*3600*second {
				break
			}
			all++
			if (at-first)%int64(look) != 0 || at <= last {
				t.Fatalf("seed %d: a report at %s after one at %s", seed, time.Duration(at), time.Duration(last))
			}
			switch {
			case changed && (at < change || at-change >= int64(look) && at-sent != int64(look)):
				t.Fatalf("seed %d: changed at %s and reported at %s", seed, time.Duration(change), time.Duration(at))
			case !changed && (at < due || at-due >= int64(look) && at-sent != int64(look) || change <= at):
				t.Fatalf("seed %d: due at %s, changing at %s, reported unchanged at %s", seed, time.Duration(due), time.Duration(change), time.Duration(at))
			case !changed:
				unchanged++
			}
			if gap := at - last; gap > int64(every)*3/2+int64(look) {
				t.Fatalf("seed %d: nothing for %s", seed, time.Duration(gap))
			}
			last = at
		}
		// A day has 864 changes on average; two within one look are one report.
		if n := all - unchanged; n < 650 || n > 950 || unchanged == 0 {
			t.Errorf("seed %d: %d changed and %d unchanged reports in a day", seed, n, unchanged)
		}
	}
}

// Nodes whose status changes at one interval do not all change at once.
func TestNodesDoNotChangeTogether(t *testing.T) {
	at := map[int64]int{}
	for seed := range uint64(100) {
		r := reportsOf(time.Second, 5*time.Minute, "1h", seed)
		at[r.changes/(60*second)]++
	}
	for minute, n := range at {
		if n > 12 {
			t.Errorf("%d of 100 nodes change in minute %d", n, minute)
		}
	}
}

// What a node holds after a pull is one image apart from what it held before.
func TestAPullChangesOneImage(t *testing.T) {
	before := images(0)
	for pulls := 1; pulls < 50; pulls++ {
		now, other := images(pulls), 0
		for i := range now {
			if now[i].Names[0] != before[i].Names[0] {
				other++
			}
		}
		if len(now) != imageCount || other != 1 {
			t.Fatalf("pull %d: %d of %d images are others", pulls, other, len(now))
		}
		before = now
	}
}
