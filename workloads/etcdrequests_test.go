package workloads

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// What an etcd that hangs had kept waiting for long when the load ended counts; a
// younger request does not.
func TestWhatHadWaitedLongForEtcdWhenTheLoadEndedIsCounted(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whoever connects hears nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	member, err := etcd.Open("https://"+silent.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	e := of(func(e *EtcdDirect) { e.Rate, e.Timeout = unit.Steady(100), unit.Duration(2*time.Second) }).(*EtcdDirect)
	e.members, e.keys = []*etcd.Client{member}, newKeyspace(e.Keys)
	for wait, want := range map[time.Duration]uint64{20 * time.Millisecond: 0, 600 * time.Millisecond: 1} {
		got := map[string]uint64{}
		clock := measure.NewClock()
		rec := measure.NewRecorder(clock, func(w rundir.Window) {
			for code, n := range w.Errors {
				got[code] += n
			}
		})
		d := e.direct(&Env{Name: "x", Clock: clock})
		for op := range d.series {
			d.series[op] = rec.Series(rundir.Key{Verb: opNames[op].verb, Detail: opNames[op].detail})
		}
		d.grants = rec.Series(rundir.Key{Verb: "grant"})
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		d.slot(ctx, pace.Slot{Intended: clock.Now()})
		cancel()
		rec.Close()
		if got[measure.CodeUnended] != want {
			t.Errorf("after %s: counted %v, want %d", wait, got, want)
		}
	}
}
