package client

import (
	"bytes"
	"context"

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
	answer := make(chan Answer, 1)
	return await(ctx, c.send(ctx, r, &call{body: body, keep: keep, done: func(a Answer) { answer <- a }}, nil), answer)
}

// await waits for the answer, and gives the call up when ctx ends before.
func await(ctx context.Context, k *call, answer <-chan Answer) Answer {
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		k.giveUp(ctx.Err())
		return <-answer
	}
}
