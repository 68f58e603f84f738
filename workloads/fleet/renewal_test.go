package fleet

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/workloads/client"
)

// asks is a server of one lease: it takes down what it is asked for, and answers
// with what answer says, which may take its time.
type asks struct {
	mu      sync.Mutex
	methods []string
	lease   []byte
	answer  func(method string, nth int) (status int) // nth of that method, from 1
}

func asked(t *testing.T, answer func(method string, nth int) int) *asks {
	t.Helper()
	lease, err := client.Encode(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "fleet-00000", ResourceVersion: "7"}})
	if err != nil {
		t.Fatal(err)
	}
	return &asks{lease: lease, answer: answer}
}

func (a *asks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.methods = append(a.methods, r.Method)
	nth := strings.Count(strings.Join(a.methods, " "), r.Method)
	a.mu.Unlock()
	status := a.answer(r.Method, nth)
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	if status == http.StatusOK || status == http.StatusCreated {
		_, _ = w.Write(a.lease)
	}
}

func (a *asks) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.methods, " ")
}

// A heartbeat counts once, from its time until the lease is renewed, whatever
// requests that takes; they count by themselves, and what the server takes for one
// is no lateness of storm's in the next.
func TestARenewalCountsFromItsHeartbeatWhateverCameBeforeIt(t *testing.T) {
	const slow = time.Second
	server := asked(t, func(method string, _ int) int {
		if method == http.MethodGet {
			time.Sleep(slow)
		}
		return http.StatusOK
	})
	f, got := oneNode(t, Config{}, server.ServeHTTP)
	over := make(chan struct{})
	f.renew(t.Context(), f.nodes[0], f.env.Clock.Now(), nil, func() { close(over) })
	<-over
	by := got.close()
	if by["renew"].OK != 1 || by["update"].OK != 1 || by["get"].OK != 1 || server.String() != "GET PUT" {
		t.Fatalf("%s: counted %+v", server, by)
	}
	if took := longest(t, by["renew"]); took < slow*9/10 {
		t.Errorf("the renewal is said to have taken %s", took)
	}
	if took, lag := longest(t, by["update"]), time.Duration(by["update"].LagMax); took >= slow || lag >= slow {
		t.Errorf("the update is said to have taken %s, and to have been sent %s late", took, lag)
	}
}

// longest is the longest that a window has, as its histogram knows it.
func longest(t *testing.T, w rundir.Window) time.Duration {
	t.Helper()
	h, err := rundir.DecodeHist(w.Hist)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(h.Max()) * time.Microsecond
}

// A heartbeat that was due while the one before was under way waits for the
// server, not for storm; the one before has failed.
func TestAHeartbeatThatWaitsIsNotSentLate(t *testing.T) {
	const slow = time.Second
	f, got := oneNode(t, Config{}, asked(t, func(_ string, nth int) int {
		if nth > 1 {
			return http.StatusOK
		}
		time.Sleep(slow)
		return http.StatusInternalServerError
	}).ServeHTTP)
	f.nodes[0].leaseVersion, f.nodes[0].renewed = "7", 1
	var over sync.WaitGroup
	over.Add(2)
	for range 2 {
		f.renew(t.Context(), f.nodes[0], f.env.Clock.Now(), nil, over.Done)
	}
	over.Wait()
	by := got.close()
	update, renew := by["update"], by["renew"]
	if update.OK != 1 || update.Errors["500"] != 1 || renew.OK != 1 || renew.Errors["500"] != 1 || time.Duration(update.LagMax) >= slow {
		t.Errorf("counted %+v", by)
	}
}

// A lease that could not be renewed is tried again as a kubelet does it: five
// updates, then it is asked for until there is an answer, and the updates again.
func TestALeaseIsTriedAgainAsAKubeletDoesIt(t *testing.T) {
	const put, five = http.MethodPut, "PUT PUT PUT PUT PUT"
	for name, c := range map[string]struct {
		answer func(method string, nth int) int
		want   string
		ok     uint64
		atMost uint64        // of failed renewals
		least  time.Duration // that the renewal takes
	}{
		"a conflict": {func(method string, nth int) int {
			if method == put && nth == 1 {
				return http.StatusConflict
			}
			return http.StatusOK
		}, "PUT GET PUT", 1, 0, 0},
		"a server that is soon well": {func(method string, nth int) int {
			if method == put && nth < 5 {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}, five, 1, 0, 0},
		"a server that answers no question": {func(method string, nth int) int {
			if method == put && nth <= 5 || method == http.MethodGet && nth <= 2 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}, five + " GET GET GET PUT", 1, 0, firstLeaseRest + 2*firstLeaseRest},
		"a server that says when to come again": {func(method string, nth int) int {
			if nth <= 1 {
				return http.StatusTooManyRequests
			}
			return http.StatusOK
		}, "PUT PUT", 1, 0, time.Second},
		"a lease that is gone": {func(method string, _ int) int {
			if method == http.MethodPost {
				return http.StatusCreated
			}
			return http.StatusNotFound
		}, five + " GET POST", 1, 0, 0},
		"a lease that goes between two updates": {func(method string, nth int) int {
			switch {
			case method == http.MethodPost:
				return http.StatusCreated
			case method == http.MethodGet:
				return http.StatusNotFound
			case nth == 1:
				return http.StatusConflict
			}
			return http.StatusOK
		}, "PUT GET POST PUT", 1, 0, 0},
		"a lease that nobody knows, and no update of it is taken": {func(method string, _ int) int {
			if method == put {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}, "GET " + five, 0, 1, 0},
		"a server that takes no update": {func(method string, _ int) int {
			if method == put {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}, five + " GET " + five, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := asked(t, c.answer)
			f, got := oneNode(t, Config{}, server.ServeHTTP)
			ctx, end := context.WithCancel(t.Context())
			f.alive.Go(func() { f.agenda.Run(ctx) })
			if f.nodes[0].renewed = 1; !strings.Contains(name, "nobody knows") {
				f.nodes[0].leaseVersion = "1"
			}
			f.beats.Add(1)
			f.renew(ctx, f.nodes[0], f.env.Clock.Now(), nil, f.beats.Done)
			if !eventually(func() bool { return !f.nodes[0].underWay() }) {
				t.Fatalf("asked %s, and the renewal is not over", server)
			}
			end()
			f.alive.Wait()
			f.beats.Wait()
			renew := got.close()["renew"]
			if server.String() != c.want || renew.OK != c.ok || len(renew.Errors) > int(c.atMost) || c.ok == 0 && renew.Errors["500"] != 1 {
				t.Errorf("asked %s, want %s; counted %+v", server, c.want, renew)
			}
			if c.ok == 1 && longest(t, renew) < c.least {
				t.Errorf("the renewal is said to have taken %s", longest(t, renew))
			}
		})
	}
}

// underWay says whether a renewal of the node's is, or rests.
func (n *node) underWay() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.renewing
}

// eventually waits until something is true.
func eventually(is func() bool) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if is() {
			return true
		}
	}
	return is()
}

