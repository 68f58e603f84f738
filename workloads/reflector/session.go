package reflector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// session is one watch of a reflector, from being due to its end. Its fields are
// guarded by the reflector's lock.
type session struct {
	r      *Reflector
	watch  *client.Watch
	split  lean.Splitter
	opened int64 // when its first byte came; 0: not yet
	over   bool
	giveUp context.CancelFunc // of the list, or of the opening of the watch; nil: none is under way
}

// close marks the session as over and returns the watch to be closed, if there
// is one; the lock is held.
func (s *session) close() *client.Watch {
	if s.over {
		return nil
	}
	s.over = true
	c := &s.r.Shared.Counts
	if s.opened != 0 {
		c.Open.Add(-1)
		if s.r.begun < 0 {
			c.Synced.Add(-1)
		}
	}
	return s.watch
}

// begin lists if need be, and opens the watch.
func (s *session) begin(ctx context.Context, intended int64) {
	r := s.r
	r.mu.Lock()
	version, streaming := r.version, r.Shared.Streaming && !r.plain
	dead := s.over || r.Shared.over.Load()
	timeout := r.Shared.watchTimeout(r.draw())
	anew := r.anew(streaming)
	if dead {
		r.mu.Unlock()
		return
	}
	// What a process that ends has asked for is cancelled with it: it must keep
	// neither the server at work nor the agenda, which the next start needs.
	ctx, s.giveUp = context.WithCancel(ctx)
	r.mu.Unlock()
	defer s.settled()
	if version == 0 && !streaming {
		var ok bool
		if version, ok = s.list(ctx, intended, anew); !ok {
			return
		}
		intended = r.Shared.Clock.Now()
	}
	q := "watch=1&allowWatchBookmarks=true&timeoutSeconds=" + strconv.Itoa(timeout)
	if version == 0 {
		q += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" + anew
	} else {
		q += "&resourceVersion=" + strconv.FormatUint(version, 10)
	}
	w, a := r.Client.Watch(ctx, r.request(q), s)
	if a.Cut || r.Shared.over.Load() {
		r.Shared.cut(a, r.Shared.Watch, intended)
		return
	}
	a.Record(r.Shared.Watch, intended)
	r.mu.Lock()
	switch {
	case !a.OK():
		s.refused(a, version == 0)
	case s.over: // it has ended, or was stopped, meanwhile
	default:
		r.told = 0
		s.watch = w
		w = nil
		if s.opened == 0 {
			s.open(a.Done)
		}
	}
	r.mu.Unlock()
	if w != nil {
		w.Close()
	}
}

// anew is what is asked for where everything is: nothing older than what was seen, or
// the newest where the server does not have that. What begins takes what the watch
// cache has, in a list, and the newest in a stream. As client-go's
// relistResourceVersion and rewatchResourceVersion. The lock is held.
func (r *Reflector) anew(streaming bool) string {
	switch {
	case r.unknown:
		return ""
	case r.seen != 0:
		return "&resourceVersion=" + strconv.FormatUint(r.seen, 10)
	case streaming:
		return ""
	}
	return "&resourceVersion=0"
}

// newest has the reflector ask for the newest at once, where the server does not have
// the version that it asked for; it returns false where it has done so before. The
// lock is held.
func (r *Reflector) newest(a client.Answer) bool {
	if !a.UnknownVersion() || r.unknown {
		return false
	}
	r.unknown = true
	r.schedule(r.Shared.Clock.Now())
	return true
}

// settled notes that nothing is left to be given up.
func (s *session) settled() {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.giveUp()
	s.giveUp = nil
}

// open notes that the watch has begun; the lock is held.
func (s *session) open(at int64) {
	c := &s.r.Shared.Counts
	s.opened = at
	c.Open.Add(1)
	c.Watches.Add(1)
	if s.r.begun < 0 {
		s.r.insync()
	}
}

// mostTold bounds how often in a row a server can make a reflector wait, as
// client-go does.
const mostTold = 10

// asTold goes on as the server says where it asks to come again later: client-go
// waits as it is told and asks again before its reflector hears of a failure. It
// returns false where the server says no such thing, or has said it too often. The
// lock is held.
func (s *session) asTold(a client.Answer) bool {
	r := s.r
	wait := a.Wait()
	if a.Status != http.StatusTooManyRequests || wait == 0 || r.told == mostTold {
		r.told = 0
		return false
	}
	r.told++
	r.schedule(r.Shared.Clock.Now() + int64(wait))
	return true
}

// refused goes on after a watch that was not opened; the lock is held.
func (s *session) refused(a client.Answer, streaming bool) {
	r := s.r
	if s.over {
		return
	}
	s.over = true
	switch {
	case streaming && (a.Status == http.StatusUnprocessableEntity || a.Status == http.StatusBadRequest):
		r.plain = true // the server does not know streaming lists: it is asked for a plain one
		r.schedule(r.Shared.Clock.Now())
		return
	case s.asTold(a), streaming && r.newest(a):
		return
	case a.Status != 0 && a.Status != http.StatusTooManyRequests:
		r.forget() // only what may pass leaves the version as it is
	}
	r.next(0, false)
}

// lasted is how long the watch has been open; the lock is held.
func (s *session) lasted() time.Duration {
	if s.opened == 0 {
		return 0
	}
	return time.Duration(s.r.Shared.Clock.Now() - s.opened)
}

// forget makes the next session list; the lock is held.
func (r *Reflector) forget() {
	if r.version != 0 {
		r.seen = r.version
	}
	r.version = 0
	if r.begun < 0 {
		r.begun, r.took = r.Shared.Clock.Now(), 0
	}
}

