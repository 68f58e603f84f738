package reflector

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
)

// A server that misbehaves makes a reflector pause, resume or list anew; it is
// counted and named, and the reflector always comes back.
func TestAReflectorComesBackFromWhateverTheServerDoes(t *testing.T) {
	gone := &metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired, Message: "too old resource version"}
	const listed = "LISTED z, LISTED y, synced"
	for _, c := range []struct {
		name      string
		streaming bool
		answers   []answer // in order; what comes after them is left unanswered
		asked     string
		codes     string // what was counted as failed
		saw       string
	}{
		{"ended in good order", false, []answer{write(list), write()}, "list, watch 7, watch 7", "", listed},
		{"ended after events", false, []answer{write(list), write(event("ADDED", pod("a", "8")), bookmark("12"))},
			"list, watch 7, watch 12", "", listed + ", ADDED a"},
		{"ended after a deletion", false, []answer{write(list), write(event("MODIFIED", pod("z", "8")), event("DELETED", pod("z", "9")))},
			"list, watch 7, watch 9", "", listed + ", MODIFIED z, DELETED z"},
		{"expired", false, []answer{write(list), status(410)}, "list, watch 7, list 7", "watch 410", listed},
		{"expired in the stream", false, []answer{write(list), write(event("ERROR", gone))}, "list, watch 7, list 7", "watch 410", listed},
		{"expired, and the list as well", false, []answer{write(list), status(410), status(410), write(list), write()},
			"list, watch 7, list 7, list newest, watch 7, watch 7", "list 410, watch 410", listed + ", " + listed},
		{"ahead of a server that was restored", false, []answer{write(list), status(410), ahead, write(list), write()},
			"list, watch 7, list 7, list newest, watch 7, watch 7", "list 504 future-revision, watch 410", listed + ", " + listed},
		{"expired, and even the newest", false, []answer{write(list), status(410), status(410), status(410)},
			"list, watch 7, list 7, list newest, list newest", "list 410, list 410, watch 410", listed},
		{"overloaded", false, []answer{write(list), status(429)}, "list, watch 7, watch 7", "watch 429", listed},
		{"told to come again", false, []answer{write(list), later("1")}, "list, watch 7, watch 7", "watch 429 retry-after", listed},
		{"told to come again at once", false, []answer{write(list), later("0")}, "list, watch 7, watch 7", "watch 429 retry-after", listed},
		{"told to come again, in words", false, []answer{write(list), later("soon")}, "list, watch 7, watch 7", "watch 429 retry-after", listed},
		{"broken inside", false, []answer{write(list), status(500)}, "list, watch 7, list 7", "watch 500", listed},
		{"forbidden", false, []answer{write(list), status(403)}, "list, watch 7, list 7", "watch 403", listed},
		{"cut off within an event", false, []answer{write(list), write(event("ADDED", pod("a", "8")), cutOff(event("ADDED", pod("b", "9"))))},
			"list, watch 7, watch 8", "watch eof", listed + ", ADDED a"},
		{"reset", false, []answer{write(list), abort}, "list, watch 7, watch 7", "watch reset", listed},
		{"reset in the stream", false, []answer{write(list), abortWithin}, "list, watch 7, watch 7", "watch reset", listed},
		{"an event that is none", false, []answer{write(list), write(bytesOf(0, 0, 0, 3, 0xff, 0xff, 0xff, '\n'))}, "list, watch 7, list 7", "watch malformed", listed},
		{"a version that is none", false, []answer{write(list), write(event("ADDED", pod("a", "x")))}, "list, watch 7, list 7", "watch malformed", listed},
		{"an object that is none", false, []answer{write(list), write(event("ADDED", pod("hostile", "8")))}, "list, watch 7, list 7", "watch malformed", listed},
		{"a list overloaded", false, []answer{status(429), write(list), write()}, "list, list, watch 7, watch 7", "list 429", listed},
		{"a list told to come again", false, []answer{later("1"), write(list), write()}, "list, list, watch 7, watch 7", "list 429 retry-after", listed},
		{"a list gzipped", false, []answer{gzipped(list), write()}, "list, watch 7, watch 7", "", listed},
		{"a list gzipped, and cut off", false, []answer{gzipped(cutOff(list)), write(list)}, "list, list, watch 7", "list malformed", listed},
		{"a list cut off", false, []answer{write(cutOff(list)), write(list), write()}, "list, list, watch 7, watch 7", "list malformed", listed},
		{"a list of nothing", false, []answer{write(), write(list)}, "list, list, watch 7", "list malformed", listed},
		{"a list without a version", false, []answer{write(func(e encoding) []byte { return e.list(&corev1.PodList{}) }), write(list)},
			"list, list, watch 7", "list malformed", listed},

		{"streaming, ended in good order", true, []answer{write(event("ADDED", pod("z", "5")), endOfList("7"))}, "stream, watch 7", "", "LISTED z, synced"},
		{"streaming, ended after events", true, []answer{write(event("ADDED", pod("z", "5")), endOfList("7"), event("ADDED", pod("a", "8")))},
			"stream, watch 8", "", "LISTED z, synced, ADDED a"},
		{"streaming, not known", true, []answer{status(422), write(list), write()}, "stream, list, watch 7, watch 7", "watch 422", listed},
		{"streaming, refused", true, []answer{status(400), write(list), write()}, "stream, list, watch 7, watch 7", "watch 400", listed},
		{"streaming, not known, and expired later", true, []answer{status(422), write(list), status(410)}, "stream, list, watch 7, list 7", "watch 410, watch 422", listed},
		{"streaming, ended within the initial events", true, []answer{write(event("ADDED", pod("z", "9"))), write(event("ADDED", pod("z", "9")), endOfList("9"))},
			"stream, stream, watch 9", "", "LISTED z, LISTED z, synced"},
		{"streaming, a bookmark within the initial events", true, []answer{write(event("ADDED", pod("z", "9")), bookmark("9"))}, "stream, stream", "", "LISTED z"},
		{"streaming, reset within the initial events", true, []answer{abortWithin}, "stream, stream", "watch reset", ""},
		{"streaming, cut off within the initial events", true, []answer{write(event("ADDED", pod("z", "5")), cutOff(endOfList("7")))}, "stream, stream", "watch eof", "LISTED z"},
		{"streaming, expired later", true, []answer{write(endOfList("7")), status(410), write(endOfList("9"))}, "stream, watch 7, stream 7, watch 9", "watch 410", "synced, synced"},
		{"streaming, expired later, and again", true, []answer{write(endOfList("7")), status(410), status(410), write(endOfList("9")), status(410)},
			"stream, watch 7, stream 7, stream, watch 9, stream 9", "watch 410, watch 410, watch 410", "synced, synced"},
		{"streaming, ahead of a server that was restored", true, []answer{write(endOfList("7")), status(410), ahead, write(endOfList("3"))},
			"stream, watch 7, stream 7, stream, watch 3", "watch 410, watch 504 future-revision", "synced, synced"},
		{"streaming, expired within the initial events", true, []answer{write(endOfList("7")), status(410), write(event("ERROR", gone)), write(endOfList("9"))},
			"stream, watch 7, stream 7, stream, watch 9", "watch 410, watch 410", "synced, synced"},
		{"streaming, overloaded", true, []answer{status(429)}, "stream, stream", "watch 429", ""},
	} {
		for _, e := range encodings {
			t.Run(c.name+"/"+e.name, func(t *testing.T) {
				s := serve(t, e, c.answers...)
				r := s.reflector(c.streaming)
				r.Start(s.clock.Now())
				want := strings.Split(c.asked, ", ")
				s.await(func() bool { return len(s.asked) >= len(want) })
				r.Stop()
				s.check(c.asked, c.saw)
				if got := s.codes(); got != c.codes {
					t.Errorf("counted %q, want %q", got, c.codes)
				}
				if n := r.Shared.Counts.Open.Load(); n != 0 {
					t.Errorf("%d watches are counted as open after the end", n)
				}
				if n := r.Shared.Counts.Synced.Load(); n != 0 {
					t.Errorf("%d reflectors are counted as synced after the end", n)
				}
			})
		}
	}
}

