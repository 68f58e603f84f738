package client

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// hostile starts a TLS server that agrees to HTTP/2, reads the client's
// preface and does what it likes with every request's stream.
func hostile(t testing.TB, each func(fr *http2.Framer, stream uint32, raw net.Conn)) *rest.Config {
	t.Helper()
	donor := httptest.NewUnstartedServer(nil)
	donor.EnableHTTP2 = true
	donor.StartTLS()
	t.Cleanup(donor.Close)
	cfg := &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: donor.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	cfg.Host = "https://" + l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
					return
				}
				fr := http2.NewFramer(conn, conn)
				_ = fr.WriteSettings()
				for {
					f, err := fr.ReadFrame()
					if err != nil {
						return
					}
					if h, ok := f.(*http2.HeadersFrame); ok {
						each(fr, h.StreamID, conn)
					}
				}
			}()
		}
	}()
	return cfg
}

func headers(fr *http2.Framer, stream uint32, fields ...hpack.HeaderField) {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for _, f := range fields {
		_ = enc.WriteField(f)
	}
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b.Bytes(), EndHeaders: true})
}

var (
	ok200 = hpack.HeaderField{Name: ":status", Value: "200"}
	typed = hpack.HeaderField{Name: "content-type", Value: Protobuf}
)

// A server that answers nonsense is counted under a name, and neither crashes
// nor hangs the load.
func TestNonsenseIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		each func(fr *http2.Framer, stream uint32, raw net.Conn)
		want []string
	}{
		"stream reset before an answer": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			_ = fr.WriteRSTStream(s, http2.ErrCodeInternal)
		}, []string{CodeReset}},
		"stream reset in the body": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			headers(fr, s, ok200, typed)
			_ = fr.WriteData(s, false, []byte("half"))
			_ = fr.WriteRSTStream(s, http2.ErrCodeInternal)
		}, []string{CodeReset}},
		"refused for ever": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			_ = fr.WriteRSTStream(s, http2.ErrCodeRefusedStream)
		}, []string{CodeReset}},
		"GOAWAY": {func(fr *http2.Framer, _ uint32, _ net.Conn) {
			_ = fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
		}, []string{CodeGoAway}},
		"GOAWAY after it was seen, and gone": {func(fr *http2.Framer, s uint32, raw net.Conn) {
			_ = fr.WriteGoAway(s, http2.ErrCodeNo, nil)
			_ = raw.Close()
		}, []string{CodeGoAway}},
		"connection closed": {func(_ *http2.Framer, _ uint32, raw net.Conn) {
			_ = raw.Close()
		}, []string{CodeEOF, CodeReset}},
		"body cut off": {func(fr *http2.Framer, s uint32, raw net.Conn) {
			headers(fr, s, ok200, typed, hpack.HeaderField{Name: "content-length", Value: "100"})
			_ = fr.WriteData(s, true, []byte("short"))
			_ = raw
		}, []string{CodeEOF, CodeReset}},
		"garbage instead of frames": {func(_ *http2.Framer, _ uint32, raw net.Conn) {
			_, _ = raw.Write(bytes.Repeat([]byte("garbage "), 100))
		}, []string{CodeMalformed}},
		"no status": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			headers(fr, s, hpack.HeaderField{Name: "x", Value: "y"})
		}, []string{CodeMalformed}},
		"a page instead of an object": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			headers(fr, s, ok200, hpack.HeaderField{Name: "content-type", Value: "text/html; charset=utf-8"})
			_ = fr.WriteData(s, true, []byte("<html>Welcome</html>"))
		}, []string{CodeMalformed}},
		"JSON instead of Protobuf": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			headers(fr, s, ok200, hpack.HeaderField{Name: "content-type", Value: JSON})
			_ = fr.WriteData(s, true, []byte("{}"))
		}, []string{CodeMalformed}},
		"nothing is said of what it is": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			headers(fr, s, ok200)
			_ = fr.WriteData(s, true, nil)
		}, []string{CodeMalformed}},
		"overloaded for ever": {func(fr *http2.Framer, s uint32, _ net.Conn) {
			headers(fr, s, hpack.HeaderField{Name: ":status", Value: "429"}, hpack.HeaderField{Name: "retry-after", Value: "1"})
			_ = fr.WriteData(s, true, []byte("Too many requests, please try again later."))
		}, []string{CodeRetryAfter}},
		"silence": {func(*http2.Framer, uint32, net.Conn) {}, []string{CodeTimeout}},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 20 * time.Second
			if name == "silence" {
				timeout = 100 * time.Millisecond
			}
			cl := connect(t, hostile(t, c.each), timeout)
			for range 3 { // and the client is still of use afterwards
				a := cl.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/"}, nil, 0)
				found := false
				for _, w := range c.want {
					found = found || a.Code == w
				}
				if !found {
					t.Errorf("got %+v, want one of %v", a, c.want)
				}
			}
		})
	}
}

