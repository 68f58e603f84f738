package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// got is a sink that keeps everything.
type got struct {
	head Head
	body bytes.Buffer
	err  error
	done chan struct{}
}

func newGot() *got { return &got{done: make(chan struct{})} }

func (g *got) Head(h Head) Body { g.head = h; return g }
func (g *got) Data(p []byte)    { g.body.Write(p) }
func (g *got) End(err error)    { g.err = err; close(g.done) }

// serve starts Go's own HTTP/2 server, which is the API server's.
func serve(t testing.TB, streams int, h http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return Config{Addr: s.Listener.Addr().String(), TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
}

func dial(t testing.TB, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestManyRequestsWithBodiesOfEverySize(t *testing.T) {
	cfg := serve(t, 50, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "x/"+r.Header.Get("X-Number"))
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})
	pool := NewPool(cfg)
	defer pool.Close()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, i*i*20) // up to 800 kB: beyond every window
			g := newGot()
			_, err := pool.Open(t.Context(), &Request{
				Method: "POST", Authority: "x", Path: fmt.Sprintf("/%d?q", i), Body: body,
				Fields: []Field{{Name: "x-number", Value: fmt.Sprint(i)}},
			}, g)
			if err != nil {
				t.Error(err)
				return
			}
			<-g.done
			if g.err != nil || g.head.Status != 201 || g.head.Type != "x/"+fmt.Sprint(i) || !bytes.Equal(g.body.Bytes(), body) {
				t.Errorf("%d: %v, status %d, type %q, %d bytes", i, g.err, g.head.Status, g.head.Type, g.body.Len())
			}
		})
	}
	all.Wait()
}