// The other encoding than the one asked for is malformed; the reflector never
// guesses.
func TestTheWrongEncodingIsMalformed(t *testing.T) {
	for i, e := range encodings {
		other := encodings[(i+1)%len(encodings)]
		t.Run(e.name, func(t *testing.T) {
			wrong := func(encoding) []byte { return event("ADDED", pod("a", "8"))(other) }
			s := serve(t, e, write(list), write(wrong, bytesOf('\n')))
			r := s.reflector(false)
			r.Start(s.clock.Now())
			s.await(func() bool { return len(s.asked) >= 3 })
			r.Stop()
			s.check("list, watch 7, list 7", "LISTED z, LISTED y, synced")
			if got := s.codes(); got != "watch malformed" {
				t.Errorf("counted %q", got)
			}
		})
	}
}

// A reflector that was stopped asks for nothing and hands nothing on; started
// again, it remembers nothing.
func TestAReflectorStopsAndStartsAnew(t *testing.T) {
	for _, e := range encodings {
		for _, streaming := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, streaming %v", e.name, streaming), func(t *testing.T) {
				first := []answer{write(list), open(event("ADDED", pod("a", "8")))}
				want, saw := "list, watch 7", "LISTED z, LISTED y, synced, ADDED a"
				if streaming {
					first = []answer{open(event("ADDED", pod("z", "5")), endOfList("7"), event("ADDED", pod("a", "8")))}
					want, saw = "stream", "LISTED z, synced, ADDED a"
				}
				s := serve(t, e, append(first, first...)...)
				r := s.reflector(streaming)
				counts := &r.Shared.Counts
				r.Start(s.clock.Now())
				s.await(func() bool { return strings.HasSuffix(s.sawAll(), "ADDED a") })
				s.await(func() bool { return counts.Open.Load() == 1 })
				if synced := counts.Synced.Load(); synced != 1 {
					t.Errorf("%d synced, want 1", synced)
				}
				r.Stop()
				if open, synced := counts.Open.Load(), counts.Synced.Load(); open != 0 || synced != 0 {
					t.Errorf("stopped, and %d open, %d synced", open, synced)
				}
				// The server sees the watch closed before the next is asked for.
				s.await(func() bool { return s.closed == 1 })
				s.check(want, saw)
				r.Start(s.clock.Now())
				s.await(func() bool { return s.sawAll() == saw+", "+saw })
				s.await(func() bool { return counts.Open.Load() == 1 })
				r.Shared.End()
				r.Stop()
				s.check(want+", "+want, saw+", "+saw)
				if got := s.codes(); got != "" {
					t.Errorf("counted %q", got)
				}
				if n := counts.Watches.Load(); n != 2 {
					t.Errorf("%d watches begun, want 2", n)
				}
			})
		}
	}
}

