package measure

import "github.com/storm-harness/storm/internal/rundir"

// Recorder collects what became of requests. Stub signatures: to be implemented.
type Recorder struct{}

// Series returns the series with that key, making it at first use.
func (r *Recorder) Series(key rundir.Key) *Series { return nil }

// Series is one series of requests. Record may be called by any goroutine.
type Series struct{}

// Record counts one request: times in ns since the clock's origin; code empty for a success.
func (s *Series) Record(intended, sent, done int64, code string, bytes int64) {}
