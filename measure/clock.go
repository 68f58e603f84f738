package measure

import "time"

// Clock gives times as nanoseconds since an origin, by the monotonic clock:
// every time in a trial's files is such an offset, so that a step of the wall
// clock cannot bend a measurement.
type Clock struct{ origin time.Time }

// NewClock returns a clock whose origin is now.
func NewClock() *Clock { return &Clock{origin: time.Now()} }

// Origin returns the origin, with its wall clock reading.
func (c *Clock) Origin() time.Time { return c.origin }

// Now returns the nanoseconds since the origin.
func (c *Clock) Now() int64 { return int64(time.Since(c.origin)) }

// At returns the instant at that many nanoseconds since the origin.
func (c *Clock) At(ns int64) time.Time { return c.origin.Add(time.Duration(ns)) }

// Since returns t as nanoseconds since the origin.
func (c *Clock) Since(t time.Time) int64 { return int64(t.Sub(c.origin)) }