// A server that goes away in good order has its request repeated elsewhere, as
// every HTTP/2 client does it: the load sees nothing of it, but that it was so.
func TestARequestThatWasNotProcessedGoesToAnotherConnection(t *testing.T) {
	first := true
	cl := connect(t, hostile(t, func(fr *http2.Framer, s uint32, _ net.Conn) {
		if first {
			first = false
			_ = fr.WriteGoAway(0, http2.ErrCodeNo, nil)
			return
		}
		headers(fr, s, ok200, typed)
		_ = fr.WriteData(s, true, nil)
	}), 20*time.Second)
	a := cl.Do(t.Context(), &Request{Method: http.MethodPut, Path: "/", Body: []byte("x"), ContentType: JSON}, nil, 0)
	if !a.OK() || a.again != (again{away: 1}) {
		t.Errorf("got %+v", a)
	}
	if got := recorded(a); got.OK != 1 || len(got.Errors) > 0 || len(got.Again) != 1 || got.Again[CodeGoAway] != 1 {
		t.Errorf("recorded as %+v", got)
	}
}

// recorded is what a recorder says of an answer.
func recorded(a Answer) (w rundir.Window) {
	r := measure.NewRecorder(measure.NewClock(), func(got rundir.Window) { _ = w.Merge(got) })
	s := r.Series(rundir.Key{})
	a.Record(s, a.Sent)
	r.Close()
	return w
}

// A watch that is refused at first is opened on a later attempt, and it is the
// stream of that attempt that closing it ends.
func TestAWatchThatIsRefusedAtFirst(t *testing.T) {
	var asked atomic.Int64
	cl := connect(t, hostile(t, func(fr *http2.Framer, s uint32, _ net.Conn) {
		if asked.Add(1) <= 3 {
			_ = fr.WriteRSTStream(s, http2.ErrCodeRefusedStream)
			return
		}
		headers(fr, s, ok200, typed)
	}), 20*time.Second)
	for range 20 {
		asked.Store(0)
		w, a := cl.Watch(t.Context(), &Request{Method: http.MethodGet, Path: "/"}, ignored{})
		if !a.OK() {
			t.Fatalf("%+v", a)
		}
		if asked.Load() != 4 || a.again != (again{refused: 3}) {
			t.Errorf("asked %d times, want 4: %+v", asked.Load(), a)
		}
		w.Close()
	}
}

type ignored struct{}

func (ignored) Data([]byte) {}
func (ignored) End(error)   {}

// Of an answer that the server takes back nothing is left in that of the next
// attempt.
func TestAnAnswerThatIsTakenBackIsForgotten(t *testing.T) {
	for name, first := range map[string][]hpack.HeaderField{
		"an object": {ok200, typed},
		"gzipped":   {ok200, typed, {Name: "content-encoding", Value: "gzip"}},
		"a page":    {ok200, {Name: "content-type", Value: "text/html"}},
		"a failure": {{Name: ":status", Value: "503"}, {Name: "retry-after", Value: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			again := false
			cl := connect(t, hostile(t, func(fr *http2.Framer, s uint32, _ net.Conn) {
				if again {
					headers(fr, s, ok200, typed)
					_ = fr.WriteData(s, true, []byte("good"))
					return
				}
				again = true
				headers(fr, s, first...)
				_ = fr.WriteData(s, false, []byte("taken back"))
				_ = fr.WriteRSTStream(s, http2.ErrCodeRefusedStream)
			}), 20*time.Second)
			body := bytes.NewBufferString("before ")
			a := cl.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/"}, body, 10)
			if !a.OK() || a.Status != 200 || a.Bytes != 4 || a.Decoded != 4 || a.RetryAfter != "" || body.String() != "before good" {
				t.Errorf("got %+v, kept %q", a, body)
			}
			for deadline := time.Now().Add(10 * time.Second); strings.Contains(stacks(), "(*decoder).run"); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("a decoder is left behind")
				}
			}
		})
	}
}

// stacks are those of all goroutines.
func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
