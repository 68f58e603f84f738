package client

import (
	"context"

	"github.com/storm-harness/storm/internal/wire"
)

// BodySink takes the body of a watch as it comes. Its methods are called one
// after the other by the goroutine that reads the connection, which serves
// other watches too: they must not block, and may cancel.
type BodySink interface {
	// Data takes a part of the body; p is valid during the call.
	Data(p []byte)
	// End is called once, last, unless the watch was closed before: with nil
	// where the server ended it in good order.
	End(err error)
}

// Watch is an open watch.
type Watch struct{ stream *wire.Stream }

// Close ends the watch. A call of its sink that is under way may still come to
// its end.
func (w *Watch) Close() { w.stream.Cancel() }

// Watch sends the request and returns as soon as the server begins to answer;
// the client's deadline holds until then. From then on the body goes to sink,
// maybe before Watch has returned, until the server ends the watch, it is
// closed, or the client is. Where the Answer is no success there is no Watch,
// and sink is not called. The Answer's Done is the beginning of the body.
func (c *Client) Watch(ctx context.Context, r *Request, sink BodySink) (*Watch, Answer) {
	answer := make(chan Answer, 1)
	k := c.send(ctx, r, &call{watch: sink, done: func(a Answer) { answer <- a }}, nil)
	a := await(ctx, k, answer)
	if !a.OK() {
		return nil, a
	}
	k.mu.Lock()
	has := k.has
	k.mu.Unlock()
	<-has // the answer may come before the stream is known here
	return &Watch{k.stream}, a
}
