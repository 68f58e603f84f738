package fleet

import (
	"context"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// frame is one event of a watch as the API server writes it.
func frame(kind string, obj runtime.Object) []byte {
	raw, err := client.Encode(obj)
	if err != nil {
		panic(err)
	}
	b, err := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: raw}}).Marshal()
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func versioned(uid, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: uid, Namespace: "ns", UID: types.UID(uid), ResourceVersion: version}}
}

// A server that misbehaves makes a feed pause, resume or list anew; it is
// counted and named, and the feed always comes back.
func TestAFeedComesBackFromWhateverTheServerDoes(t *testing.T) {
	type answer func(http.ResponseWriter)
	write := func(b ...[]byte) answer {
		return func(w http.ResponseWriter) {
			for _, b := range b {
				_, _ = w.Write(b)
			}
		}
	}
	status := func(code int) answer { return func(w http.ResponseWriter) { w.WriteHeader(code) } }
	gone := &metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired, Message: "too old resource version"}
	for name, c := range map[string]struct {
		watch answer // to the first watch
		next  string // what the feed asks for after it
		code  string // how it is counted; empty for no failure
	}{
		"ended in good order":      {write(), "watch 7", ""},
		"ended after events":       {write(frame("ADDED", versioned("a", "8")), frame("BOOKMARK", versioned("", "12"))), "watch 12", ""},
		"expired":                  {status(410), "list", "410"},
		"expired in the stream":    {write(frame("ERROR", gone)), "list", "410"},
		"overloaded":               {status(429), "watch 7", "429"},
		"broken inside":            {status(500), "list", "500"},
		"forbidden":                {status(403), "list", "403"},
		"cut off within an event":  {write(frame("ADDED", versioned("a", "8"))[:20]), "watch 7", "eof"},
		"reset":                    {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "watch 7", "reset"},
		"reset in the stream":      {func(w http.ResponseWriter) { w.(http.Flusher).Flush(); panic(http.ErrAbortHandler) }, "watch 7", "reset"},
		"JSON instead of Protobuf": {write([]byte(`{"type":"ADDED","object":{"metadata":{}}}`)), "list", "malformed"},
		"an event that is none":    {write([]byte{0, 0, 0, 3, 0xff, 0xff, 0xff}), "list", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			done := make(chan struct{})
			list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []corev1.Pod{*versioned("z", "5")}}
			f, errs := testFeed(t, func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				what := "list"
				if q.Get("watch") != "" {
					what = "watch " + q.Get("resourceVersion")
				}
				mu.Lock()
				asked = append(asked, what)
				n := len(asked)
				mu.Unlock()
				switch {
				case n == 2:
					c.watch(w)
				case n >= 3:
					if n == 3 {
						close(done)
					}
					<-r.Context().Done()
				default:
					b, _ := client.Encode(list)
					_, _ = w.Write(b)
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			var ran sync.WaitGroup
			ran.Go(func() { f.run(ctx, 0) })
			<-done
			cancel()
			ran.Wait()
			if fmt.Sprint(asked) != fmt.Sprint([]string{"list", "watch 7", c.next}) {
				t.Errorf("asked for %v, want %s in the end", asked, c.next)
			}
			got := errs()
			if want := map[string]uint64{c.code: 1}; c.code != "" && fmt.Sprint(got) != fmt.Sprint(want) || c.code == "" && len(got) > 0 {
				t.Errorf("counted %v, want %q", got, c.code)
			}
		})
	}
}

// sink counts what it is told.
type sink struct{ pods, lists int }

func (s *sink) pod(string, int64, *lean.Pod) { s.pods++ }
func (s *sink) listed()                      { s.lists++ }

// testFeed returns a feed of that server, and the codes that it counted.
func testFeed(t *testing.T, h http.HandlerFunc) (*feed, func() map[string]uint64) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	clock := measure.NewClock()
	codes := map[string]uint64{}
	rec := measure.NewRecorder(clock, func(w rundir.Window) {
		for code, n := range w.Errors {
			codes[code] += n
		}
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	c, err := client.New(&rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}, clock, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &feed{
			client: c, clock: clock, sink: &sink{}, rng: rand.New(rand.NewPCG(1, 1)), firstPause: time.Millisecond,
			list:  rec.Series(rundir.Key{Workload: "w", Verb: "list"}),
			watch: rec.Series(rundir.Key{Workload: "w", Verb: "watch"}),
		}, func() map[string]uint64 {
			rec.Close()
			return codes
		}
}
