package wire

// Cork gathers what one goroutine sends, on any number of connections, until
// it is flushed: requests that are due together go out in one write each
// connection instead of one a request. The zero value is ready.
type Cork struct{ held []*Conn }

// hold notes a connection that something waits on.
func (k *Cork) hold(c *Conn) {
	for _, h := range k.held {
		if h == c {
			return
		}
	}
	k.held = append(k.held, c)
}

// Flush sends what has been gathered.
func (k *Cork) Flush() {
	for i, c := range k.held {
		k.held[i] = nil
		c.mu.Lock()
		c.flush()
	}
	k.held = k.held[:0]
}

// cork holds what sinks send while the frames that have come are handled, as
// those do that answer an answer.
func (r *reader) cork() {
	if r.corking || !r.settled {
		return
	}
	r.corking = true
	r.mu.Lock()
	r.corked = true
	r.mu.Unlock()
}

// uncork sends what was held, once nothing is left that has come already.
func (r *reader) uncork() {
	if !r.corking || r.more() {
		return
	}
	r.corking = false
	r.mu.Lock()
	r.corked = false
	if len(r.out) == 0 {
		r.mu.Unlock()
		return
	}
	r.flush()
}

// more says whether the whole of the next frame has come in. One that is still
// on its way may take for ever.
func (r *reader) more() bool {
	if r.plain == nil || r.plain.Buffered() < headSize {
		return false
	}
	b, err := r.plain.Peek(3) // of the buffer
	return err == nil && r.plain.Buffered() >= headSize+(int(b[0])<<16|int(b[1])<<8|int(b[2]))
}
