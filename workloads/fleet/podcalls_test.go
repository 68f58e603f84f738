package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// A status that the server did not take is sent again, as all others are, also
// that of a pod that is being made and of one that has crashed.
func TestAStatusThatFailsIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		phase, says string
		begin       func(*kubelet)
	}{
		"being made": {"Pending", "ContainerCreating", func(*kubelet) {}},
		"crashed": {"Running", `"exitCode":1`, func(k *kubelet) {
			k.pods["u"].streak = 1 // not the first, which waits for nothing
			k.crash(context.Background(), k.env.Clock.Now(), k.pods["u"])
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bodies := make(chan string, 10)
			var failed atomic.Bool
			f, _ := oneNode(t, Config{Pods: Pods{Start: unit.OneDuration(time.Hour)}}, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					answerPod(w, 1)
					return
				}
				body, _ := io.ReadAll(r.Body)
				if !failed.Swap(true) {
					w.WriteHeader(http.StatusInternalServerError)
				}
				bodies <- string(body)
			})
			ctx, cancel := context.WithCancel(t.Context())
			var ran sync.WaitGroup
			ran.Go(func() { f.agenda.Run(ctx) })
			k := f.nodes[0].kubelet
			p := podIs("u", c.phase, false)
			p.Containers = []lean.Container{{Name: "main"}}
			k.see("ADDED", f.env.Clock.Now(), p)
			c.begin(k)
			for i := range 2 {
				if got := <-bodies; !strings.Contains(got, c.says) {
					t.Errorf("patch %d says %s", i, got)
				}
			}
			cancel()
			f.nodes[0].calls.Close()
			ran.Wait()
			if n := f.agenda.Len(); n > 1 { // what comes next: the start, or the start after the back-off
				t.Errorf("%d errands are left", n)
			}
		})
	}
}

