package client

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/wire"
)

// The cause that tells a request's own deadline from the caller's end.
var errDeadline = errors.New("deadline of the request")

// call is the sink of one request that somebody waits for.
type call struct {
	client *Client
	stream *wire.Stream
	ended  chan error // one error a stream; buffered, so that the reader never waits

	mu      sync.Mutex
	over    bool // nobody waits any more: what comes is dropped
	answer  Answer
	body    *bytes.Buffer
	keep    int64
	failure []byte // the beginning of a failure's body
	decoder *decoder
	watch   BodySink // of a watch: takes the body
}

func newCall(c *Client, body *bytes.Buffer, keep int64) *call {
	if body == nil {
		keep = 0
	}
	return &call{client: c, ended: make(chan error, 1), body: body, keep: keep}
}

// Head implements wire.Sink.
func (k *call) Head(h wire.Head) wire.Body {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return k
	}
	k.answer.Status, k.answer.RetryAfter = h.Status, h.RetryAfter
	switch {
	case k.failed():
	case k.watch != nil:
		k.answer.Done = k.client.clock.Now()
		k.ended <- nil
		return k.watch
	case h.Encoding == "gzip":
		k.decoder = newDecoder()
	}
	return k
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
	if n := min(int64(len(p)), k.keep); n > 0 {
		k.body.Write(p[:n])
		k.keep -= n
	}
	if k.decoder != nil {
		k.decoder.take(p)
	}
}

// End implements wire.Sink.
func (k *call) End(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over {
		k.answer.Done = k.client.clock.Now()
		k.ended <- err
	}
}

// wait waits for the end, and gives the stream up when the deadline strikes or
// ctx ends before.
func (k *call) wait(ctx context.Context, deadline <-chan time.Time) error {
	select {
	case err := <-k.ended:
		return err
	case <-deadline:
		k.stream.Cancel()
		return errDeadline
	case <-ctx.Done():
		k.stream.Cancel()
		return ctx.Err()
	}
}

// settle returns the answer as it is now; what comes later is dropped.
func (k *call) settle(err error) Answer {
	k.mu.Lock()
	k.over = true
	a, d := k.answer, k.decoder
	if k.watch != nil && a.Status != 0 && !k.failed() && err != nil {
		a.Status = 0 // the deadline struck as the head came: there is no watch
	}
	k.mu.Unlock()
	if a.Done == 0 || err != nil {
		a.Done = k.client.clock.Now()
	}
	if a.Status != 0 && k.failed() {
		a.Code = codeOf(a.Status, k.failure)
		if a.RetryAfter != "" && a.Code == "429" {
			a.Code = CodeRetryAfter
		}
	}
	a.Decoded = a.Bytes
	if d != nil {
		var bad error
		if a.Decoded, bad = d.end(); bad != nil && err == nil {
			a.Code = CodeMalformed
		}
	}
	return a
}
