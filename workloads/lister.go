package workloads

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// lister makes one list after another.
type lister struct {
	client    *client.Client
	path      string
	selectors url.Values
	accept    string
	limit     int    // objects a page; 0: everything in one answer
	fixed     string // resourceVersion to ask for: a number, empty, or versionCurrent
	match     string // resourceVersionMatch
	newest    *newest
}

// newest is the newest resourceVersion that is known.
type newest struct{ atomic.Uint64 }

// see takes note of a version, if it is newer.
func (n *newest) see(version uint64) {
	for {
		was := n.Load()
		if version <= was || n.CompareAndSwap(was, version) {
			return
		}
	}
}

var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// query returns the parameters of a list, or of its first page.
func (l *lister) query() url.Values {
	q := maps.Clone(l.selectors)
	if l.limit > 0 {
		q.Set("limit", strconv.Itoa(l.limit))
	}
	switch l.fixed {
	case "":
		return q
	case versionCurrent:
		q.Set("resourceVersion", strconv.FormatUint(l.newest.Load(), 10))
	default:
		q.Set("resourceVersion", l.fixed)
	}
	if l.match != "" {
		q.Set("resourceVersionMatch", l.match)
	}
	return q
}

// longestList is how long the pages of one list may take together. A token outlives the
// version that it names by no more than the time between two compactions of etcd.
const longestList = 15 * time.Minute

// list makes one whole list. With pages, the answer covers all of them, from
// the sending of the first to the end of the last, and ends at one that failed. A
// server that goes in circles, or to no end, is not followed.
func (l *lister) list(ctx context.Context) client.Answer {
	q := l.query()
	if l.limit == 0 && l.fixed != versionCurrent {
		return l.client.Do(ctx, l.request(q), nil, 0) // nobody wants to know its metadata
	}
	head := heads.Get().(*bytes.Buffer)
	defer heads.Put(head)
	whole, meta := l.page(ctx, q, head)
	for before := ""; whole.OK() && meta.Continue != ""; before = q.Get("continue") {
		if meta.Continue == before || whole.Done-whole.Sent > int64(longestList) {
			whole.Code = client.CodeMalformed
			return whole
		}
		// The token names the version; the API refuses another beside it.
		q.Del("resourceVersion")
		q.Del("resourceVersionMatch")
		q.Set("continue", meta.Continue)
		var a client.Answer
		a, meta = l.page(ctx, q, head)
		whole = whole.Then(a)
	}
	return whole
}

// page makes one request, and reads the metadata at the head or, of custom
// resources, at the end of its answer; more is not held of it.
func (l *lister) page(ctx context.Context, q url.Values, head *bytes.Buffer) (client.Answer, lean.ListMeta) {
	head.Reset()
	r := l.paged(q)
	a := l.client.Do(ctx, r, head, lean.HeadSize)
	if !a.OK() {
		return a, lean.ListMeta{}
	}
	meta, err := lean.EitherEnd(head.Bytes(), r.Tail.Bytes())
	if err != nil {
		a.Code = client.CodeMalformed
		return a, lean.ListMeta{}
	}
	l.newest.see(meta.Version)
	return a, meta
}

// paged is the request of a list whose metadata is wanted. In Protobuf that is at
// its head always.
func (l *lister) paged(q url.Values) *client.Request {
	r := l.request(q)
	if r.Accept != client.Protobuf {
		r.Tail = &client.Tail{}
	}
	return r
}

func (l *lister) request(q url.Values) *client.Request {
	return &client.Request{Method: http.MethodGet, Path: l.path, Query: q.Encode(), Accept: l.accept}
}

// ofOne is the query of a list of one object at the newest version.
func (l *lister) ofOne() url.Values {
	q := maps.Clone(l.selectors)
	q.Set("limit", "1")
	return q
}

// one lists one object, and so learns the newest version. It is believed also
// where it is older than one seen before: etcd may have been restored.
func (l *lister) one(ctx context.Context) client.Answer {
	head := heads.Get().(*bytes.Buffer)
	defer heads.Put(head)
	a, meta := l.page(ctx, l.ofOne(), head)
	if a.OK() {
		l.newest.Store(meta.Version)
	}
	return a
}

// servedWithin is how long after a start a server may not know yet what it serves: the
// custom resources that it finds defined.
const servedWithin = 20 * time.Second

// first lists one object until the server answers.
func (l *lister) first(ctx context.Context) error {
	var head bytes.Buffer
	r := l.paged(l.ofOne())
	var unserved time.Time // since when
	for {
		a, err := l.client.Insist(ctx, r, patience, &head, lean.HeadSize, http.StatusNotFound)
		if err != nil {
			return err
		}
		if a.OK() {
			break
		}
		if unserved.IsZero() {
			unserved = time.Now()
		}
		if time.Since(unserved) > servedWithin {
			return fmt.Errorf("GET %s: the API server does not serve it, or not in that version (404): `kubectl api-resources` shows what it does", l.path)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	meta, err := lean.EitherEnd(head.Bytes(), r.Tail.Bytes())
	l.newest.Store(meta.Version)
	return err
}
