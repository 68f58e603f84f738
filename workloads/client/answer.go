package client

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/wire"
	"github.com/storm-harness/storm/measure"
)

// Answer is what became of a request.
type Answer struct {
	Sent       int64  // when it was handed to the connection, ns since the clock's origin
	Done       int64  // when the last byte had come, or the request had failed
	Status     int    // HTTP status; 0 where none came
	Code       string // empty for a success; see Code… in codes.go
	Bytes      int64  // of the body, as they came over the wire
	Decoded    int64  // of the body, once it is no longer gzipped
	RetryAfter string // of a 429 or 503 that says when to come again
	// Cut is true where the request failed because the caller's context had
	// ended, or the client hung up: it says nothing about the server and is not counted.
	Cut bool
}

// OK says whether the request succeeded.
func (a Answer) OK() bool { return a.Code == "" }

// Record counts the answer in a series; a cut request is not counted.
func (a Answer) Record(s *measure.Series, intended int64) {
	if !a.Cut {
		s.Record(intended, a.Sent, a.Done, a.Code, a.Bytes)
		if more := a.Decoded - a.Bytes; more != 0 {
			s.AddInflated(more)
		}
	}
}

// headSize is how much is looked at of the bodies of failures, where the API
// server says what was wrong.
const headSize = 4 << 10

// Do sends the request and reads its answer to the end, within the client's
// deadline. The first keep bytes of a successful body are appended to body,
// which may be nil; what goes beyond is counted and dropped.
func (c *Client) Do(ctx context.Context, r *Request, body *bytes.Buffer, keep int64) Answer {
	k := newCall(c, body, keep)
	sent := c.clock.Now()
	err := c.exchange(ctx, r, k)
	a := k.settle(err)
	a.Sent = sent
	c.name(ctx, &a, err)
	return a
}

// timers are used again: each request has a deadline.
var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

// exchange sends the request until it has been processed, and waits for the
// end of its answer, or of its head where the call is a watch's.
func (c *Client) exchange(ctx context.Context, r *Request, k *call) error {
	w, err := c.build(ctx, r)
	if err != nil {
		return err
	}
	timer := timers.Get().(*time.Timer)
	defer timers.Put(timer)
	timer.Reset(c.timeout)
	defer timer.Stop()
	begun := time.Now()
	for i := 1; ; i++ {
		if k.stream, err = c.pool.OpenNow(w, k); errors.Is(err, wire.ErrFull) {
			k.stream, err = c.patiently(ctx, w, k, c.timeout-time.Since(begun))
		}
		if err == nil {
			err = k.wait(ctx, timer.C)
		}
		if err == nil || !again(ctx, i, err) {
			return err
		}
	}
}

// patiently opens a stream as soon as there is a connection with room for it.
func (c *Client) patiently(ctx context.Context, w *wire.Request, k *call, atMost time.Duration) (*wire.Stream, error) {
	within, cancel := context.WithTimeoutCause(ctx, atMost, errDeadline)
	defer cancel()
	s, err := c.pool.Open(within, w, k)
	if err != nil && within.Err() != nil {
		err = context.Cause(within)
	}
	return s, err
}

// name names the error that the request failed with, if any; the HTTP status
// of a failure says more than a body that was cut off.
func (c *Client) name(ctx context.Context, a *Answer, err error) {
	switch {
	case err == nil || a.Code != "":
	case ctx.Err() != nil, errors.Is(err, wire.ErrHungUp):
		a.Cut = true
		c.cut.Add(1)
		a.Code = CodeCut
	default:
		a.Code = CodeOf(err)
	}
}
