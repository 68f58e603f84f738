package fleet

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	urlpath "path"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// joining is a fleet of some nodes that watch nothing, and what their kubelets have
// asked for, by node: "POST nodes", "PATCH status".
type joining struct {
	*Fleet
	mu    sync.Mutex
	asked map[string][]string
	there map[string][]byte // Nodes that were registered
	early []string          // requests of nodes that were not
}

// joins returns one. What is to come before a Node is taken, or in its place, post does,
// which says with the header X-Answered that it has answered.
func joins(t *testing.T, nodes int, post http.HandlerFunc) *joining {
	t.Helper()
	j := &joining{asked: map[string][]string{}, there: map[string][]byte{}}
	cfg := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			w.Header().Set("Content-Type", client.JSON)
			_, _ = w.Write([]byte(`{"gitVersion":"v1.36.3"}`))
			return
		}
		if r.Method == http.MethodPost && r.URL.Path == nodesPath && post != nil {
			post(w, r)
		}
		j.answer(t, w, r)
	})
	clock := measure.NewClock()
	rec := measure.NewRecorder(clock, func(rundir.Window) {})
	t.Cleanup(rec.Close)
	j.Fleet = New(Config{Count: nodes, Prefix: "n", Heartbeat: 1000 * time.Hour, StatusReport: 1000 * time.Hour, StatusCheck: 1000 * time.Hour, Timeout: time.Minute, InFlight: 1000},
		Env{Workload: "fleet", REST: cfg, Recorder: rec, Clock: clock, Log: slog.New(slog.DiscardHandler)})
	return j
}

func (j *joining) answer(t *testing.T, w http.ResponseWriter, r *http.Request) {
	if r.Context().Err() != nil || w.Header().Get("X-Answered") != "" {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	what, name := urlpath.Base(urlpath.Dir(r.URL.Path)), urlpath.Base(r.URL.Path)
	if name == "status" {
		what, name = name, what
	}
	if r.Method == http.MethodPost {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			return
		}
		m, err := meta.Accessor(object)
		if err != nil {
			t.Error(err)
		}
		what, name = name, m.GetName()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	call := r.Method + " " + what
	if call == "POST nodes" {
		j.there[name] = body
	} else if j.there[name] == nil {
		j.early = append(j.early, call+" of "+name)
	}
	j.asked[name] = append(j.asked[name], call)
	switch {
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	case what == "nodes", what == "status":
		_, _ = w.Write(j.there[name])
	default: // a lease that is not there yet
		w.WriteHeader(http.StatusNotFound)
	}
}

// A kubelet asks for nothing before its Node is there, and then for all that one does
// as it starts.
func TestANodeStartsOnceItIsRegistered(t *testing.T) {
	const nodes = 200 // more than register at once
	j := joins(t, nodes, nil)
	if err := j.Up(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.early) > 0 {
		t.Errorf("before their Nodes were there: %s", strings.Join(j.early, ", "))
	}
	for i := range nodes {
		name := Name("n", i)
		for _, call := range []string{"POST nodes", "POST csinodes", "POST leases", "PATCH status"} {
			if got := countOf(j.asked[name], call); got != 1 {
				t.Errorf("%s: %d × %s, of %s", name, got, call, strings.Join(j.asked[name], ", "))
			}
		}
	}
}

func countOf(all []string, what string) int {
	n := 0
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}

// One Node that the server refuses for good ends the coming up, by its name.
func TestANodeThatIsRefusedEndsTheComingUp(t *testing.T) {
	var mu sync.Mutex
	posts := 0
	j := joins(t, 300, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if posts++; posts == 100 {
			w.Header().Set("X-Answered", "refused")
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	})
	err := j.Up(t.Context(), nil)
	j.Close()
	if err == nil || !strings.Contains(err.Error(), "register node n-") || !strings.Contains(err.Error(), "422") {
		t.Errorf("%v", err)
	}
}

// Whoever gives up while nodes join is answered.
func TestNodesThatJoinEndWithTheRun(t *testing.T) {
	asked := make(chan struct{}, 300)
	j := joins(t, 300, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up := make(chan error)
	go func() { up <- j.Up(ctx, nil) }()
	<-asked
	cancel()
	if err := <-up; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	j.Close()
}

// While none of their watches come up, few nodes are admitted; each watch that does
// makes room.
func TestFewNodesComeUpAtATime(t *testing.T) {
	f, _ := oneNode(t, Config{Watches: Watches()}, func(http.ResponseWriter, *http.Request) {})
	now, end := context.WithCancelCause(t.Context())
	over := errors.New("no room")
	end(over)
	admitted := 0
	for f.admit(now) == nil {
		admitted++
	}
	if want := ahead/len(Watches()) + 1; admitted != want {
		t.Errorf("%d nodes were admitted, want %d", admitted, want)
	}
	if err := f.admit(now); !errors.Is(err, over) {
		t.Errorf("%v", err)
	}
	f.kinds[0].shared.Counts.Came.Add(int64(len(f.kinds)))
	if err := f.admit(now); err != nil {
		t.Errorf("after the first has come up: %v", err)
	}
	if err := f.admit(now); !errors.Is(err, over) {
		t.Errorf("after one more: %v", err)
	}
}

// A node whose first lease came so late that the controllers have given it up tells
// its status in full.
func TestANodeThatWasGivenUpBeforeItsFirstLease(t *testing.T) {
	for waited, want := range map[time.Duration]int{30 * time.Second: 0, 41 * time.Second: 1} {
		f, _ := oneNode(t, Config{}, func(http.ResponseWriter, *http.Request) {})
		n, now := f.nodes[0], f.env.Clock.Now()
		n.awaited = now - int64(waited)
		if f.renewed(n, now); f.agenda.Len() != want {
			t.Errorf("after %s: %d statuses are to be told, want %d", waited, f.agenda.Len(), want)
		}
		if f.renewed(n, now+int64(time.Second)); f.agenda.Len() != want {
			t.Errorf("after %s and a renewal in time: %d statuses are to be told, want %d", waited, f.agenda.Len(), want)
		}
	}
}

// A Node that was there before counts as given up.
func TestANodeThatWasThere(t *testing.T) {
	var node []byte
	f, _ := oneNode(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write(node)
			return
		}
		node, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusConflict)
	})
	n := f.nodes[0]
	if err := f.registerNode(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if f.renewed(n, f.env.Clock.Now()); f.agenda.Len() != 1 {
		t.Errorf("%d statuses are to be told", f.agenda.Len())
	}
}

// What it tells then is all that the controllers may have changed.
func TestAStatusInFull(t *testing.T) {
	told := make(chan string, 10)
	f, _ := oneNode(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- r.Method + " " + string(body)
	})
	f.state(t.Context(), f.nodes[0], f.env.Clock.Now())
	got := <-told
	f.beats.Wait()
	if !strings.HasPrefix(got, "PATCH ") || !strings.Contains(got, `"reason":"KubeletReady"`) {
		t.Errorf("%s", got)
	}
}
