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

// Cork gathers what one goroutine sends, until it is flushed; see wire.Cork.
type Cork = wire.Cork

// Send sends the request, or gathers it in the cork where there is one, and
// returns without waiting: no goroutine is spent on a request that is under
// way. done is called once with what became of it, within the client's
// deadline, as Do returns it; mostly by the goroutine that reads the
// connection, so it must not block, but it may send the next request. Once ctx
// has ended a request that fails counts as cut; it is hanging up, or the
// client's end, that ends what is under way.
func (c *Client) Send(ctx context.Context, r *Request, body *bytes.Buffer, keep int64, cork *Cork, done func(Answer)) {
	c.send(ctx, r, &call{body: body, keep: keep, done: done}, cork)
}

// send begins a call.
func (c *Client) send(ctx context.Context, r *Request, k *call, cork *Cork) *call {
	k.client, k.ctx, k.req = c, ctx, r
	if k.body == nil {
		k.keep = 0
	} else {
		k.had = k.body.Len()
	}
	k.answer.Sent, k.answer.held = c.clock.Now(), measure.HeldIn(ctx)
	k.deadline = k.answer.Sent + int64(c.timeout)
	c.deadlines.Add(&k.due, k.deadline, k)
	k.open(cork)
	return k
}

// requests are what is handed to the wire, to be used again: it keeps nothing
// of them but the body.
var requests = sync.Pool{New: func() any { return new(wire.Request) }}

// open opens a stream for the call. Where no connection has room for it, that
// is waited for, but not here.
func (k *call) open(cork *Cork) {
	w := requests.Get().(*wire.Request)
	defer requests.Put(w)
	if err := k.client.build(k.ctx, k.req, w); err != nil {
		k.giveUp(err)
		return
	}
	k.mu.Lock()
	k.attempts++
	attempt := k.attempts
	var has chan struct{}
	if k.watch != nil {
		has = make(chan struct{})
		k.has = has
	}
	k.mu.Unlock()
	s, err := k.client.pool.OpenNow(w, k, cork)
	if errors.Is(err, wire.ErrFull) {
		go k.patiently(attempt, has)
		return
	}
	k.opened(s, err, attempt, has)
}

// opened takes note of the call's stream, or of why there is none.
func (k *call) opened(s *wire.Stream, err error, attempt int, has chan struct{}) {
	if err != nil {
		k.End(err)
		return
	}
	k.mu.Lock()
	if attempt == k.attempts { // the next may have begun already
		k.stream = s
	}
	unwanted := k.over && !k.watching
	if has != nil {
		close(has)
	}
	k.mu.Unlock()
	if unwanted {
		s.Cancel() // it was given up meanwhile; one that has ended does not mind
	}
}

// patiently opens a stream as soon as there is a connection with room for it.
func (k *call) patiently(attempt int, has chan struct{}) {
	left := time.Duration(k.deadline - k.client.clock.Now())
	within, cancel := context.WithTimeoutCause(k.ctx, left, errDeadline)
	defer cancel()
	w := requests.Get().(*wire.Request)
	defer requests.Put(w)
	err := k.client.build(within, k.req, w)
	var s *wire.Stream
	if err == nil {
		s, err = k.client.pool.Open(within, w, k)
	}
	if err != nil && within.Err() != nil {
		k.giveUp(context.Cause(within))
		return
	}
	k.opened(s, err, attempt, has)
}

// again sends a request that was not processed once more, after a pause.
func (k *call) again(err error) {
	k.mu.Lock()
	i := k.attempts
	k.mu.Unlock()
	if !pause(k.ctx, i) {
		k.giveUp(err)
		return
	}
	k.open(nil)
}

// attempts is how often a request that was not processed is sent in all, and
// attemptPause the pause before the third; it grows with each. Every HTTP/2
// client does it so; nothing else is repeated.
const (
	attempts     = 7
	attemptPause = 10 * time.Millisecond
)

// pause waits before the next attempt, unless ctx has ended.
func pause(ctx context.Context, i int) bool {
	if i == 1 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(time.Duration(i-1) * attemptPause):
		return true
	case <-ctx.Done():
		return false
	}
}
