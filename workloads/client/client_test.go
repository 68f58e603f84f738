package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/wire"
	"github.com/storm-harness/storm/measure"
)

// peer starts a TLS server that speaks HTTP/2 and returns the configuration to
// reach it.
func peer(t *testing.T, h http.HandlerFunc, change ...func(*httptest.Server)) *rest.Config {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Accept")) // as the API server does
		h(w, r)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = nil
	for _, c := range change {
		c(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return &rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

func connect(t testing.TB, cfg *rest.Config, timeout time.Duration) *Client {
	t.Helper()
	c, err := New(cfg, measure.NewClock(), timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// throttle is a rate limiter that must never be asked.
type throttle struct{ asked atomic.Int64 }

func (l *throttle) TryAccept() bool            { l.asked.Add(1); return false }
func (l *throttle) Accept()                    { l.asked.Add(1) }
func (l *throttle) Stop()                      {}
func (l *throttle) QPS() float32               { l.asked.Add(1); return 0.001 }
func (l *throttle) Wait(context.Context) error { l.asked.Add(1); return errors.New("throttled") }

func TestNothingIsThrottledOnTheClientsSide(t *testing.T) {
	var served atomic.Int64
	cfg := peer(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
	limiter := &throttle{}
	cfg.QPS, cfg.Burst, cfg.RateLimiter = 0.001, 1, limiter
	c := connect(t, cfg, time.Minute)
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			if a := c.Do(t.Context(), &Request{Method: "GET", Path: "/version"}, nil, 0); !a.OK() {
				t.Errorf("failed: %s", a.Code)
			}
		})
	}
	all.Wait()
	if served.Load() != 300 || limiter.asked.Load() != 0 {
		t.Errorf("%d of 300 served, the limiter was asked %d times", served.Load(), limiter.asked.Load())
	}
}

func TestARequestSaysWhoAsksForWhat(t *testing.T) {
	var got *http.Request
	var body []byte
	cfg := peer(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	cfg.UserAgent, cfg.BearerToken = "storm/churn", "secret"
	c := connect(t, cfg, 0)
	a := c.Do(t.Context(), &Request{
		Method: "PATCH", Path: "/api/v1/pods", Query: "a=b%2Fc", Body: []byte("{}"), ContentType: MergePatch,
		As: &User{Name: "system:node:a", Groups: []string{"system:nodes", "other"}},
	}, nil, 0)
	if !a.OK() || got == nil {
		t.Fatalf("failed: %+v", a)
	}
	for name, want := range map[string]string{
		"User-Agent": "storm/churn", "Authorization": "Bearer secret", "Accept": Protobuf, "Content-Type": MergePatch,
		"Impersonate-User": "system:node:a", "Impersonate-Group": "system:nodes", "Accept-Encoding": "gzip",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if got.ProtoMajor != 2 || got.URL.RawQuery != "a=b%2Fc" || string(body) != "{}" || len(got.Header["Impersonate-Group"]) != 2 {
		t.Errorf("%s %s, body %q, %v", got.Proto, got.URL, body, got.Header)
	}
}

// A request that says whom to impersonate means that, whatever the client's own
// configuration impersonates.
func TestARequestsOwnUserGoesBeforeTheConfigurations(t *testing.T) {
	var got http.Header
	cfg := peer(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	cfg.BearerToken, cfg.Impersonate = "secret", rest.ImpersonationConfig{UserName: "load", Groups: []string{"loads"}}
	c := connect(t, cfg, 0)
	for as, want := range map[*User][2]string{
		nil: {"[load]", "[loads]"},
		{Name: "rogue", Groups: []string{"wild"}}: {"[rogue]", "[wild]"},
	} {
		if a := c.Do(t.Context(), &Request{Method: "GET", Path: "/", As: as}, nil, 0); !a.OK() {
			t.Fatalf("failed: %+v", a)
		}
		if fmt.Sprint(got["Impersonate-User"]) != want[0] || fmt.Sprint(got["Impersonate-Group"]) != want[1] || got.Get("Authorization") != "Bearer secret" {
			t.Errorf("as %v: %v", as, got)
		}
	}
}

// The server allows ten streams a connection; forty watches need four.
func TestConnectionsAreOpenedAsTheServersStreamLimitDemands(t *testing.T) {
	release := make(chan struct{})
	var conns atomic.Int64
	cfg := peer(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}, func(s *httptest.Server) {
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 10}
		s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
			if st == http.StateNew {
				conns.Add(1)
			}
		}
	})
	c := connect(t, cfg, time.Minute)
	var all sync.WaitGroup
	streams := make(chan *body, 40)
	for range 40 {
		all.Go(func() {
			b := newBody()
			if _, a := c.Watch(t.Context(), &Request{Method: "GET", Path: "/watch"}, b); !a.OK() {
				t.Errorf("watch failed: %+v", a)
				return
			}
			streams <- b
		})
	}
	all.Wait()
	if n := c.Connections(); n != 4 || conns.Load() != 4 {
		t.Errorf("%d connections, the server saw %d, want 4", n, conns.Load())
	}
	close(release)
	close(streams)
	for b := range streams {
		if err := <-b.ended; err != nil {
			t.Errorf("a watch ended with %v, want good order", err)
		}
	}
	// The streams are free again: forty more requests need no new connection.
	for range 40 {
		c.Do(t.Context(), &Request{Method: "GET", Path: "/"}, nil, 0)
	}
	if conns.Load() != 4 {
		t.Errorf("%d connections after reuse, want 4", conns.Load())
	}
}

func TestStatusesBecomeCodes(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{200, "fine", ""},
		{201, "", ""},
		{409, `Operation cannot be fulfilled on leases.coordination.k8s.io "n": the object has been modified; please apply`, "409 conflict"},
		{409, `Operation cannot be fulfilled on pods "p": Precondition failed: UID in precondition: a, UID in object meta: b`, "409 precondition"},
		{409, `events "e" already exists`, "409 exists"},
		{409, `something else`, "409"},
		{403, `pods "p" is forbidden: User "u" cannot get resource "pods": no relationship found between node 'n' and this object`, "403 unrelated"},
		{403, `pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1`, "403 quota"},
		{403, `pods "p" is forbidden: unable to create new content in namespace n because it is being terminated`, "403 terminating"},
		{403, `pods is forbidden: User "u" cannot list resource "pods" in API group "" at the cluster scope`, "403"},
		{429, "too many", "429"},
		{429, "storage is (re)initializing", "429 initializing"},
		{500, "k8s\x00…etcdserver: mvcc: database space exceeded…", "500 no-space"},
		{500, "etcdserver: leader changed", "500 leader-changed"},
		{504, "Too large resource version: 9", "504 future-revision"},
		{410, strings.Repeat("x", 100_000), "410"},
		{302, "", "302"},
	} {
		cfg := peer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		cl := connect(t, cfg, time.Minute)
		a := cl.Do(t.Context(), &Request{Method: "GET", Path: "/"}, nil, 0)
		if a.Code != c.want || a.Status != c.status || a.Bytes != int64(len(c.body)) || a.Done < a.Sent {
			t.Errorf("%d %.40q: got %+v, want code %q", c.status, c.body, a, c.want)
		}
		if _, a := cl.Watch(t.Context(), &Request{Method: "GET", Path: "/"}, newBody()); c.status >= 300 && a.Code != c.want {
			t.Errorf("watch, %d: got %+v", c.status, a)
		}
	}
}

func TestBodiesAreKeptAsFarAsAskedAndCountedInFull(t *testing.T) {
	cfg := peer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("0123456789", 10_000))
	})
	c := connect(t, cfg, time.Minute)
	for keep, want := range map[int64]string{0: "", 12: "012345678901"} {
		var body bytes.Buffer
		a := c.Do(t.Context(), &Request{Method: "GET", Path: "/"}, &body, keep)
		if body.String() != want || a.Bytes != 100_000 {
			t.Errorf("kept %q, counted %d", body.String(), a.Bytes)
		}
	}
}