func TestTheServersLimitOfStreamsIsReadFromItsSettings(t *testing.T) {
	release := make(chan struct{})
	cfg := serve(t, 7, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	c := dial(t, cfg)
	if _, most := c.Streams(); most != 7 {
		t.Fatalf("the limit is %d, want 7", most)
	}
	for range 7 {
		if _, err := c.Open(&Request{Method: "GET", Path: "/"}, newGot(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Open(&Request{Method: "GET", Path: "/"}, newGot(), nil); !errors.Is(err, ErrFull) || !Unprocessed(err) {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestAPoolOpensAConnectionWhenTheOthersAreFull(t *testing.T) {
	release := make(chan struct{})
	cfg := serve(t, 7, func(http.ResponseWriter, *http.Request) { <-release })
	pool := NewPool(cfg)
	defer pool.Close()
	var all sync.WaitGroup
	for range 15 {
		g := newGot()
		if _, err := pool.Open(t.Context(), &Request{Method: "GET", Path: "/"}, g); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { <-g.done })
	}
	if n := pool.Connections(); n != 3 {
		t.Errorf("%d connections for 15 requests, of which the server allows 7 on each", n)
	}
	close(release)
	all.Wait()
}

func TestALongBodyIsTakenWithoutEnd(t *testing.T) {
	const size = 32 << 20
	cfg := serve(t, 10, func(w http.ResponseWriter, _ *http.Request) {
		part := make([]byte, 1<<20)
		for range size / len(part) {
			_, _ = w.Write(part)
		}
	})
	c := dial(t, cfg)
	g := newGot()
	if _, err := c.Open(&Request{Method: "GET", Path: "/"}, g, nil); err != nil {
		t.Fatal(err)
	}
	<-g.done
	if g.err != nil || g.body.Len() != size {
		t.Errorf("%d bytes, %v", g.body.Len(), g.err)
	}
}

func TestACancelledStreamEndsAtTheServer(t *testing.T) {
	ended := make(chan struct{})
	cfg := serve(t, 10, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(ended)
	})
	c := dial(t, cfg)
	headed := make(chan struct{})
	s, err := c.Open(&Request{Method: "GET", Path: "/"}, &onHead{newGot(), headed}, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-headed
	s.Cancel()
	s.Cancel()
	<-ended
	if open, _ := c.Streams(); open != 0 || c.Err() != nil {
		t.Errorf("%d streams are open, %v", open, c.Err())
	}
}

// onHead tells when the head has come.
type onHead struct {
	*got
	headed chan struct{}
}

func (o *onHead) Head(Head) Body { close(o.headed); return o }

// peer is the server's end of a connection, for what no real server does.
type peer struct {
	*http2.Framer
	net.Conn
}

// pair returns a connection whose server has greeted.
func pair(t testing.TB, cfg Config) (*Conn, *peer) {
	t.Helper()
	return pairHeard(t, cfg, func(http2.Frame) {})
}

// pairHeard returns one whose server hears what comes.
func pairHeard(t testing.TB, cfg Config, hear func(http2.Frame)) (*Conn, *peer) {
	t.Helper()
	return pairOver(t, cfg, func(c net.Conn) net.Conn { return c }, hear)
}

// pairOver returns one over a connection of the client's choice.
func pairOver(t testing.TB, cfg Config, over func(net.Conn) net.Conn, hear func(http2.Frame)) (*Conn, *peer) {
	t.Helper()
	here, there := net.Pipe()
	p := &peer{http2.NewFramer(there, there), there}
	t.Cleanup(func() { _ = there.Close() })
	greeted := make(chan struct{})
	go func() {
		defer close(greeted)
		_, _ = io.ReadFull(there, make([]byte, len(http2.ClientPreface)))
		go func() {
			for {
				f, err := p.ReadFrame()
				if err != nil {
					return
				}
				hear(f)
			}
		}()
		_ = p.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10})
	}()
	c, err := Start(t.Context(), over(here), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	<-greeted
	return c, p
}

// What a server does wrong ends the stream or the connection, by name.
func TestWhatAServerDoesWrong(t *testing.T) {
	ok := []byte{0x88} // :status 200, from the static table
	for name, c := range map[string]struct {
		do   func(*peer)
		want func(error) bool
	}{
		"a reset": {func(p *peer) { _ = p.WriteRSTStream(1, http2.ErrCodeInternal) },
			func(err error) bool {
				var s *StreamError
				return errors.As(err, &s) && s.Code == http2.ErrCodeInternal && !Unprocessed(err)
			}},
		"a refusal":        {func(p *peer) { _ = p.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, Unprocessed},
		"GOAWAY, not seen": {func(p *peer) { _ = p.WriteGoAway(0, http2.ErrCodeNo, nil) }, Unprocessed},
		"GOAWAY, seen, and gone": {func(p *peer) { _ = p.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, nil); _ = p.Close() },
			func(err error) bool {
				var away *GoAwayError
				return errors.As(err, &away) && away.Seen && away.Code == http2.ErrCodeEnhanceYourCalm && !Unprocessed(err)
			}},
		"hangs up": {func(p *peer) { _ = p.Close() }, func(err error) bool { return errors.Is(err, io.EOF) }},
		"hangs up within a frame": {func(p *peer) { _, _ = p.Write([]byte{0, 0, 9, 0, 0}); _ = p.Close() },
			func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"a body without a head":   {func(p *peer) { _ = p.WriteData(1, true, []byte("x")) }, malformed},
		"a head that is no hpack": {func(p *peer) { head(p, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true) }, malformed},
		"no status":               {func(p *peer) { head(p, nil, false) }, malformed},
		"no status, and the end":  {func(p *peer) { head(p, nil, true) }, malformed},
		"an interim answer, and the end": {func(p *peer) {
			head(p, []byte{0x08, 3, '1', '0', '3'}, true)
		}, malformed},
		"two heads":              {func(p *peer) { head(p, ok, false); head(p, ok, false) }, malformed},
		"a stream nobody opened": {func(p *peer) { _ = p.WriteData(7, false, nil) }, malformed},
		"a stream of the server's": {func(p *peer) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: 2, BlockFragment: ok, EndHeaders: true})
		}, malformed},
		"a push": {func(p *peer) {
			_ = p.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: ok, EndHeaders: true})
		}, malformed},
		"a window beyond its bound": {func(p *peer) { _ = p.WriteWindowUpdate(0, 1<<31-1) }, malformed},
		"settings that cannot be":   {func(p *peer) { _ = p.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}) }, malformed},
		"a frame too large":         {func(p *peer) { _, _ = p.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1}) }, malformed},
		"heads without end": {func(p *peer) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: ok})
			for range 100 {
				if p.WriteContinuation(1, false, make([]byte, 8<<10)) != nil {
					return
				}
			}
		}, malformed},
		"a head that something else comes into": {func(p *peer) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: ok})
			_ = p.WritePing(false, [8]byte{})
		}, malformed},
		"the rest of no head": {func(p *peer) { _ = p.WriteContinuation(1, true, ok) }, malformed},
		"silence":             {func(*peer) {}, func(err error) bool { return errors.Is(err, ErrSilent) }},
	} {
		t.Run(name, func(t *testing.T) {
			conn, p := pair(t, Config{PingAfter: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
			g := newGot()
			if _, err := conn.Open(&Request{Method: "GET", Path: "/"}, g, nil); err != nil {
				t.Fatal(err)
			}
			go c.do(p)
			<-g.done
			if !c.want(g.err) {
				t.Errorf("ended with %v", g.err)
			}
		})
	}
}

// A server that goes on talking and reads nothing any more holds whoever writes, and
// is given up.
func TestAServerThatTalksAndDoesNotListen(t *testing.T) {
	here, there := net.Pipe()
	p := &peer{http2.NewFramer(there, there), there}
	t.Cleanup(func() { _ = there.Close() })
	go func() {
		_, _ = io.ReadFull(there, make([]byte, len(http2.ClientPreface)))
		go func() { // until it has seen a request
			for {
				if f, err := p.ReadFrame(); err != nil || f.Header().Type == http2.FrameHeaders {
					return
				}
			}
		}()
		_ = p.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10})
		for p.WritePing(false, [8]byte{}) == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	c, err := Start(t.Context(), here, Config{PingAfter: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	heard, unheard := newGot(), newGot()
	if _, err := c.Open(&Request{Method: "GET", Path: "/"}, heard, nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		if _, err := c.Open(&Request{Method: "GET", Path: "/"}, unheard, nil); err != nil {
			unheard.End(err)
		}
	}()
	<-heard.done
	if !errors.Is(heard.err, ErrSilent) {
		t.Errorf("the request that was heard ended with %v", heard.err)
	}
	<-unheard.done
}

func malformed(err error) bool { return errors.Is(err, ErrMalformed) }

func head(p *peer, block []byte, end bool) {
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: end})
}

