package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// gauged is what one scrape says of a component's cost; NaN where it says
// nothing.
type gauged struct {
	at              int64
	cpu, rss, heap  float64 // seconds since its start, bytes, bytes
	watches, events float64 // of an API server: open now, events sent to watches since its start
	requests        map[asked]float64
	inUse, keys     float64 // of an etcd member: bytes, keys that live
	revision        float64
	compacted       float64
}

// asked is a kind of request as the API server counts them.
type asked struct{ verb, resource string }

// gaugedOf picks out of a scrape what its cost is reckoned from.
func (t *trial) gaugedOf(s rundir.Scrape) (r gauged, ok bool) {
	if len(s.Samples) == 0 {
		return gauged{}, false
	}
	one := func(name string) float64 {
		if v, ok := s.Samples[name]; ok {
			return v
		}
		return math.NaN()
	}
	r = gauged{
		at: s.At, cpu: one("process_cpu_seconds_total"), rss: one("process_resident_memory_bytes"), heap: one("go_memstats_heap_inuse_bytes"),
		inUse: one("etcd_mvcc_db_total_size_in_use_in_bytes"), keys: one("etcd_debugging_mvcc_keys_total"),
		revision: one("etcd_debugging_mvcc_current_revision"), compacted: one("etcd_debugging_mvcc_compact_revision"),
	}
	if !isAPIServer(s.Component) {
		return r, true
	}
	r.requests = map[asked]float64{}
	for key, v := range s.Samples {
		name, labels, _ := strings.Cut(key, "{")
		switch name {
		case "apiserver_longrunning_requests":
			if label(labels, "verb") == "WATCH" {
				r.watches += v
			}
		case "apiserver_watch_events_total":
			r.events += v
		case "apiserver_request_total":
			r.requests[asked{t.texts.same(label(labels, "verb")), t.texts.same(label(labels, "resource"))}] += v
		}
	}
	return r, true
}

// label is the value of a label in what follows a sample's bracket; empty where
// it has none.
func label(labels, name string) string {
	for labels != "" {
		key, rest, ok := strings.Cut(labels, "=")
		if !ok {
			return ""
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return ""
		}
		if strings.TrimLeft(key, ",") == name {
			value, _ := strconv.Unquote(quoted) // of what was just found to be quoted
			return value
		}
		labels = rest[len(quoted):]
	}
	return ""
}

func isAPIServer(component string) bool { return kindOf(component) == "kube-apiserver" }

// shardOf is the shard of an etcd member, by its name: etcd-main-0.
func shardOf(component string) (shard string, ok bool) {
	return strings.CutPrefix(kindOf(component), "etcd-")
}

// loadBegan is when the loads began to be prepared; every component was
// scraped once before. Runs of older versions do not have it.
func (t *trial) loadBegan() (at int64, ok bool) {
	for _, e := range t.events {
		if e.Kind == rundir.EventLoadBegin {
			return e.At, true
		}
	}
	return 0, false
}

// without is the component's last reading from before the loads.
func (t *trial) without(component string) (r gauged, ok bool) {
	began, known := t.loadBegan()
	for _, x := range t.readings[component] {
		if known && x.at <= began {
			r, ok = x, true
		}
	}
	return r, ok
}

// steady is the component's readings in the steady phases.
func (t *trial) steady(component string) []gauged {
	var out []gauged
	for _, r := range t.readings[component] {
		if t.phaseAt(r.at) == "steady" {
			out = append(out, r)
		}
	}
	return out
}

// follows says whether b is the same process's next reading after a, in the
// same phase: a component that was started again counts from 0.
func (t *trial) follows(a, b gauged) bool {
	if b.at <= a.at || !(b.cpu >= a.cpu) {
		return false
	}
	for _, p := range t.done.Phases {
		if p.Name == "steady" && a.at >= p.From && b.at < p.To {
			return true
		}
	}
	return false
}
