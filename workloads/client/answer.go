package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/storm-harness/storm/measure"
)

// Answer is what became of a request.
type Answer struct {
	Sent   int64  // when it was handed to the connection, ns since the clock's origin
	Done   int64  // when the last byte had come, or the request had failed
	Status int    // HTTP status; 0 where none came
	Code   string // empty for a success; see Code… in codes.go
	Bytes  int64  // of the body, as they came over the wire
	// Cut is true where the request failed because the caller's context had
	// ended: it says nothing about the server and is not counted.
	Cut bool
}

// OK says whether the request succeeded.
func (a Answer) OK() bool { return a.Code == "" }

// Record counts the answer in a series; a cut request is not counted.
func (a Answer) Record(s *measure.Series, intended int64) {
	if !a.Cut {
		s.Record(intended, a.Sent, a.Done, a.Code, a.Bytes)
	}
}

// The cause that tells a request's own deadline from the caller's end.
var errDeadline = errors.New("deadline of the request")

// headOf holds the first bytes of bodies of failures, where the API server
// says what was wrong.
var headOf = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const headSize = 4 << 10

// Do sends the request and reads its answer to the end, within the client's
// deadline. The first keep bytes of a successful body are appended to body,
// which may be nil; what goes beyond is counted and dropped.
func (c *Client) Do(ctx context.Context, r *Request, body *bytes.Buffer, keep int64) Answer {
	within, cancel := context.WithTimeoutCause(ctx, c.timeout, errDeadline)
	defer cancel()
	a := Answer{Sent: c.clock.Now()}
	resp, err := c.rt.RoundTrip(c.build(within, r))
	if err == nil {
		err = a.read(resp, body, keep)
	}
	a.Done = c.clock.Now()
	c.fail(ctx, within, &a, err)
	return a
}

// read reads the body to its end.
func (a *Answer) read(resp *http.Response, body *bytes.Buffer, keep int64) error {
	defer func() { _ = resp.Body.Close() }()
	a.Status = resp.StatusCode
	failed := resp.StatusCode < 200 || resp.StatusCode > 299
	if failed {
		body, keep = headOf.Get().(*bytes.Buffer), headSize
		body.Reset()
		defer headOf.Put(body)
	}
	var err error
	if body != nil {
		a.Bytes, err = io.Copy(body, io.LimitReader(resp.Body, keep))
	}
	if failed {
		a.Code = codeOf(resp.StatusCode, body.Bytes())
	}
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, resp.Body)
		a.Bytes += rest
	}
	return err
}

// fail names the error that the request failed with, if any; the HTTP status
// of a failure says more than a body that was cut off.
func (c *Client) fail(ctx, within context.Context, a *Answer, err error) {
	switch {
	case err == nil || a.Code != "":
	case ctx.Err() != nil:
		a.Cut = true
		c.cut.Add(1)
		a.Code = CodeCut
	case errors.Is(context.Cause(within), errDeadline):
		a.Code = CodeTimeout
	default:
		a.Code = CodeOf(err)
	}
}

// Stream is the open body of a watch.
type Stream struct {
	body   io.ReadCloser
	cancel context.CancelCauseFunc
}

// Read reads from the body.
func (s *Stream) Read(p []byte) (int, error) { return s.body.Read(p) }

// Close ends the watch.
func (s *Stream) Close() {
	s.cancel(nil)
	_ = s.body.Close()
}

// Watch sends the request and returns as soon as the server begins to answer;
// the client's deadline holds until then. Where the Answer is no success there
// is no Stream. The Answer's Done is the beginning of the stream.
func (c *Client) Watch(ctx context.Context, r *Request) (*Stream, Answer) {
	within, cancel := context.WithCancelCause(ctx)
	deadline := time.AfterFunc(c.timeout, func() { cancel(errDeadline) })
	a := Answer{Sent: c.clock.Now()}
	resp, err := c.rt.RoundTrip(c.build(within, r))
	if err == nil && resp.StatusCode == http.StatusOK && deadline.Stop() {
		a.Status, a.Done = resp.StatusCode, c.clock.Now()
		return &Stream{body: resp.Body, cancel: cancel}, a
	}
	if err == nil {
		err = a.read(resp, nil, 0)
		if err == nil && a.Code == "" {
			err = io.ErrUnexpectedEOF // the deadline struck as the stream began
		}
	}
	deadline.Stop()
	a.Done = c.clock.Now()
	c.fail(ctx, within, &a, err)
	cancel(nil)
	return nil, a
}
