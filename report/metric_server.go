package report

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// How a metric comes out of a component's own counters and gauges.
const (
	asGrowth = "growth" // by how much a counter grew, over all of its series
	asPeak   = "peak"   // the largest value of a gauge in one component at one time
	asMean   = "mean"   // of a histogram: the growth of its sum over that of its count
)

// serverMetric is a metric that the components tell of themselves.
type serverMetric struct {
	family string
	how    string
	// proof is a family that is there whenever this one could be: a counter of
	// what never happened is not.
	proof string
}

// serverMetrics is the table of them.
var serverMetrics = map[string]serverMetric{
	"etcd.db.size":      {"etcd_mvcc_db_total_size_in_bytes", asPeak, "etcd_mvcc_db_total_size_in_bytes"},
	"etcd.db.inUse":     {"etcd_mvcc_db_total_size_in_use_in_bytes", asPeak, "etcd_mvcc_db_total_size_in_use_in_bytes"},
	"etcd.elections":    {"etcd_server_leader_changes_seen_total", asGrowth, "etcd_server_leader_changes_seen_total"},
	"etcd.requests":     {"etcd_request_duration_seconds_count", asGrowth, "etcd_request_duration_seconds_count"},
	"etcd.snapshots":    {"etcd_snap_fsync_duration_seconds_count", asGrowth, "etcd_snap_fsync_duration_seconds_count"},
	"apf.rejected":      {"apiserver_flowcontrol_rejected_requests_total", asGrowth, seatsFamily},
	"apf.dispatched":    {"apiserver_flowcontrol_dispatched_requests_total", asGrowth, seatsFamily},
	"apf.wait":          {"apiserver_flowcontrol_request_wait_duration_seconds", asMean, seatsFamily},
	"apf.queued":        {"apiserver_flowcontrol_current_inqueue_requests", asPeak, seatsFamily},
	"apf.seats":         {"apiserver_flowcontrol_current_executing_seats", asPeak, seatsFamily},
	"server.requests":   {"apiserver_request_total", asGrowth, "apiserver_request_total"},
	"server.watchLists": {"apiserver_watch_list_duration_seconds_count", asGrowth, "apiserver_request_total"},
}

const seatsFamily = "apiserver_flowcontrol_current_limit_seats"

// scraped is what is kept of one scrape, in order of name: a sum of floats
// depends on its order, and a report on nothing but its run directory.
type scraped struct {
	at    int64
	names []string  // with their labels; scrapes that have the same names share them
	v     []float64 // by name
}

