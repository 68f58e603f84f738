package supervise

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// linked connects a caller to a server of those calls.
func linked(t *testing.T, calls map[string]handler) (*caller, *server, chan struct{}) {
	t.Helper()
	near, far := net.Pipe()
	s := newServer(calls)
	served := make(chan struct{})
	go func() {
		s.serve(far)
		close(served)
	}()
	t.Cleanup(func() {
		_ = near.Close()
		<-served
	})
	return newCaller(near), s, served
}

func TestCallsAreAnsweredSideBySide(t *testing.T) {
	gate := make(chan struct{})
	c, _, _ := linked(t, map[string]handler{
		"slow": handle(func(context.Context, none) (string, error) { <-gate; return "slow", nil }),
		"fast": handle(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		"bad":  handle(func(context.Context, none) (none, error) { return none{}, errors.New("because") }),
	})
	slow := make(chan error, 1)
	var word string
	go func() { slow <- c.call(context.Background(), "slow", none{}, &word) }()
	var n int
	if err := c.call(t.Context(), "fast", 41, &n); err != nil || n != 42 {
		t.Errorf("fast: %d, %v", n, err)
	}
	if err := c.call(t.Context(), "bad", none{}, nil); err == nil || err.Error() != "because" {
		t.Errorf("bad: %v", err)
	}
	if err := c.call(t.Context(), "fast", "not a number", &n); err == nil || !strings.Contains(err.Error(), "arguments") {
		t.Errorf("arguments of the wrong type: %v", err)
	}
	if err := c.call(t.Context(), "new", none{}, nil); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("a call that the server does not know: %v", err)
	}
	close(gate)
	if err := <-slow; err != nil || word != "slow" {
		t.Errorf("slow: %q, %v", word, err)
	}
}

func TestDrainAnswersWhatWasAsked(t *testing.T) {
	begun, gate := make(chan struct{}), make(chan struct{})
	c, s, served := linked(t, map[string]handler{
		"last": handle(func(context.Context, none) (int, error) { close(begun); <-gate; return 7, nil }),
	})
	result := make(chan error, 1)
	var n int
	go func() { result <- c.call(context.Background(), "last", none{}, &n) }()
	<-begun
	go func() { close(gate) }()
	s.drain(time.Minute)
	if err := <-result; err != nil || n != 7 {
		t.Errorf("the last call: %d, %v", n, err)
	}
	<-served
	if err := c.call(t.Context(), "last", none{}, nil); !errors.Is(err, errLost) {
		t.Errorf("a call after the end: %v", err)
	}
}

func TestCallsEndWithTheConnection(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	c, _, _ := linked(t, map[string]handler{
		"wait": handle(func(ctx context.Context, _ none) (none, error) {
			close(begun)
			<-ctx.Done()
			close(ended)
			return none{}, ctx.Err()
		}),
	})
	result := make(chan error, 1)
	go func() { result <- c.call(context.Background(), "wait", none{}, nil) }()
	<-begun
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, errLost) {
		t.Errorf("the call: %v", err)
	}
	<-ended // the server's side of it too
}

// FuzzAnswer feeds the server what no caller sends.
func FuzzAnswer(f *testing.F) {
	f.Add("spawn", []byte(`{"Name":"x","Argv":["true"]}`))
	f.Add("stop", []byte(`{"name":1}`))
	f.Add("", []byte(`null`))
	calls := map[string]handler{
		"spawn": handle(func(_ context.Context, p Process) (Process, error) { return p, nil }),
		"stop":  handle(func(_ context.Context, a stopArgs) (stopArgs, error) { return a, nil }),
	}
	f.Fuzz(func(t *testing.T, call string, args []byte) {
		resp := answer(context.Background(), calls, request{ID: 9, Call: call, Args: args})
		if resp.ID != 9 || (resp.Error == "") == (resp.Result == nil) {
			t.Errorf("answer to %q %q: %+v", call, args, resp)
		}
	})
}
