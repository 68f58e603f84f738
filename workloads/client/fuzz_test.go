package client

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// script is what a server answers with, as bytes that a fuzzer can change: each
// step is one byte that says what to do, and one that says how.
type script []byte

// play answers one request. A script that does not end the stream, or leaves a frame
// or a head unfinished, ends with the connection, so that nobody waits for a deadline.
func (s script) play(fr *http2.Framer, stream uint32, raw net.Conn) {
	ended, broken := false, false
	for len(s) >= 2 {
		what, how := s[0]%8, s[1]
		s = s[2:]
		switch what {
		case 0:
			headers(fr, stream, headOf(how)...)
		case 1: // a head of the script's own
			n := min(int(how), len(s))
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s[:n], EndHeaders: how%2 == 0, EndStream: how%5 == 0})
			s, broken = s[n:], true
		case 2, 3: // a part of a body; the last
			n := min(int(how), len(s))
			_ = fr.WriteData(stream, what == 3, s[:n])
			s, ended = s[n:], ended || what == 3
		case 4:
			_ = fr.WriteData(stream, how%2 == 0, zipped[:min(len(zipped), int(how)*20)])
			ended = ended || how%2 == 0
		case 5:
			_ = fr.WriteRSTStream(stream, http2.ErrCode(how%16))
			ended = true
		case 6:
			_ = fr.WriteGoAway(stream*uint32(how%2), http2.ErrCode(how%16), nil)
		case 7:
			n := min(int(how), len(s))
			_, _ = raw.Write(s[:n])
			s, broken = s[n:], true
		}
	}
	if !ended || broken {
		_ = raw.Close()
	}
}

// headOf is one of the heads that servers, and what stands before them, answer with.
func headOf(how byte) []hpack.HeaderField {
	one := func(of ...string) string {
		got := of[int(how)%len(of)]
		how /= byte(len(of))
		return got
	}
	fields := []hpack.HeaderField{{Name: ":status", Value: one("200", "201", "404", "429", "503", "100")}}
	if of := one(Protobuf, JSON, "text/html", ""); of != "" {
		fields = append(fields, hpack.HeaderField{Name: "content-type", Value: of})
	}
	if of := one("", "gzip", "br"); of != "" {
		fields = append(fields, hpack.HeaderField{Name: "content-encoding", Value: of})
	}
	if of := one("", "0", "4"); of != "" {
		fields = append(fields, hpack.HeaderField{Name: "content-length", Value: of}, hpack.HeaderField{Name: "retry-after", Value: of})
	}
	return fields
}

// zipped is a body that a server may send in parts.
var zipped = func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for i := range 1000 {
		_, _ = w.Write([]byte(strconv.Itoa(i * i)))
	}
	_ = w.Close()
	return b.Bytes()
}()

// named are the codes without a status that a server can be the reason of.
var named = []string{CodeReset, CodeGoAway, CodeEOF, CodeMalformed}

// fuzzed is what is told of an answer that it must not be.
func fuzzed(a Answer) string {
	status, _, _ := strings.Cut(a.Code, " ")
	switch {
	case a.Cut:
		return "is cut off, and nobody did that"
	case a.Bytes < 0 || a.Done < a.Sent:
		return "came before it was sent, or has less than nothing"
	case a.OK() && (a.Status < 200 || a.Status > 299):
		return "is a success without its status"
	case !a.OK() && !slices.Contains(named, a.Code) && status != strconv.Itoa(a.Status):
		return "has no name of its own"
	}
	return ""
}

// Whatever a server answers, the request ends, once, under a name that says what was
// wrong; and the client is of use afterwards.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{0, 0, 3, 4, 'g', 'o', 'o', 'd'})
	f.Add([]byte{0, 24, 4, 255, 4, 0})             // gzip, in two parts, the last of nothing
	f.Add([]byte{0, 24, 4, 10, 4, 12})             // gzip that is cut off
	f.Add([]byte{0, 48, 3, 1, 'x'})                // an encoding that nobody asked for
	f.Add([]byte{0, 12, 3, 4, 'p', 'a', 'g', 'e'}) // text/html
	f.Add([]byte{0, 3, 3, 4, 'w', 'a', 'i', 't'})  // 429
	f.Add([]byte{0, 0, 2, 4, 'h', 'a', 'l', 'f', 5, 2})
	f.Add([]byte{5, 7})                   // refused, again and again
	f.Add([]byte{6, 0})                   // GOAWAY that has not seen it
	f.Add([]byte{0, 0, 6, 1})             // one that has
	f.Add([]byte{0, 5, 0, 0, 3, 0})       // an interim answer, and then one
	f.Add([]byte{0, 0, 0, 0, 3, 0})       // two heads
	f.Add([]byte{2, 1, 'x', 0, 0})        // a body before its head
	f.Add([]byte{1, 2, 0x88, 0x5f, 3, 0}) // a head that the table does not have
	f.Add([]byte{7, 5, 'H', 'T', 'T', 'P', '/'})
	var now atomic.Pointer[script]
	cfg := hostile(f, func(fr *http2.Framer, stream uint32, raw net.Conn) { now.Load().play(fr, stream, raw) })
	cl := connect(f, cfg, 20*time.Second)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := script(data)
		now.Store(&s)
		get := &Request{Method: http.MethodGet, Path: "/"}
		body := bytes.NewBufferString("before")
		if a := cl.Do(t.Context(), get, body, 100); fuzzed(a) != "" {
			t.Errorf("%+v %s", a, fuzzed(a))
		} else if !strings.HasPrefix(body.String(), "before") || body.Len() > len("before")+100 {
			t.Errorf("%q was kept", body)
		}
		var tail Tail
		if a := cl.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/", Accept: Protobuf + "," + JSON, Tail: &tail}, nil, 0); fuzzed(a) != "" {
			t.Errorf("with its tail wanted: %+v %s", a, fuzzed(a))
		}
		ended := make(bodyEnd, 2)
		w, a := cl.Watch(t.Context(), get, ended)
		if fuzzed(a) != "" {
			t.Errorf("a watch: %+v %s", a, fuzzed(a))
		}
		if w != nil {
			select {
			case err := <-ended:
				if err != nil && !slices.Contains(named, CodeOf(err)) {
					t.Errorf("a watch ended with %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("a watch does not end")
			}
			w.Close()
		}
		good := script{0, 0, 3, 4, 'g', 'o', 'o', 'd'}
		now.Store(&good)
		for tries := 1; ; tries++ { // a connection that is just being closed takes one with it
			body.Reset()
			a := cl.Do(t.Context(), get, body, 100)
			if a.OK() && body.String() == "good" {
				break
			}
			if fuzzed(a) != "" || tries == 10 {
				t.Fatalf("afterwards it is of no use: %+v, %q", a, body)
			}
		}
		if len(ended) > 0 {
			t.Error("the watch ended twice")
		}
	})
}

// bodyEnd takes the end of a watch.
type bodyEnd chan error

func (bodyEnd) Data([]byte)     {}
func (e bodyEnd) End(err error) { e <- err }