func TestHowLongAWatchLasts(t *testing.T) {
	for _, c := range []struct {
		rewatch     unit.Durations
		least, most int
	}{
		{unit.Durations{}, 300, 599}, // as client-go asks
		{unit.BetweenDurations(2*time.Second, 4*time.Second), 2, 3},
		{unit.OneDuration(time.Millisecond), 1, 1}, // 0 would be for ever
	} {
		s := &Shared{Rewatch: c.rewatch}
		if least, most := s.watchTimeout(0), s.watchTimeout(.9999); least != c.least || most != c.most {
			t.Errorf("%s: from %d to %d s, want %d to %d", c.rewatch, least, most, c.least, c.most)
		}
	}
}

// A list that hangs ends at the server when its reflector is stopped, and the
// agenda is free for the next at once; it is no failure of the server's.
func TestStoppingGivesUpTheListUnderWay(t *testing.T) {
	for _, streaming := range []bool{false, true} { // a watch whose beginning hangs is the same
		t.Run(fmt.Sprintf("streaming %v", streaming), func(t *testing.T) {
			s := serve(t, encodings[0])
			r := s.reflector(streaming)
			r.Start(s.clock.Now())
			s.await(func() bool { return len(s.asked) == 1 })
			if _, syncing := r.Stop(); !syncing {
				t.Error("it had not seen everything, and is said to have")
			}
			free := make(chan struct{})
			s.about.Add(s.clock.Now(), func(context.Context, int64) { close(free) })
			select {
			case <-free:
			case <-time.After(10 * time.Second):
				t.Fatal("the list still holds the agenda")
			}
			s.await(func() bool { return s.closed == 1 })
			if got := s.codes(); got != "" {
				t.Errorf("counted %q", got)
			}
		})
	}
}

// A list, or the beginning of a watch, that hangs when the load ends counts if it
// had been waited for for long.
func TestWhatHangsWhenTheLoadEndsIsCounted(t *testing.T) {
	for want, streaming := range map[string]bool{"list unended": false, "watch unended": true} {
		t.Run(want, func(t *testing.T) {
			s := serve(t, encodings[0])
			calls, err := client.New(s.rest, s.clock, 2*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer calls.Close()
			r := s.reflector(streaming)
			r.Client = calls
			r.Start(s.clock.Now())
			s.await(func() bool { return len(s.asked) == 1 })
			time.Sleep(600 * time.Millisecond) // more than a quarter of the deadline
			r.Shared.End()
			s.end()
			if got := s.codes(); got != want {
				t.Errorf("counted %q", got)
			}
		})
	}
}

// What a server asks to come again for later is asked for then, as often in a row
// as client-go does it, and no more; it does not lengthen the back-off.
func TestHowOftenAReflectorComesAgainAsItIsTold(t *testing.T) {
	clock := measure.NewClock()
	r := &Reflector{Shared: &Shared{Clock: clock, Agenda: agenda.New(clock, 1), FirstPause: time.Hour}, pause: time.Hour}
	s := &session{r: r}
	told := client.Answer{Status: http.StatusTooManyRequests, RetryAfter: "1"}
	for round := range 2 {
		for i := range mostTold {
			if !s.asTold(told) {
				t.Errorf("round %d: it gives up after %d times", round, i)
			}
		}
		if s.asTold(told) {
			t.Errorf("round %d: it comes again more than %d times", round, mostTold)
		}
	}
	for name, a := range map[string]client.Answer{
		"not told": {Status: http.StatusTooManyRequests}, "another status": {Status: http.StatusServiceUnavailable, RetryAfter: "1"},
	} {
		if s.asTold(a) {
			t.Errorf("%s: it comes again as if it were", name)
		}
	}
	if r.pause != time.Hour {
		t.Errorf("the next pause is %s", r.pause)
	}
}