func TestTimeoutsAndCutsAreToldApart(t *testing.T) {
	cfg := peer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	})
	short := connect(t, cfg, 50*time.Millisecond)
	long := connect(t, cfg, time.Minute)
	for _, path := range []string{"/", "/body"} {
		if a := short.Do(t.Context(), &Request{Method: "GET", Path: path}, nil, 0); a.Code != CodeTimeout || a.Cut {
			t.Errorf("%s beyond its deadline: %+v", path, a)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if a := long.Do(ctx, &Request{Method: "GET", Path: path}, nil, 0); !a.Cut {
			t.Errorf("%s with its load ended: %+v", path, a)
		}
	}
	if _, a := short.Watch(t.Context(), &Request{Method: "GET", Path: "/"}, newBody()); a.Code != CodeTimeout {
		t.Errorf("watch beyond the deadline: %+v", a)
	}
	// Once a watch has begun the deadline is over.
	b := newBody()
	w, a := short.Watch(t.Context(), &Request{Method: "GET", Path: "/body"}, b)
	if !a.OK() {
		t.Fatalf("watch: %+v", a)
	}
	if got := <-b.parts; got != "begun" {
		t.Errorf("read %q", got)
	}
	select {
	case err := <-b.ended:
		t.Errorf("the watch ended by itself: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	w.Close()
}

// body is what came of a watch.
type body struct {
	parts chan string
	ended chan error
}

func newBody() *body { return &body{make(chan string, 100), make(chan error, 1)} }

func (b *body) Data(p []byte) { b.parts <- string(p) }
func (b *body) End(err error) { b.ended <- err }

// A gzipped body is counted as it came and as what it holds, of which no more is kept
// than is wanted.
func TestGzippedBodiesAreCountedTwice(t *testing.T) {
	const size = 40 << 20
	for name, bad := range map[string]bool{"whole": false, "cut off inside": true} {
		t.Run(name, func(t *testing.T) {
			cfg := peer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept-Encoding") != "gzip" {
					t.Errorf("accepts %q", r.Header.Get("Accept-Encoding"))
				}
				w.Header().Set("Content-Encoding", "gzip")
				var all bytes.Buffer
				z := gzip.NewWriter(&all)
				part := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
				for range size / len(part) {
					_, _ = z.Write(part)
				}
				_ = z.Close()
				b := all.Bytes()
				if bad {
					b = b[:len(b)/2]
				}
				_, _ = w.Write(b)
			})
			c := connect(t, cfg, time.Minute)
			var tail Tail
			const keep = 100
			kept := bytes.NewBufferString("before; ")
			a := c.Do(t.Context(), &Request{Method: "GET", Path: "/", Tail: &tail}, kept, keep)
			if bad {
				if a.Code != CodeMalformed {
					t.Errorf("got %+v", a)
				}
				return
			}
			if !a.OK() || a.Decoded != size || a.Bytes >= size/10 || a.Bytes == 0 {
				t.Errorf("got %+v", a)
			}
			if want := "before; " + strings.Repeat("0123456789abcdef", keep)[:keep]; kept.String() != want {
				t.Errorf("kept %q", kept)
			}
			if want := bytes.Repeat([]byte("0123456789abcdef"), tailSize/16); !bytes.Equal(tail.Bytes(), want) {
				t.Errorf("its end is %d bytes: %q…", len(tail.Bytes()), tail.Bytes()[:min(20, len(tail.Bytes()))])
			}
		})
	}
}

