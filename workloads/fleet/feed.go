package fleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// podSink takes what a feed learns about pods. A Pod is valid during the call.
type podSink interface {
	// pod takes one pod: LISTED, ADDED, MODIFIED or DELETED, seen at that time.
	pod(kind string, at int64, p *lean.Pod)
	// listed says that a list is complete: what it did not hold is gone.
	listed()
}

// feed lists pods and watches them from there, as a reflector of client-go
// does: a watch that the server ends in good order is resumed at once, a
// broken one after a pause that grows, and one whose resourceVersion the
// server no longer has (410), or that is refused, after a new list.
type feed struct {
	client      *client.Client
	clock       *measure.Clock
	as          client.User
	selector    string // a field selector; empty for all pods
	list, watch *measure.Series
	sink        podSink
	rng         *rand.Rand
	firstPause  time.Duration // 0: defaultPause

	version string // resourceVersion to watch from; empty before the first list
}

// The pauses of a reflector: they double from the first to the last, are
// stretched at random to as much as twice their length, and start anew once it
// has gone well for a while.
const (
	defaultPause = 800 * time.Millisecond
	lastPause    = 30 * time.Second
	goneWell     = 2 * time.Minute
)

// Reflectors ask the server to end a watch after this long, or up to twice.
const watchTimeout = 5 * time.Minute

// shortWatch is how long a watch must last to be resumed without a pause.
const shortWatch = time.Second

// listSize bounds what is held of a list.
const listSize = 256 << 20

// run feeds the sink from the given time until ctx ends.
func (f *feed) run(ctx context.Context, at int64) {
	first := cmp.Or(f.firstPause, defaultPause)
	pause := first
	for f.sleep(ctx, at) {
		begun := f.clock.Now()
		again := f.once(ctx, at)
		lasted := time.Duration(f.clock.Now() - begun)
		at = f.clock.Now()
		if again && lasted >= shortWatch {
			continue
		}
		if lasted >= goneWell {
			pause = first
		}
		at += int64(pause) + f.rng.Int64N(int64(pause))
		pause = min(2*pause, lastPause)
	}
}

// sleep waits until the clock has reached at, or returns false when ctx ended.
func (f *feed) sleep(ctx context.Context, at int64) bool {
	if left := time.Duration(at - f.clock.Now()); left > 0 {
		t := time.NewTimer(left)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// once lists if need be and watches until the watch ends; it returns whether
// it ended in good order.
func (f *feed) once(ctx context.Context, intended int64) bool {
	if f.version == "" {
		if !f.relist(ctx, intended) {
			return false
		}
		intended = f.clock.Now()
	}
	stream, a := f.client.Watch(ctx, f.request(url.Values{
		"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {f.version},
		"timeoutSeconds": {strconv.Itoa(int(watchTimeout.Seconds() * (1 + f.rng.Float64())))},
	}))
	a.Record(f.watch, intended)
	if !a.OK() {
		// Only what may pass leaves the version as it is.
		if a.Status != 0 && a.Status != http.StatusTooManyRequests {
			f.version = ""
		}
		return false
	}
	defer stream.Close()
	err := lean.Events(stream, f.event)

	var status *lean.StatusError
	switch {
	case ctx.Err() != nil, errors.Is(err, io.EOF):
		return true
	case errors.As(err, &status):
		f.version = ""
		f.broke(strconv.Itoa(status.Code))
	case errors.Is(err, lean.ErrMalformed):
		f.version = ""
		f.broke(client.CodeMalformed)
	default:
		f.broke(client.CodeOf(err))
	}
	return false
}

// broke counts a watch that ended otherwise than in good order.
func (f *feed) broke(code string) {
	now := f.clock.Now()
	f.watch.Record(now, now, now, code, 0)
}

func (f *feed) event(ev lean.Event) error {
	var p lean.Pod
	if err := p.Read(ev.Object); err != nil {
		return err
	}
	f.version = p.ResourceVersion
	if ev.Type != "BOOKMARK" {
		f.sink.pod(ev.Type, f.clock.Now(), &p)
	}
	return nil
}

// relist lists the pods from the watch cache, as a reflector does.
func (f *feed) relist(ctx context.Context, intended int64) bool {
	var body bytes.Buffer
	a := f.client.Do(ctx, f.request(url.Values{"resourceVersion": {"0"}}), &body, listSize)
	var version string
	if a.OK() {
		var err error
		version, err = lean.List(body.Bytes(), func(p *lean.Pod) { f.sink.pod("LISTED", a.Done, p) })
		if err != nil || version == "" {
			a.Code = client.CodeMalformed
		}
	}
	a.Record(f.list, intended)
	if !a.OK() {
		return false
	}
	f.sink.listed()
	f.version = version
	return true
}

func (f *feed) request(q url.Values) *client.Request {
	if f.selector != "" {
		q.Set("fieldSelector", f.selector)
	}
	return &client.Request{Method: http.MethodGet, Path: "/api/v1/pods", Query: q.Encode(), As: f.as}
}
