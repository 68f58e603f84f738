package reflector

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// answer is what a server does with one request; it has the encoding that was
// asked for.
type answer func(http.ResponseWriter, encoding)

func write(parts ...func(encoding) []byte) answer {
	return func(w http.ResponseWriter, e encoding) {
		for _, part := range parts {
			_, _ = w.Write(part(e))
		}
	}
}

// open writes, and leaves the watch open.
func open(parts ...func(encoding) []byte) answer {
	return func(w http.ResponseWriter, e encoding) {
		write(parts...)(w, e)
		w.(http.Flusher).Flush()
		panic(leftOpen)
	}
}

var leftOpen = new(int)

func status(code int) answer { return func(w http.ResponseWriter, _ encoding) { w.WriteHeader(code) } }

// ahead refuses a version that the server does not have yet.
func ahead(w http.ResponseWriter, _ encoding) {
	w.WriteHeader(http.StatusGatewayTimeout)
	_, _ = w.Write([]byte("Timeout: Too large resource version: 7, current: 3"))
}

// later refuses, and says in how many seconds to come again.
func later(seconds string) answer {
	return func(w http.ResponseWriter, _ encoding) {
		w.Header().Set("Retry-After", seconds)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// gzipped writes as the API server writes what is large, to who accepts that.
func gzipped(part func(encoding) []byte) answer {
	return func(w http.ResponseWriter, e encoding) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(part(e))
		_ = z.Close()
	}
}

func bytesOf(b ...byte) func(encoding) []byte { return func(encoding) []byte { return b } }

func event(kind string, obj runtime.Object) func(encoding) []byte {
	return func(e encoding) []byte { return e.frame(kind, obj) }
}

func pod(uid, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: uid, Namespace: "ns", UID: types.UID(uid), ResourceVersion: version}}
}

func bookmark(version string) func(encoding) []byte { return event("BOOKMARK", pod("", version)) }

// endOfList is the bookmark behind the initial events of a streaming list.
func endOfList(version string) func(encoding) []byte {
	p := pod("", version)
	p.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	return event("BOOKMARK", p)
}

func cutOff(whole func(encoding) []byte) func(encoding) []byte {
	return func(e encoding) []byte { b := whole(e); return b[:len(b)/2] }
}

func abort(http.ResponseWriter, encoding) { panic(http.ErrAbortHandler) }

func abortWithin(w http.ResponseWriter, _ encoding) {
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func list(e encoding) []byte {
	return e.list(&corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []corev1.Pod{*pod("z", "5"), *pod("y", "6")}})
}

// peer is a server for one reflector, and what it and the reflector's sink saw.
type peer struct {
	t     *testing.T
	e     encoding
	clock *measure.Clock
	rec   *measure.Recorder
	about *agenda.Agenda
	rest  *rest.Config
	calls *client.Client
	end   func() // of the load

	mu     sync.Mutex
	asked  []string
	saw    []string
	closed int // requests left open that the reflector closed
	failed []string
}

// serve starts a server that gives these answers, in order, and leaves unanswered what
// is asked after them.
func serve(t *testing.T, e encoding, answers ...answer) *peer {
	t.Helper()
	return serveBy(t, e, func(n int, _ string) answer {
		if n > len(answers) {
			return nil
		}
		return answers[n-1]
	})
}

// serveBy starts a server whose answer to the n-th request, from 1 on, is by what it
// asks for; nil leaves it unanswered.
func serveBy(t *testing.T, e encoding, by func(n int, what string) answer) *peer {
	t.Helper()
	p := &peer{t: t, e: e, clock: measure.NewClock()}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept"); got != e.accept {
			t.Errorf("accepts %q, want %q", got, e.accept)
		}
		n := p.note(&p.asked, whatOf(r))
		if got := r.Header.Get("Accept-Encoding"); got != "gzip" {
			t.Errorf("%s accepts the encoding %q", whatOf(r), got)
		}
		leave := func() {
			<-r.Context().Done()
			p.mu.Lock()
			defer p.mu.Unlock()
			p.closed++
		}
		answer := by(n, whatOf(r))
		if answer == nil {
			leave()
			return
		}
		defer func() {
			switch v := recover(); v {
			case nil:
			case leftOpen:
				leave()
			default:
				panic(v)
			}
		}()
		w.Header().Set("Content-Type", e.accept+";stream=watch")
		answer(w, e)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	p.rec = measure.NewRecorder(p.clock, func(w rundir.Window) {
		for code, n := range w.Errors {
			for range n {
				p.note(&p.failed, w.Verb+" "+code)
			}
		}
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	p.rest = &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
	var err error
	if p.calls, err = client.New(p.rest, p.clock, time.Minute); err != nil {
		t.Fatal(err)
	}
	p.about = agenda.New(p.clock, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var ran sync.WaitGroup
	ran.Go(func() { p.about.Run(ctx) })
	p.end = func() {
		cancel()
		ran.Wait()
	}
	t.Cleanup(func() {
		p.end()
		p.calls.Close()
	})
	return p
}

// whatOf says what a request asks for.
func whatOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Get("watch") == "" && q.Get("resourceVersion") == "0":
		return "list"
	case q.Get("watch") == "":
		return "list " + cmp.Or(q.Get("resourceVersion"), "newest")
	case q.Get("sendInitialEvents") != "":
		return strings.TrimSpace("stream " + q.Get("resourceVersion"))
	}
	return "watch " + q.Get("resourceVersion")
}

func (p *peer) reflector(streaming bool) *Reflector {
	of := func(verb string) *measure.Series { return p.rec.Series(rundir.Key{Workload: "w", Verb: verb}) }
	return &Reflector{
		Shared: &Shared{
			Clock: p.clock, Agenda: p.about, Streaming: streaming, Objects: true, JSON: p.e.json,
			List: of("list"), Watch: of("watch"), Sync: of("sync"), FirstPause: time.Millisecond,
		},
		Client: p.calls, Path: "/api/v1/pods", Sink: p,
	}
}

func (p *peer) note(where *[]string, what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	*where = append(*where, what)
	return len(*where)
}

// Event implements Sink.
func (p *peer) Event(_ int64, ev lean.Event) error {
	var read lean.Pod
	if err := ev.Pod(&read); err != nil {
		return err
	}
	if read.Name == "hostile" {
		return lean.ErrMalformed
	}
	p.note(&p.saw, ev.Type+" "+read.Name)
	return nil
}

// Synced implements Sink.
func (p *peer) Synced(int64) { p.note(&p.saw, "synced") }

// sawAll returns what the sink saw; the lock is held.
func (p *peer) sawAll() string { return strings.Join(p.saw, ", ") }

// await waits until something is so, which it looks at with the lock held.
func (p *peer) await(so func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		got := so()
		asked, saw := strings.Join(p.asked, ", "), p.sawAll()
		p.mu.Unlock()
		if got {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it did not get there within a minute: asked for %s, saw %s", asked, saw)
		}
	}
}

func (p *peer) check(asked, saw string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := strings.Join(p.asked, ", "); got != asked {
		p.t.Errorf("asked for %s, want %s", got, asked)
	}
	if got := p.sawAll(); got != saw {
		p.t.Errorf("the sink saw %q, want %q", got, saw)
	}
}

// codes ends the recording and returns the failures, sorted.
func (p *peer) codes() string {
	p.rec.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.failed)
	return strings.Join(p.failed, ", ")
}