func (r *Reflector) request(q string) *client.Request {
	if r.Query != "" {
		q += "&" + r.Query
	}
	req := &client.Request{Method: http.MethodGet, Path: r.Path, Query: strings.TrimPrefix(q, "&"), As: r.As}
	if r.Shared.JSON {
		req.Accept = client.JSON
	}
	return req
}

// bodies are of lists whose objects are wanted.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// list lists as a reflector does, and returns the version to watch from.
func (s *session) list(ctx context.Context, intended int64, anew string) (version uint64, ok bool) {
	r := s.r
	body := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(body)
	body.Reset()
	keep := int64(lean.HeadSize)
	if r.Shared.Objects {
		keep = listSize
	}
	req := r.request(anew)
	if r.Shared.JSON && !r.Shared.Objects {
		req.Tail = &client.Tail{}
	}
	a := r.Client.Do(ctx, req, body, keep)
	if a.Cut || r.Shared.over.Load() {
		r.Shared.cut(a, r.Shared.List, intended)
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.over {
		return 0, false
	}
	var meta lean.ListMeta
	if a.OK() {
		var err error
		if meta, err = s.listed(body.Bytes(), req.Tail, a.Done); err != nil || meta.Version == 0 {
			a.Code = client.CodeMalformed
		}
	}
	a.Record(r.Shared.List, intended)
	r.took += a.Bytes
	if !a.OK() {
		s.over = true
		if !s.asTold(a) && !r.newest(a) {
			r.next(0, false)
		}
		return 0, false
	}
	r.told, r.unknown = 0, false
	r.version = meta.Version
	s.synced(a.Done)
	return meta.Version, true
}

// listed reads the list; the lock is held.
func (s *session) listed(body []byte, tail *client.Tail, at int64) (lean.ListMeta, error) {
	if !s.r.Shared.Objects {
		return lean.EitherEnd(body, tail.Bytes())
	}
	var bad error
	meta, err := s.r.Shared.format().List(body, func(ev lean.Event) {
		bad = errors.Join(bad, s.r.Sink.Event(at, ev))
	})
	return meta, errors.Join(err, bad)
}

// synced notes that everything that was there has been seen; the lock is held.
func (s *session) synced(at int64) {
	r := s.r
	if r.begun >= 0 {
		if r.Shared.Sync != nil {
			r.Shared.Sync.Record(r.begun, r.begun, at, "", r.took)
		}
		r.begun = -max(at, 1)
		if s.opened != 0 {
			r.insync()
		}
	}
	if r.Sink != nil {
		r.Sink.Synced(at)
	}
}

// insync counts a watch that is open and has seen everything that was there; the
// lock is held.
func (r *Reflector) insync() {
	c := &r.Shared.Counts
	c.Synced.Add(1)
	if !r.came {
		r.came = true
		c.Came.Add(1)
	}
}

// Data implements client.BodySink.
func (s *session) Data(p []byte) {
	r := s.r
	r.mu.Lock()
	if s.over {
		r.mu.Unlock()
		return
	}
	now := r.Shared.Clock.Now()
	if s.opened == 0 {
		s.open(now)
	}
	r.Shared.Counts.Bytes.Add(int64(len(p)))
	r.Shared.Watch.AddBytes(int64(len(p)))
	if r.begun >= 0 {
		r.took += int64(len(p))
	}
	err := s.split.Feed(p, func(frame []byte) error { return s.event(now, frame) })
	var w *client.Watch
	if err != nil {
		w = s.broken(err)
	}
	r.mu.Unlock()
	if w != nil {
		w.Close()
	}
}

// event takes one event; the lock is held.
func (s *session) event(now int64, frame []byte) error {
	r := s.r
	ev, err := s.split.Format.Event(frame)
	if err != nil {
		return err
	}
	version, err := ev.Version()
	if err != nil {
		return err
	}
	if ev.Type != "BOOKMARK" {
		if r.begun >= 0 {
			ev.Type = "LISTED" // an initial event of a streaming list
		}
		r.Shared.Counts.Events.Add(1)
		if r.Sink != nil {
			if err := r.Sink.Event(now, ev); err != nil {
				return err
			}
		}
	}
	// Within a streaming list the versions are the objects', in no order: only
	// its end says where to go on from.
	if r.begun < 0 || ev.EndsInitial() {
		if version != 0 {
			r.version = version
		}
		if r.begun >= 0 {
			r.unknown = false
			s.synced(now)
		}
	}
	return nil
}

// End implements client.BodySink.
func (s *session) End(err error) {
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.over {
		return
	}
	if err == nil && s.split.Partial() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		s.broken(err)
		return
	}
	lasted := s.lasted()
	s.close()
	if r.Shared.over.Load() {
		return
	}
	if r.begun >= 0 {
		r.version = 0
	}
	r.next(lasted, true)
}

// broken goes on after a watch that ended otherwise than in good order, and
// returns it to be closed; the lock is held.
func (s *session) broken(err error) *client.Watch {
	r := s.r
	lasted := s.lasted()
	w := s.close()
	if r.Shared.over.Load() {
		return w
	}
	code := client.CodeOf(err)
	var status *lean.StatusError
	switch {
	case errors.As(err, &status):
		code = strconv.Itoa(status.Code)
		r.unknown = r.unknown || status.Code == http.StatusGone && r.begun >= 0 // what it was to begin with
		r.forget()
	case errors.Is(err, lean.ErrMalformed):
		code = client.CodeMalformed
		r.forget()
	}
	if r.begun >= 0 {
		r.version = 0
	}
	now := r.Shared.Clock.Now()
	r.Shared.Watch.Observe(now, now, code, 0)
	r.next(lasted, false)
	return w
}