// keep keeps of a scrape what the table is about. A component tells the same
// names at every scrape, so that they are kept once.
func (t *trial) keep(s rundir.Scrape) {
	if s.Err != "" {
		return
	}
	var names []string
	for name := range s.Samples {
		family, _, _ := strings.Cut(name, "{")
		if slices.Contains(keptFamilies, family) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	list := t.scrapes[s.Component]
	if n := len(list); n > 0 && slices.Equal(list[n-1].names, names) {
		names = list[n-1].names
	} else {
		for i, name := range names {
			names[i] = t.texts.same(name)
		}
	}
	kept := scraped{at: s.At, names: names, v: make([]float64, len(names))}
	for i, name := range names {
		kept.v[i] = s.Samples[name]
	}
	t.scrapes[s.Component] = append(list, kept)
}

// texts has one copy of each text that a trial's records repeat: what is read
// from a line is a new string every time.
type texts map[string]string

// same returns the copy.
func (t texts) same(text string) string {
	have, ok := t[text]
	if !ok {
		have = strings.Clone(text) // it may be a part of something larger
		t[have] = have
	}
	return have
}

// keptFamilies are the families of the table, a histogram by its two counters.
var keptFamilies = func() []string {
	var out []string
	for _, m := range serverMetrics {
		out = append(out, m.proof)
		if m.how == asMean {
			out = append(out, m.family+"_sum", m.family+"_count")
			continue
		}
		out = append(out, m.family)
	}
	slices.Sort(out)
	return slices.Compact(out)
}()

// told is a metric of the table.
func (t *trial) told(g rundir.Gate, m serverMetric) value {
	out := missing("no component told of it in these phases")
	var waits float64
	looked := map[string]bool{}
	for _, component := range slices.Sorted(maps.Keys(t.scrapes)) {
		list := t.scrapes[component]
		if !ofComponent(g, component) || g.Where["shard"] != "" && kindOf(component) != "etcd-"+g.Where["shard"] {
			continue
		}
		if !slices.ContainsFunc(list, func(s scraped) bool { _, ok := summed(g, s, m.proof); return ok }) {
			continue
		}
		v, looks := 0.0, uint64(0)
		looked[component] = false
		switch m.how {
		case asPeak:
			v, looks = t.highest(g, list, m.family)
		case asGrowth:
			v, looks = t.growth(g, list, m.family)
		case asMean:
			v, looks = t.growth(g, list, m.family+"_sum")
			n, _ := t.growth(g, list, m.family+"_count")
			waits += n
		}
		looked[component] = looks > 0
		switch {
		case looks == 0:
			continue
		case out.samples == 0:
			out = value{v: v, seen: math.NaN()}
		case m.how == asPeak:
			out.v = max(out.v, v)
		default:
			out.v += v
		}
		out.samples += looks
	}
	if who := t.unseen(g, looked); who != "" && out.samples > 0 {
		return missing(who + " did not tell of it in these phases")
	}
	if m.how == asMean && out.samples > 0 {
		if waits == 0 {
			return missing("no request of that kind was counted")
		}
		out.v, out.samples = out.v/waits, uint64(waits)
	}
	return out
}

// highest is the largest value of a gauge, and how many scrapes had it.
func (t *trial) highest(g rundir.Gate, list []scraped, family string) (most float64, looks uint64) {
	for _, s := range list {
		if v, ok := summed(g, s, family); ok && t.counts(g, t.phaseAt(s.at)) {
			most = max(most, v)
			looks++
		}
	}
	return most, looks
}

// growth is by how much the counters of a family grew in the phases that a gate
// looks at, and from how many scrapes to the next. A counter that was not there was 0; one that
// shrank began anew with its process.
func (t *trial) growth(g rundir.Gate, list []scraped, family string) (sum float64, looks uint64) {
	for i := 1; i < len(list); i++ {
		a, b := list[i-1], list[i]
		if !t.counts(g, t.phaseAt(a.at+(b.at-a.at)/2)) {
			continue
		}
		looks++
		for k, name := range b.names {
			if !ofFamily(g, name, family) {
				continue
			}
			v := b.v[k]
			if before := a.value(name); before <= v {
				v -= before
			}
			sum += v
		}
	}
	return sum, looks
}

// value is the sample of a name; 0 where there was none.
func (s scraped) value(name string) float64 {
	i, ok := slices.BinarySearch(s.names, name)
	if !ok {
		return 0
	}
	return s.v[i]
}

// summed adds up what a scrape has of a family.
func summed(g rundir.Gate, s scraped, family string) (sum float64, ok bool) {
	for i, name := range s.names {
		if ofFamily(g, name, family) {
			sum, ok = sum+s.v[i], true
		}
	}
	return sum, ok
}

// serverLabels are the labels of gates by the names that servers give them.
var serverLabels = map[string]string{"level": "priority_level", "resource": "resource", "verb": "verb"}

// ofFamily says whether a sample is of a family, and has the labels that the
// gate selects by; a family without a label is not selected by it.
func ofFamily(g rundir.Gate, name, family string) bool {
	base, labels, _ := strings.Cut(name, "{")
	if base != family {
		return false
	}
	for label, called := range serverLabels {
		want, given := g.Where[label]
		if !given {
			continue
		}
		has, labelled := labelOf(labels, called)
		switch {
		case !labelled:
		case label == "verb" && !ofVerb(has, want), label != "verb" && has != want:
			return false
		}
	}
	return true
}

// ofVerb says whether what the API server calls a verb is the one that a gate asks for,
// or of its group: those that change something, and those that read but are no watch.
func ofVerb(has, want string) bool {
	for verb, called := range verbs {
		if called != has {
			continue
		}
		return verb == want || want == "mutating" && rundir.Key{Verb: verb}.Mutating() || want == "read" && !rundir.Key{Verb: verb}.Mutating()
	}
	return strings.EqualFold(has, want)
}

// labelOf is the value of a label of a sample, whose labels are as they stand
// behind the brace.
func labelOf(labels, name string) (value string, there bool) {
	for labels != "" {
		key, rest, ok := strings.Cut(labels, `="`)
		if !ok {
			return "", false
		}
		end := 0
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(rest))
		if strings.TrimLeft(key, `,"`) == name {
			return rest[:end], true
		}
		labels = rest[end:]
	}
	return "", false
}
