package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errLost is what calls end with when the connection does.
var errLost = errors.New("the connection to the supervisor is lost")

// caller is the other end: it makes calls over one connection.
type caller struct {
	conn io.ReadWriteCloser
	lost chan struct{} // closed when the connection has ended

	writing sync.Mutex // one request at a time

	mu      sync.Mutex
	last    uint64
	pending map[uint64]chan response
}

func newCaller(conn io.ReadWriteCloser) *caller {
	c := &caller{conn: conn, lost: make(chan struct{}), pending: map[uint64]chan response{}}
	go c.read()
	return c
}

// read hands the responses to those who wait for them.
func (c *caller) read() {
	defer close(c.lost)
	in := json.NewDecoder(c.conn)
	for {
		var resp response
		if err := in.Decode(&resp); err != nil {
			return
		}
		c.mu.Lock()
		waiting := c.pending[resp.ID]
		delete(c.pending, resp.ID)
		c.mu.Unlock()
		if waiting != nil {
			waiting <- resp
		}
	}
}

// call makes one call and reads its result into result, unless that is nil.
// A call whose ctx ends goes on in the supervisor; only its result is lost.
func (c *caller) call(ctx context.Context, name string, args, result any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	waiting := make(chan response, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.pending[id] = waiting
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
	}()
	if err := c.send(request{ID: id, Call: name, Args: raw}); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	select {
	case resp := <-waiting:
		if resp.Error != "" {
			return errors.New(resp.Error)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(resp.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("waiting for the supervisor: %w", context.Cause(ctx))
	case <-c.lost:
		return errLost
	}
}

func (c *caller) send(req request) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return json.NewEncoder(c.conn).Encode(req)
}
