package measure

import (
	"testing"
	"time"
)

// Near a fault a member is probed finely until it has answered everything for
// longer than a probe's deadline since the fault struck; and again once it fails.
func TestAMemberIsProbedFinelyUntilItIsWell(t *testing.T) {
	const ms = int64(time.Millisecond)
	p := &Probes{o: ProbeOptions{Deadline: time.Second, Clock: NewClock()}}
	m := &probedMember{p: p}
	expect := func(when string, want bool) {
		t.Helper()
		if got := m.fine(); got != want {
			t.Errorf("%s: finely is %v, want %v", when, got, want)
		}
	}
	answers := func(from, to int64) {
		for at := from; at <= to; at += 10 {
			m.saw(at*ms, true)
		}
	}
	answers(0, 5000)
	expect("no fault is near", false)
	p.Near(true)
	answers(5010, 9000)
	expect("near, and nothing has struck", true)
	p.struck.Store(9005 * ms)
	expect("struck, and nothing answered since", true)
	answers(9010, 10_500)
	expect("well for no longer than what hangs is not known to have failed", true)
	answers(10_510, 10_510)
	expect("well for longer", false)
	m.saw(10_520*ms, false)
	expect("failed", true)
	m.saw(9000*ms, true) // an old answer comes late
	answers(10_530, 12_030)
	expect("well again", false)
	p.struck.Store(12_035 * ms)
	expect("its healing strikes", true)
	answers(12_040, 13_540)
	expect("well after its healing", false)
	p.Near(false)
	expect("over", false)
}
