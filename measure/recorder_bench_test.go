package measure

import (
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// BenchmarkRecord is the figure behind "≤ 100 ns a sample": one goroutine.
func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(NewClock(), func(rundir.Window) {})
	defer r.Close()
	s := r.Series(rundir.Key{Workload: "bench", Verb: "get"})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		intended := int64(i) * 1000
		s.Record(intended, intended+2000, intended+int64(i%5_000_000), "", 100)
	}
}

// BenchmarkRecordParallel has every processor record into the same series.
func BenchmarkRecordParallel(b *testing.B) {
	r := NewRecorder(NewClock(), func(rundir.Window) {})
	defer r.Close()
	s := r.Series(rundir.Key{Workload: "bench", Verb: "get"})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := int64(0); pb.Next(); i++ {
			s.Record(i, i+2000, i+i%5_000_000, "", 100)
		}
	})
}

// BenchmarkCut is what the flusher pays a second for 30 busy series.
func BenchmarkCut(b *testing.B) {
	r := NewRecorder(NewClock(), func(rundir.Window) {})
	defer r.Close()
	series := make([]*Series, 30)
	for i := range series {
		series[i] = r.Series(rundir.Key{Workload: "bench", Verb: "get", Resource: string(rune('a' + i))})
	}
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		for _, s := range series {
			for k := range int64(200) {
				s.Record(0, 2000, int64(time.Millisecond)+k*k*1000, "", 100)
			}
		}
		b.StartTimer()
		r.Cut()
	}
}
