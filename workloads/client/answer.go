package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
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
	// ended, or the client hung up: mostly that says nothing about the server.
	Cut bool

	patience int64 // of a request cut off by its context's end: see Record; 0: of no other
	held     int64 // how long it had waited behind the load's own requests before it was sent: see measure.Held
	again    again
}

// again counts the attempts that the server turned away without looking at them, and
// that were followed by another.
type again struct{ away, refused uint16 }

// note counts an attempt that ended so. That a connection has no stream left is no
// word of the server's.
func (g *again) note(err error) {
	switch CodeOf(err) {
	case CodeGoAway:
		g.away++
	case CodeReset:
		if !errors.Is(err, wire.ErrFull) {
			g.refused++
		}
	}
}

// Bare is the answer without what its request has already counted by itself.
func (a Answer) Bare() Answer {
	a.Bytes, a.Decoded, a.again = 0, 0, again{}
	return a
}

// Then is the answer to several requests that one question takes, such as the pages of
// a list, of which next is a further one: from the sending of the first, with the bytes
// of all.
func (a Answer) Then(next Answer) Answer {
	next.Sent, next.held = a.Sent, a.held
	next.Bytes, next.Decoded = next.Bytes+a.Bytes, next.Decoded+a.Decoded
	next.again.away += a.again.away
	next.again.refused += a.again.refused
	return next
}

// OK says whether the request succeeded.
func (a Answer) OK() bool { return a.Code == "" }

// longestWait is the most that a server is believed: it may say an hour.
const longestWait = time.Minute

// Wait is how long the server says to wait before the request is made again, a
// minute at most; 0 where it does not say.
func (a Answer) Wait() time.Duration {
	seconds, err := strconv.Atoi(a.RetryAfter)
	if asks := a.Status == http.StatusTooManyRequests || a.Status >= 500; !asks || err != nil || seconds <= 0 || a.Cut {
		return 0
	}
	return time.Duration(min(seconds, int(longestWait/time.Second))) * time.Second
}

// UnknownVersion says whether the server does not have the resourceVersion that was
// asked for: any more, or, where etcd has been restored, yet.
func (a Answer) UnknownVersion() bool {
	return a.Status == http.StatusGone || strings.HasSuffix(a.Code, futureRevision)
}

// Patience is how long a request of that deadline may have waited when its load
// ends without that being the server's fault, ns.
func Patience(deadline time.Duration) int64 { return int64(deadline) / 4 }

// Unsent is the answer of a request whose load ended at that time, before it could
// be sent.
func Unsent(at int64, deadline time.Duration) Answer {
	return Answer{Sent: at, Done: at, Code: CodeCut, Cut: true, patience: Patience(deadline)}
}

// Record counts the answer in a series. A request that the end of its load cut
// off counts as one that did not end if it had waited long by then, or a server
// that hangs would show nothing of that in the load's last seconds; a younger one
// might have been quick, and is not counted.
func (a Answer) Record(s *measure.Series, intended int64) {
	if !a.counts(intended) {
		return
	}
	s.Record(intended, a.reached(intended), a.Done, a.Code, a.Bytes)
	a.beside(s)
}

// Observe counts the answer to a closed-loop request, from its sending on: there
// was no time that it was intended for, so that it cannot have been sent late.
func (a Answer) Observe(s *measure.Series) {
	if a.counts(a.Sent) {
		s.Observe(a.Sent, a.Done, a.Code, a.Bytes)
		a.beside(s)
	}
}

// counts says whether the answer counts, and gives it the code that it does with.
func (a *Answer) counts(intended int64) bool {
	if !a.Cut {
		return true
	}
	a.Code = measure.CodeUnended
	return a.patience != 0 && a.Done-intended > a.patience
}

// reached is when storm got to the request: when it was sent, but for what it had
// waited behind others.
func (a Answer) reached(intended int64) int64 {
	return max(a.Sent-a.held, min(a.Sent, intended))
}

// beside counts what the answer has beside its times, code and bytes.
func (a Answer) beside(s *measure.Series) {
	if a.again.away > 0 {
		s.AddAgain(CodeGoAway, uint64(a.again.away))
	}
	if a.again.refused > 0 {
		s.AddAgain(CodeReset, uint64(a.again.refused))
	}
	if more := a.Decoded - a.Bytes; more != 0 {
		s.AddInflated(more)
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