// A heartbeat that was due while the one before was under way goes on where that
// one failed: it rests, or has fewer updates left.
func TestAHeartbeatGoesOnWhereTheOneBeforeFailed(t *testing.T) {
	for name, c := range map[string]struct{ known, want string }{"asking": {"", "GET"}, "renewing": {"7", "PUT PUT PUT PUT PUT GET"}} {
		t.Run(name, func(t *testing.T) {
			due := make(chan struct{})
			var held sync.Once // the first request
			server := asked(t, func(string, int) int {
				held.Do(func() { <-due })
				return http.StatusInternalServerError
			})
			f, got := oneNode(t, Config{}, server.ServeHTTP)
			f.nodes[0].leaseVersion, f.nodes[0].renewed = c.known, 1
			var over sync.WaitGroup
			over.Add(2)
			for range 2 {
				f.renew(t.Context(), f.nodes[0], f.env.Clock.Now(), nil, over.Done)
			}
			close(due)
			over.Wait() // both are over, or rest
			if renew := got.close()["renew"]; server.String() != c.want || renew.Errors["500"] != 1 || f.nodes[0].rest != 1 {
				t.Errorf("asked %s, want %s; counted %+v", server, c.want, renew)
			}
		})
	}
}

// A renewal that rests is no request under way; the next heartbeat takes its
// place, and it has failed. One that the load's end finds resting has not ended,
// if it was due long before; of a kubelet that was stopped nothing is counted.
func TestARenewalThatRests(t *testing.T) {
	rests := func(t *testing.T, cfg Config) (*Fleet, *recorded, func()) {
		f, got := oneNode(t, cfg, asked(t, func(string, int) int { return http.StatusInternalServerError }).ServeHTTP)
		beat := func() {
			over := make(chan struct{})
			f.renew(t.Context(), f.nodes[0], f.env.Clock.Now(), nil, func() { close(over) })
			<-over // as it rests
		}
		beat()
		return f, got, beat
	}
	t.Run("until the next", func(t *testing.T) {
		_, got, beat := rests(t, Config{})
		beat()
		if renew := got.close()["renew"]; renew.OK != 0 || renew.Errors["500"] != 1 {
			t.Errorf("counted %+v", renew)
		}
	})
	t.Run("until the end", func(t *testing.T) {
		f, got, _ := rests(t, Config{Timeout: 10 * time.Second})
		f.settle(f.env.Clock.Now() + int64(time.Minute))
		if renew := got.close()["renew"]; renew.OK != 0 || renew.Errors["unended"] != 1 {
			t.Errorf("counted %+v", renew)
		}
	})
	t.Run("until its kubelet is stopped", func(t *testing.T) {
		f, got, beat := rests(t, Config{})
		f.nodes[0].stop(true, map[string]int{})
		beat()
		if n := f.nodes[0].rest; n != 2 {
			t.Errorf("%d rests", n)
		}
		if renew := got.close()["renew"]; renew.OK != 0 || len(renew.Errors) != 0 {
			t.Errorf("counted %+v", renew)
		}
	})
}

// A status that could not be told is told again, up to five times, and the Node is
// read before each further time.
func TestAStatusIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fails int // patches that fail
		want  string
	}{
		"once":   {1, "PATCH GET PATCH"},
		"always": {9, "PATCH GET PATCH GET PATCH GET PATCH GET PATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			server := asked(t, func(method string, nth int) int {
				if method == http.MethodPatch && nth <= c.fails {
					return http.StatusInternalServerError
				}
				return http.StatusOK
			})
			f, _ := oneNode(t, Config{}, server.ServeHTTP)
			over := make(chan struct{})
			f.report(t.Context(), f.nodes[0], f.env.Clock.Now(), func() { close(over) })
			<-over
			if server.String() != c.want {
				t.Errorf("asked %s, want %s", server, c.want)
			}
		})
	}
}

// A lease lasts four heartbeats, in whole seconds, as the object counts.
func TestALeaseLastsFourHeartbeats(t *testing.T) {
	t.Parallel()
	for heartbeat, want := range map[time.Duration]int32{
		10 * time.Second: 40, 100 * time.Millisecond: 1, 1300 * time.Millisecond: 6, 1000000 * time.Hour: 1<<31 - 1,
	} {
		if got := leaseSeconds(heartbeat); got != want {
			t.Errorf("renewed every %s: %d s, want %d", heartbeat, got, want)
		}
	}
}