// answerPod answers with the pod u, changed that often.
func answerPod(w http.ResponseWriter, generation int64) {
	body, _ := client.Encode(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p-u", Namespace: "ns", UID: "u", Generation: generation}})
	_, _ = w.Write(body)
}

// What a kubelet of v1.36.3 was seen to ask about a pod in its life: it reads it before
// everything, and tells what has changed.
func TestWhatIsAskedAboutAPod(t *testing.T) {
	const (
		read   = "GET /api/v1/namespaces/ns/pods/p-u"
		tell   = "PATCH /api/v1/namespaces/ns/pods/p-u/status "
		remove = "DELETE /api/v1/namespaces/ns/pods/p-u"
	)
	seen := tell + "Pending, sandbox False, observed 1"
	sandbox := tell + "Pending, sandbox True, observed 1"
	runs := tell + "Running, sandbox True, observed 1"
	for name, c := range map[string]struct {
		counts bool // whether the server counts generations
		begin  func(k *kubelet)
		want   []string
	}{
		"starts": {true, func(k *kubelet) { k.see("ADDED", k.env.Clock.Now(), podIs("u", "Pending", false)) }, []string{read, seen, read, sandbox, read, runs}},
		"is deleted": {true, func(k *kubelet) { k.see("ADDED", k.env.Clock.Now(), podIs("u", "Running", true)) },
			[]string{read, tell + ", observed 2", read, tell + "Succeeded, sandbox True, observed 2", read, remove}},
		"is deleted at a server of v1.32": {false, func(k *kubelet) { k.see("ADDED", k.env.Clock.Now(), podIs("u", "Running", true)) },
			[]string{read, read, tell + "Succeeded, sandbox True", read, remove}},
		"runs as the kubelet starts": {true, func(k *kubelet) { k.see("LISTED", k.env.Clock.Now(), podIs("u", "Running", false)) }, []string{read}},
		"runs as the kubelet starts, and the server thinks otherwise": {true, func(k *kubelet) {
			p := podIs("u", "Running", false)
			p.Ready = false
			k.see("LISTED", k.env.Clock.Now(), p)
		}, []string{read, runs}},
		"is another by now": {true, func(k *kubelet) {
			p := podIs("other", "Running", true)
			p.Name = "p-u"
			k.see("ADDED", k.env.Clock.Now(), p)
		}, []string{read, read}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			generation := int64(0)
			if c.counts {
				generation = 1
				if strings.Contains(name, "deleted") {
					generation = 2
				}
			}
			// Of statuses that are due together a kubelet tells the last: where the
			// machine was too slow for each to be told in its time, there is more.
			for takes := 60 * time.Millisecond; ; takes *= 4 {
				asked := askedAboutAPod(t, takes, generation, c.begin, c.want)
				if slices.Equal(asked, c.want) {
					return
				}
				if !overtaken(asked, c.want) || takes > time.Minute {
					t.Fatalf("asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

// askedAboutAPod is what a kubelet asks that takes so long for whatever it does to a
// pod, until it has asked all that is wanted, or the last of it.
func askedAboutAPod(t *testing.T, takes time.Duration, generation int64, begin func(*kubelet), want []string) []string {
	t.Helper()
	requests := make(chan string, 20)
	f, got := oneNode(t, Config{Pods: Pods{Start: unit.OneDuration(takes), Stop: unit.OneDuration(takes)}}, func(w http.ResponseWriter, r *http.Request) {
		what := r.Method + " " + r.URL.Path
		switch r.Method {
		case http.MethodGet:
			answerPod(w, generation)
		case http.MethodPatch:
			what += " " + toldBy(r.Body)
		}
		requests <- what
	})
	ctx, cancel := context.WithCancel(t.Context())
	var ran sync.WaitGroup
	ran.Go(func() { f.agenda.Run(ctx) })
	begin(f.nodes[0].kubelet)
	var asked []string
	last := want[len(want)-1]
	for len(asked) < len(want) && (len(asked) == 0 || asked[len(asked)-1] != last || !strings.HasPrefix(last, "PATCH")) {
		select {
		case what := <-requests:
			asked = append(asked, what)
		case <-time.After(2*takes + 30*time.Second):
			t.Fatalf("asked\n%s\nand no more", strings.Join(asked, "\n"))
		}
	}
	cancel()
	ran.Wait()
	if n := f.agenda.Len(); n > 0 {
		t.Errorf("%d errands are left", n)
	}
	close(requests)
	for more := range requests {
		asked = append(asked, more)
	}
	got.rec.Close()
	for verb, w := range got.by {
		if len(w.Errors) > 0 {
			t.Errorf("%s failed: %v", verb, w.Errors)
		}
	}
	return asked
}

// overtaken says whether what was asked is what is wanted, but for statuses of which
// the last was due before they could be told.
func overtaken(asked, want []string) bool {
	if len(asked) == 0 || len(asked) >= len(want) || asked[len(asked)-1] != want[len(want)-1] {
		return false
	}
	for _, what := range asked {
		at := slices.Index(want, what)
		if at < 0 {
			return false
		}
		want = want[at+1:]
	}
	return true
}

// toldBy is what a patch says of a pod, in short.
func toldBy(body io.Reader) string {
	var s statusOf
	if err := json.NewDecoder(body).Decode(&s); err != nil {
		return err.Error()
	}
	out := string(s.Status.Phase)
	for _, c := range s.Status.Conditions {
		if c.Type == corev1.PodReadyToStartContainers {
			out += ", sandbox " + string(c.Status)
		}
	}
	if s.Status.ObservedGeneration > 0 {
		out += fmt.Sprintf(", observed %d", s.Status.ObservedGeneration)
	}
	return out
}

// A deleted pod that somebody else has removed by now is no failure of the kubelet's
// requests; one that was never deleted, and is not there, is.
func TestAPodThatIsGoneIsAFailureOnlyWhereNobodyDeletedIt(t *testing.T) {
	f, _ := oneNode(t, Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	k := f.nodes[0].kubelet
	k.see("ADDED", 0, podIs("u", "Running", false))
	p := k.pods["u"]
	missing := client.Answer{Status: http.StatusNotFound, Code: "404"}
	if a := k.expected(p, missing); a.Code != "404" {
		t.Errorf("a running pod that is not there counts as %q", a.Code)
	}
	k.see("MODIFIED", 0, podIs("u", "Running", true))
	if a := k.expected(p, missing); !a.OK() {
		t.Errorf("a deleted pod that is gone counts as %q", a.Code)
	}
	k.see("DELETED", 0, podIs("u", "Running", true))
	if a := k.expected(p, missing); !a.OK() {
		t.Errorf("a pod that was seen to go counts as %q", a.Code)
	}
	if a := k.expected(p, client.Answer{Status: http.StatusConflict, Code: "409"}); a.OK() {
		t.Error("a conflict counts as a success")
	}
}
