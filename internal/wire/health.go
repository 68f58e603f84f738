package wire

import (
	"time"

	"golang.org/x/net/http2"
)

// watchHealth pings the server when nothing was heard for a while, and gives
// the connection up when that is not answered. What arrives, whatever it is,
// is an answer; but a server that reads nothing for as long as that takes is
// given up too, though it talks: whoever writes waits for it.
func (c *Conn) watchHealth() {
	c.heard.Store(sinceEpoch())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.timer = time.AfterFunc(c.cfg.PingAfter, c.lookAfter)
	}
}

func (c *Conn) lookAfter() {
	now := sinceEpoch()
	silent := time.Duration(now - c.heard.Load())
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	deaf := c.wrote != 0 && time.Duration(now-c.wrote) > c.cfg.PingAfter+c.cfg.PingTimeout
	switch {
	case deaf:
		c.mu.Unlock()
		c.fail(ErrSilent)
		return
	case silent < c.cfg.PingAfter:
		c.pinged = false
		c.timer.Reset(c.cfg.PingAfter - silent)
	case c.pinged:
		c.mu.Unlock()
		c.fail(ErrSilent)
		return
	default:
		c.pinged = true
		c.write(func(w *http2.Framer) error { return w.WritePing(false, [8]byte{'s', 't', 'o', 'r', 'm'}) })
		c.timer.Reset(c.cfg.PingTimeout)
		// A server that reads nothing any more would hold this goroutine in
		// its write; the connection is given up all the same.
		go c.flush()
		return
	}
	c.mu.Unlock()
}
