package client

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/storm-harness/storm/internal/due"
	"github.com/storm-harness/storm/internal/wire"
)

// errDeadline tells a request's own deadline from the caller's end.
var errDeadline = errors.New("deadline of the request")

// call is one request from its beginning to its end: the sink of its answer.
// It ends once, whoever comes first: the answer, the deadline, the caller, or
// the connection.
type call struct {
	client *Client
	ctx    context.Context
	req    *Request
	done   func(Answer)

	deadline int64
	due      due.Item

	mu       sync.Mutex
	over     bool // it has ended: what comes is dropped
	stream   *wire.Stream
	has      chan struct{} // of a watch: closed once stream is that of the present attempt
	attempts int
	answer   Answer
	body     *bytes.Buffer
	had      int    // bytes in body before the call
	keep     int64  // bytes of the answer that go to body
	failure  []byte // the beginning of a failure's body
	decoder  *decoder
	tail     *Tail    // of this attempt: a decoder that was given up may still write to its own
	watch    BodySink // of a watch: takes the body
	watching bool     // it does
}

// Head implements wire.Sink.
func (k *call) Head(h wire.Head) wire.Body {
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return k
	}
	k.answer.Status, k.answer.RetryAfter = h.Status, h.RetryAfter
	if k.req.Tail != nil {
		k.tail = &Tail{}
	}
	switch {
	case k.failed():
	case !k.req.takes(h.Type), !k.decodes(h.Encoding):
		k.answer.Code = CodeMalformed // such as the page of whatever stands before the API server
	case k.watch != nil:
		k.watching = true
		k.end(nil) // unlocks
		return k.watch
	case h.Encoding == "gzip":
		k.decoder = newDecoder(k.body, k.keep, k.tail)
	}
	k.mu.Unlock()
	return k
}

// decodes says whether a body in that encoding is one that can be taken: a watch is
// read as it comes.
func (k *call) decodes(encoding string) bool {
	switch encoding {
	case "", "identity":
		return true
	case "gzip":
		return !k.req.Plain && k.watch == nil
	}
	return false
}

func (k *call) failed() bool { return k.answer.Status < 200 || k.answer.Status > 299 }

// Data implements wire.Body.
func (k *call) Data(p []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	k.answer.Bytes += int64(len(p))
	if k.failed() {
		k.failure = append(k.failure, p[:min(len(p), headSize-len(k.failure))]...)
		return
	}
	if k.decoder != nil {
		k.decoder.take(p)
		return
	}
	if k.body != nil {
		left := k.keep - int64(k.body.Len()-k.had)
		k.body.Write(p[:min(int64(len(p)), left)])
	}
	if k.tail != nil {
		_, _ = k.tail.Write(p)
	}
}

// End implements wire.Sink.
func (k *call) End(err error) {
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return
	}
	if err != nil && k.attempts < attempts && wire.Unprocessed(err) {
		k.answer.again.note(err)
		k.forget()
		k.mu.Unlock()
		go k.again(err) // not here: it may wait
		return
	}
	k.end(err)
}

// forget forgets what has come of an answer that the server then took back; the
// lock is held.
func (k *call) forget() {
	if k.decoder != nil {
		k.decoder.drop()
		go func(d *decoder) { _, _ = d.end() }(k.decoder) // it may be far behind
	}
	if k.body != nil {
		k.body.Truncate(k.had)
	}
	k.decoder, k.failure, k.answer = nil, nil, Answer{Sent: k.answer.Sent, held: k.answer.held, again: k.answer.again}
}

// Expire implements due.Expirer: the request's time is up.
func (k *call) Expire() { k.giveUp(errDeadline) }

// giveUp ends the call from this side, unless it has ended.
func (k *call) giveUp(err error) {
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return
	}
	s := k.stream
	k.end(err)
	if s != nil {
		s.Cancel()
	}
}

// end ends the call and hands its answer out; the lock is held, and released.
func (k *call) end(err error) {
	k.over = true
	k.answer.Done = k.client.clock.Now()
	d := k.decoder
	k.mu.Unlock()
	k.client.deadlines.Remove(&k.due)
	if d != nil {
		go k.settle(err) // the decoder may be far behind what has come
		return
	}
	k.settle(err)
}

// settle says what became of the request; nothing else touches the call any more.
func (k *call) settle(err error) {
	a := &k.answer
	if a.Status != 0 && k.failed() {
		a.Code = codeOf(a.Status, k.failure)
		if a.RetryAfter != "" && a.Code == "429" {
			a.Code = CodeRetryAfter
		}
	}
	a.Decoded = a.Bytes
	if k.decoder != nil {
		var bad error
		if a.Decoded, bad = k.decoder.end(); bad != nil && err == nil {
			a.Code = CodeMalformed
		}
	}
	if k.tail != nil {
		*k.req.Tail = *k.tail // whatever writes to it has ended
	}
	// The HTTP status of a failure says more than a body that was cut off.
	switch {
	case err == nil || a.Code != "":
	case k.ctx.Err() != nil, errors.Is(err, wire.ErrHungUp):
		a.Cut = true
		k.client.cut.Add(1)
		a.Code = CodeCut
		if !errors.Is(err, wire.ErrHungUp) {
			a.patience = Patience(k.client.timeout)
		}
	default:
		a.Code = CodeOf(err)
	}
	k.done(*a)
}
