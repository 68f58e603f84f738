package supervise

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// server answers requests on any number of connections.
type server struct {
	calls map[string]handler

	serving sync.WaitGroup
	mu      sync.Mutex
	drained bool
	conns   map[net.Conn]struct{}
}

func newServer(calls map[string]handler) *server {
	return &server{calls: calls, conns: map[net.Conn]struct{}{}}
}

// serve answers the requests of one connection until it ends.
func (s *server) serve(conn net.Conn) {
	s.mu.Lock()
	if s.drained {
		s.mu.Unlock()
		_ = conn.Close()
		return
	}
	s.conns[conn] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()

	s.answerAll(conn)

	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	_ = conn.Close()
	s.serving.Done()
}

// answerAll reads requests until there are no more, and returns when those
// that were read are answered.
func (s *server) answerAll(conn net.Conn) {
	var pending sync.WaitGroup
	defer pending.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex // one response at a time
	out := json.NewEncoder(conn)
	in := json.NewDecoder(conn)
	for {
		var req request
		if err := in.Decode(&req); err != nil {
			return
		}
		pending.Go(func() {
			resp := answer(ctx, s.calls, req)
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(resp) // where nobody is left to answer to, the reader sees it as well
		})
	}
}

// drain reads no more requests, and returns when those that were read are
// answered; it waits no longer than that for who does not take his answer.
func (s *server) drain(patience time.Duration) {
	s.mu.Lock()
	s.drained = true
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now())
		_ = conn.SetWriteDeadline(time.Now().Add(patience))
	}
	s.mu.Unlock()
	s.serving.Wait()
}

func answer(ctx context.Context, calls map[string]handler, req request) response {
	call, ok := calls[req.Call]
	if !ok {
		return response{ID: req.ID, Error: fmt.Sprintf("this supervisor knows no call %q: it is of another version of storm", req.Call)}
	}
	result, err := call(ctx, req.Args)
	if err != nil {
		return response{ID: req.ID, Error: err.Error()}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return response{ID: req.ID, Error: err.Error()}
	}
	return response{ID: req.ID, Result: b}
}