func TestInterimAnswersAndTrailersAreNoAnswers(t *testing.T) {
	conn, p := pair(t, Config{})
	g := newGot()
	if _, err := conn.Open(&Request{Method: "GET", Path: "/"}, g, nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		head(p, []byte{0x08, 3, '1', '0', '3'}, false) // 103 Early Hints
		head(p, []byte{0x88}, false)
		_ = p.WriteData(1, false, []byte("body"))
		head(p, []byte{0x00, 1, 'x', 1, 'y'}, true)
	}()
	<-g.done
	if g.err != nil || g.head.Status != 200 || g.body.String() != "body" {
		t.Errorf("%v, status %d, %q", g.err, g.head.Status, g.body.String())
	}
}

// A connection that the server is closing serves what it has seen to the end.
func TestStreamsSeenBeforeGOAWAYEndInGoodOrder(t *testing.T) {
	conn, p := pair(t, Config{})
	seen, unseen := newGot(), newGot()
	for _, g := range []*got{seen, unseen} {
		if _, err := conn.Open(&Request{Method: "GET", Path: "/"}, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		_ = p.WriteGoAway(1, http2.ErrCodeNo, nil)
		head(p, []byte{0x88}, false)
		_ = p.WriteData(1, true, []byte("body"))
	}()
	<-unseen.done
	<-seen.done
	if !Unprocessed(unseen.err) || seen.err != nil || seen.body.String() != "body" {
		t.Errorf("unseen: %v; seen: %v, %q", unseen.err, seen.err, seen.body.String())
	}
	<-conn.Done()
	if _, err := conn.Open(&Request{Method: "GET", Path: "/"}, newGot(), nil); !Unprocessed(err) {
		t.Errorf("a stream on a connection that is gone: %v", err)
	}
}

func TestAPoolWhoseServerIsNotThere(t *testing.T) {
	cfg := Config{Addr: "127.0.0.1:1"}
	pool := NewPool(cfg)
	defer pool.Close()
	if _, err := pool.Open(t.Context(), &Request{}, newGot()); err == nil {
		t.Error("it opened a stream")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	stuck := NewPool(cfg)
	if _, err := stuck.Open(ctx, &Request{}, newGot()); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was called off: %v", err)
	}
	stuck.Close()
	if _, err := stuck.Open(t.Context(), &Request{}, newGot()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed pool: %v", err)
	}
}

func TestAServerOfHTTP1IsNamed(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	_, err := Dial(t.Context(), Config{Addr: s.Listener.Addr().String(), TLS: &tls.Config{InsecureSkipVerify: true}}) //nolint:gosec // of the test's own
	if !errors.Is(err, ErrNotHTTP2) {
		t.Errorf("got %v", err)
	}
}

// Whatever a server sends, every stream ends, once, and nothing breaks.
func FuzzServer(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88})
	f.Add([]byte{0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88, 0, 0, 1, 0, 1, 0, 0, 0, 1, 'x'})
	f.Add([]byte{0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, p := pair(t, Config{})
		sinks := []*got{newGot(), newGot()}
		for _, g := range sinks {
			if _, err := c.Open(&Request{Method: "GET", Path: "/", Body: make([]byte, 100_000)}, g, nil); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = p.Write(data)
		_ = p.Close()
		for _, g := range sinks {
			<-g.done // a second End would panic
		}
	})
}