// What nobody asked for, and a watch that would have to be taken apart, is no answer
// of an API server's.
func TestEncodingsThatWereNotAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		encoding string
		plain    bool
		bad      bool
	}{
		"none": {"", false, false}, "identity": {"identity", false, false}, "another": {"br", false, true}, "gzip, unasked": {"gzip", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := peer(t, func(w http.ResponseWriter, r *http.Request) {
				if asked := r.Header.Get("Accept-Encoding") == "gzip"; asked == c.plain {
					t.Errorf("accepts %q", r.Header.Get("Accept-Encoding"))
				}
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				_, _ = io.WriteString(w, "body")
			})
			cl := connect(t, cfg, time.Minute)
			if a := cl.Do(t.Context(), &Request{Method: "GET", Path: "/", Plain: c.plain}, nil, 0); (a.Code == CodeMalformed) != c.bad {
				t.Errorf("got %+v", a)
			}
		})
	}
	cfg := peer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8b")
	})
	if _, a := connect(t, cfg, time.Minute).Watch(t.Context(), &Request{Method: "GET", Path: "/"}, newBody()); a.Code != CodeMalformed {
		t.Errorf("a watch: got %+v", a)
	}
}

// The end of a body is held as it came, in whatever parts.
func TestTail(t *testing.T) {
	var all []byte
	for i := range 3 * tailSize {
		all = append(all, byte(i>>8))
	}
	for _, size := range []int{1, 100, tailSize - 1, tailSize, tailSize + 1, 2 * tailSize, len(all)} {
		for _, whole := range [][]byte{nil, all[:5], all[:tailSize], all} {
			var tail Tail
			for rest := whole; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if n, err := tail.Write(rest[:min(size, len(rest))]); n != min(size, len(rest)) || err != nil {
					t.Fatal(n, err)
				}
			}
			if want := whole[max(0, len(whole)-tailSize):]; !bytes.Equal(tail.Bytes(), want) {
				t.Errorf("%d bytes in parts of %d: the end is %d bytes, or others", len(whole), size, len(tail.Bytes()))
			}
		}
	}
}

