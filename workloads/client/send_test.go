package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// send sends and waits for what done is told; a second word of it fails the test.
func send(ctx context.Context, t *testing.T, c *Client, r *Request, body *bytes.Buffer, keep int64) Answer {
	t.Helper()
	answers := make(chan Answer, 2)
	c.Send(ctx, r, body, keep, nil, func(a Answer) { answers <- a })
	a := <-answers
	select {
	case again := <-answers:
		t.Errorf("done was called twice: %+v, %+v", a, again)
	default:
	}
	return a
}

func TestSendTellsWhatBecameOfARequest(t *testing.T) {
	release := make(chan struct{})
	cfg := peer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/full":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/stuck":
			<-release
		default:
			_, _ = io.WriteString(w, "0123456789")
		}
	})
	defer close(release)
	c := connect(t, cfg, 200*time.Millisecond)
	var body bytes.Buffer
	if a := send(t.Context(), t, c, &Request{Method: "GET", Path: "/"}, &body, 4); !a.OK() || a.Bytes != 10 || body.String() != "0123" || a.Done < a.Sent {
		t.Errorf("answered: %+v, kept %q", a, body.String())
	}
	if a := send(t.Context(), t, c, &Request{Method: "GET", Path: "/full"}, nil, 0); a.Code != CodeRetryAfter || a.RetryAfter != "1" {
		t.Errorf("turned away: %+v", a)
	}
	if a := send(t.Context(), t, c, &Request{Method: "GET", Path: "/stuck"}, nil, 0); a.Code != CodeTimeout || a.Done-a.Sent < int64(200*time.Millisecond) {
		t.Errorf("never answered: %+v", a)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if a := send(gone, t, c, &Request{Method: "GET", Path: "/stuck"}, nil, 0); !a.Cut {
		t.Errorf("the load has ended: %+v", a)
	}
	if n := c.Cut(); n != 1 {
		t.Errorf("%d counted as cut, want 1", n)
	}
	if !c.deadlines.Empty() {
		t.Error("a call that has ended still waits for its deadline")
	}
}

// A client that closes ends what is under way, whatever it waits for.
func TestCloseEndsWhatWasSent(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 1)
	cfg := peer(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release })
	c, err := New(cfg, connect(t, cfg, 0).clock, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan Answer, 1)
	c.Send(ctx, &Request{Method: "GET", Path: "/"}, nil, 0, nil, func(a Answer) { answers <- a })
	<-arrived
	cancel()
	c.Close()
	if a := <-answers; !a.Cut {
		t.Errorf("%+v", a)
	}
}

// Answers that answer each other: each asks for the next from where it came in,
// over more connections than one, and what is corked goes out once flushed.
func TestSendFromWhereTheAnswerCameIn(t *testing.T) {
	var served atomic.Int64
	cfg := peer(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		_, _ = io.WriteString(w, r.URL.RawQuery)
	})
	c := connect(t, cfg, time.Minute)
	const chains, length = 300, 20
	var all sync.WaitGroup
	var cork Cork
	for i := range chains {
		all.Add(1)
		var next func(n int, cork *Cork)
		next = func(n int, cork *Cork) {
			if n == length {
				all.Done()
				return
			}
			var body bytes.Buffer
			want := strconv.Itoa(i*length + n)
			c.Send(t.Context(), &Request{Method: "GET", Path: "/", Query: want}, &body, 100, cork, func(a Answer) {
				if !a.OK() || body.String() != want {
					t.Errorf("asked for %s, got %q, %+v", want, body.String(), a)
				}
				next(n+1, nil)
			})
		}
		next(0, &cork)
	}
	cork.Flush()
	all.Wait()
	if served.Load() != chains*length {
		t.Errorf("%d served, want %d", served.Load(), chains*length)
	}
}
