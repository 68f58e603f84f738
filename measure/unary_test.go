package measure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// memberThat starts a peer of gRPC over TLS that answers as it is told.
func memberThat(t *testing.T, answers http.HandlerFunc) *etcdConn {
	t.Helper()
	s := httptest.NewUnstartedServer(answers)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c, err := dialEtcd(EtcdTarget{Component: "m", Endpoint: s.URL, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, NewClock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// answer writes an answer of gRPC's.
func answer(w http.ResponseWriter, body []byte, outcome, message string) {
	_, _ = w.Write(body)
	w.Header().Set(http.TrailerPrefix+"grpc-status", outcome)
	w.Header().Set(http.TrailerPrefix+"grpc-message", message)
}

func TestAUnaryCall(t *testing.T) {
	c := memberThat(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req pb.PutRequest
		if err != nil || r.URL.Path != methodPut || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Te") != "trailers" ||
			body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 || req.Unmarshal(body[5:]) != nil || string(req.Key) != "k" {
			t.Errorf("asked %s %v: %q, %v", r.URL, r.Header, body, err)
		}
		reply, err := framed(&pb.PutResponse{Header: &pb.ResponseHeader{Revision: 42}})
		if err != nil {
			t.Error(err)
		}
		// In parts, as it may come.
		_, _ = w.Write(reply[:3])
		w.(http.Flusher).Flush()
		answer(w, reply[3:], "0", "")
	})
	if rev, err := c.put(t.Context(), "k", "v"); err != nil || rev != 42 {
		t.Errorf("revision %d, %v", rev, err)
	}
}

// What a member says, or fails to say, has a name of its own each.
func TestWhatBecomesOfAUnaryCall(t *testing.T) {
	ok, err := framed(&pb.PutResponse{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answers http.HandlerFunc
		code    string
	}{
		"no space, in trailers": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			answer(w, nil, "8", "etcdserver: mvcc: database%20space exceeded")
		}, CodeNoSpace},
		"in the head": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("grpc-status", "14")
			w.Header().Set("grpc-message", "etcdserver: request timed out")
		}, "server-timeout"},
		"of no known words":             {func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, "5", "%zz") }, "notfound"},
		"no gRPC at all":                {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, CodeConnection},
		"a status that is no number":    {func(w http.ResponseWriter, _ *http.Request) { answer(w, ok, "fine", "") }, CodeConnection},
		"a body cut off":                {func(w http.ResponseWriter, _ *http.Request) { answer(w, ok[:3], "0", "") }, CodeConnection},
		"a length that is not the body": {func(w http.ResponseWriter, _ *http.Request) { answer(w, append(ok, 0), "0", "") }, CodeConnection},
		"the connection breaks":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, CodeConnection},
	} {
		t.Run(name, func(t *testing.T) {
			conn := memberThat(t, c.answers)
			if _, err := conn.put(t.Context(), "k", "v"); EtcdCode(err) != c.code {
				t.Errorf("%q: %v, want %q", EtcdCode(err), err, c.code)
			}
		})
	}
}

// A member that hangs: the call ends at its deadline, or with its caller, and
// the member hears of it.
func TestAUnaryCallThatIsNotAnswered(t *testing.T) {
	var gone atomic.Int64
	c := memberThat(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		gone.Add(1)
	})
	told := make(chan error, 2)
	deadline := c.calls.clock.Now() + int64(50*time.Millisecond)
	c.calls.ask(methodPut, &pb.PutRequest{}, nil, deadline, nil, func(err error) { told <- err })
	if err := <-told; EtcdCode(err) != CodeTimeout || c.calls.clock.Now() < deadline {
		t.Errorf("at its deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.put(ctx, "k", "v"); EtcdCode(err) != CodeTimeout {
		t.Errorf("with its caller: %v", err)
	}
	for gone.Load() < 2 {
		time.Sleep(time.Millisecond) // leave the processor to those who are waited for
	}
	if len(told) > 0 {
		t.Errorf("told twice: %v", <-told)
	}
}

// A member that is not there: each call fails by itself, and says why.
func TestAUnaryCallToNobody(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, make([]byte, 5), "0", "") }))
	url := "https://" + s.Listener.Addr().String()
	roots := x509.NewCertPool()
	c, err := dialEtcd(EtcdTarget{Component: "m", Endpoint: url, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, NewClock())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := s.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.put(t.Context(), "k", "v"); EtcdCode(err) != CodeUnreachable || !strings.Contains(err.Error(), "refused") {
			t.Errorf("nobody there: %q, %v", EtcdCode(err), err)
		}
	}
}
