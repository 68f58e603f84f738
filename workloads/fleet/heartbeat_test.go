package fleet

import (
	"cmp"
	"context"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/apart"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// recorded is what a fleet of one node has counted, by verb.
type recorded struct {
	mu  sync.Mutex
	rec *measure.Recorder
	by  map[string]rundir.Window
}

// close ends the recording and returns what it has of a verb.
func (r *recorded) close() map[string]rundir.Window {
	r.rec.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by
}

// serveTLS is an API server that answers as h does, in Protobuf unless h says otherwise.
func serveTLS(t *testing.T, h http.HandlerFunc) *rest.Config {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", client.Protobuf)
		h(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return &rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

// oneNode is a fleet of one node that is not up; what it asks for, h answers.
func oneNode(t *testing.T, cfg Config, h http.HandlerFunc) (*Fleet, *recorded) {
	t.Helper()
	server := serveTLS(t, h)
	got := &recorded{by: map[string]rundir.Window{}}
	clock := measure.NewClock()
	got.rec = measure.NewRecorder(clock, func(w rundir.Window) {
		got.mu.Lock()
		defer got.mu.Unlock()
		got.by[w.Verb] = w
	})
	t.Cleanup(got.rec.Close)
	calls, err := client.New(server, clock, cmp.Or(cfg.Timeout, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(calls.Close)
	cfg.Count = 1
	f := New(cfg, Env{Workload: "fleet", Recorder: got.rec, Clock: clock, Log: slog.New(slog.DiscardHandler)})
	f.nodes[0].beats, f.nodes[0].calls = calls, calls
	f.nodes[0].begun.Store(true)
	return f, got
}

// A Node that was deleted while its kubelet was away comes back as it was: apart
// from the real ones.
func TestANodeThatComesBackIsKeptApart(t *testing.T) {
	bodies := make(chan []byte, 1)
	f, _ := oneNode(t, Config{Apart: true}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
		_, _ = w.Write(body)
	})
	if a, ok := f.reregister(t.Context(), f.nodes[0], f.env.Clock.Now()); !ok {
		t.Fatalf("%+v", a)
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(<-bodies, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := object.(*corev1.Node)
	if len(n.Spec.Taints) != 1 || n.Spec.Taints[0].Key != apart.Key || n.Labels[apart.Key] != apart.Value {
		t.Errorf("taints %v, labels %v", n.Spec.Taints, n.Labels)
	}
}

// A heartbeat that hangs when the load ends has failed if it had waited long, and
// so has the one that waited for it.
func TestHeartbeatsThatHangWhenTheLoadEndsAreCounted(t *testing.T) {
	asked := make(chan struct{}, 2)
	f, got := oneNode(t, Config{Timeout: 2 * time.Second}, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var over sync.WaitGroup
	over.Add(2)
	for range 2 {
		f.renew(ctx, f.nodes[0], f.env.Clock.Now(), nil, over.Done)
	}
	<-asked
	const hung = 600 * time.Millisecond // more than a quarter of the deadline
	time.Sleep(hung)
	cancel()
	f.nodes[0].beats.Close()
	over.Wait()
	by := got.close()
	if by["renew"].Errors[measure.CodeUnended] != 2 || by["get"].Errors[measure.CodeUnended] != 2 {
		t.Errorf("counted %+v", by)
	}
	if lag := time.Duration(by["get"].LagMax); lag >= hung {
		t.Errorf("one is said to have been sent %s late", lag)
	}
}

// A heartbeat's last answer may come when its fleet's connections are closed, and
// begin the next.
func TestAFleetOfOwnConnectionsIsClosedUnderItsHeartbeats(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it never says hello
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for range 20 {
		f, _ := oneNode(t, Config{PerNode: true}, func(http.ResponseWriter, *http.Request) {})
		n := f.nodes[0]
		if n.calls, err = client.New(&rest.Config{Host: "https://" + silent.Addr().String()}, f.env.Clock, time.Minute); err != nil {
			t.Fatal(err)
		}
		n.beats = n.calls
		const beats = 10
		f.beats.Add(beats)
		for range beats {
			f.renew(t.Context(), n, f.env.Clock.Now(), nil, f.beats.Done)
		}
		conn, err := silent.Accept() // the first is about it, the others wait for that
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		_ = conn.Close()
		if n.beats != nil || n.calls != nil {
			t.Error("it keeps a connection that is closed")
		}
	}
}