func TestErrorsBecomeCodes(t *testing.T) {
	for want, errs := range map[string][]error{
		CodeTimeout:     {context.DeadlineExceeded, errDeadline, os.ErrDeadlineExceeded, fmt.Errorf("x: %w", &net.DNSError{IsTimeout: true})},
		CodeReset:       {syscall.ECONNRESET, &net.OpError{Err: syscall.EPIPE}, &wire.StreamError{Code: http2.ErrCodeInternal}, net.ErrClosed, wire.ErrClosed},
		CodeGoAway:      {&wire.GoAwayError{Code: http2.ErrCodeEnhanceYourCalm}},
		CodeSilent:      {wire.ErrSilent},
		CodeMalformed:   {fmt.Errorf("%w: x", wire.ErrMalformed), wire.ErrNotHTTP2},
		CodeTLS:         {&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}},
		CodeEOF:         {io.EOF, fmt.Errorf("x: %w", io.ErrUnexpectedEOF)},
		CodeUnreachable: {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, syscall.EHOSTUNREACH},
		CodeLocal:       {&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}, syscall.EADDRNOTAVAIL},
		CodeOther:       {errors.New("something new")},
	} {
		for _, err := range errs {
			if got := CodeOf(err); got != want {
				t.Errorf("%v: got %q, want %q", err, got, want)
			}
		}
	}
}

func TestAHostWithoutServerIsUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	c := connect(t, &rest.Config{Host: "https://" + addr}, time.Minute)
	if a := c.Do(t.Context(), &Request{Method: "GET", Path: "/"}, nil, 0); a.Code != CodeUnreachable {
		t.Errorf("got %+v", a)
	}
}

func TestAnUnknownCertificateIsATLSError(t *testing.T) {
	cfg := peer(t, func(http.ResponseWriter, *http.Request) {})
	cfg.CAData = nil
	c := connect(t, &rest.Config{Host: cfg.Host}, time.Minute)
	if a := c.Do(t.Context(), &Request{Method: "GET", Path: "/"}, nil, 0); a.Code != CodeTLS {
		t.Errorf("got %+v", a)
	}
}

func TestAClosedClientFailsAtOnce(t *testing.T) {
	begun := make(chan struct{})
	cfg := peer(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	c := connect(t, cfg, time.Minute)
	answer := make(chan Answer)
	go func() { answer <- c.Do(t.Context(), &Request{Method: "GET", Path: "/"}, nil, 0) }()
	<-begun
	c.Close()
	if a := <-answer; a.Code != CodeReset || a.Cut {
		t.Errorf("in flight: %+v", a)
	}
	if a := c.Do(t.Context(), &Request{Method: "GET", Path: "/"}, nil, 0); a.Code != CodeReset {
		t.Errorf("afterwards: %+v", a)
	}
	if c.Connections() != 0 {
		t.Errorf("%d connections are left", c.Connections())
	}
}

// A client over another's connections has a deadline of its own, and its requests end
// when that is over, whatever waits for longer before them.
func TestTwoDeadlinesOverTheSameConnections(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	patient := connect(t, peer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			return
		}
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}), time.Minute)
	hasty := connect(t, &rest.Config{Host: "https://unused.invalid"}, 50*time.Millisecond)
	over := patient.Timed(hasty)
	if a := patient.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/version"}, nil, 0); !a.OK() { // the connection is there
		t.Fatal(a.Code)
	}
	answers := make(chan Answer, 1)
	req := &Request{Method: http.MethodGet, Path: "/api/v1/nodes"}
	patient.Send(t.Context(), req, nil, 0, nil, func(a Answer) { answers <- a })
	if a := over.Do(t.Context(), req, nil, 0); a.Code != CodeTimeout {
		t.Errorf("%q, want a timeout", a.Code)
	}
	if n := patient.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	select {
	case a := <-answers:
		t.Errorf("the other ended with it: %q", a.Code)
	default:
	}
	close(held)
	if a := <-answers; !a.OK() {
		t.Errorf("%q", a.Code)
	}
}
