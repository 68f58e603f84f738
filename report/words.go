package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// Format writes a value of a unit of the metrics' vocabulary (seconds,
// fraction, per second, count, bytes) or of cores for a reader: 12.3 ms, 1.5 %, 102/s,
// 278 MiB. A missing value is "n/a", a censored time "not recovered".
func Format(n Number, unit string) string {
	v := n.Float()
	switch {
	case math.IsNaN(v):
		return "n/a"
	case math.IsInf(v, 0) && unit == "seconds":
		return "not recovered"
	case math.IsInf(v, 0):
		return "∞"
	}
	switch unit {
	case "seconds":
		return formatSeconds(v)
	case "fraction":
		return digits(100*v) + " %"
	case "per second":
		return digits(v) + "/s"
	case "bytes":
		return formatBytes(v)
	case "cores":
		return digits(v) + " cores"
	default:
		return digits(v)
	}
}

// longest is what the histograms of latencies reach, in seconds, overLong how a
// latency is told of that is beyond, and endless how any is written that has no
// known end.
const (
	longest  = float64(rundir.HistHighest) / 1e6
	overLong = "over 5 min"
	endless  = "∞"
)

// FormatOf is Format for a metric's value: a latency without a known end is "∞", an
// operation without one "failed".
func FormatOf(metric string, n Number, unit string) string {
	if metric == "operation.duration" && math.IsInf(n.Float(), 1) {
		return "failed"
	}
	if m, ok := metricOf(metric); ok && m.Bounded() && math.IsInf(n.Float(), 1) {
		return endless
	}
	return Format(n, unit)
}

func formatSeconds(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0 s"
	case a < 1e-3:
		return digits(v*1e6) + " µs"
	case a < 1:
		return digits(v*1e3) + " ms"
	case a < 120:
		return digits(v) + " s"
	default:
		return digits(v/60) + " min"
	}
}

func formatBytes(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for math.Abs(v) >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return digits(v) + " " + units[i]
}

// digits writes three significant digits, without an exponent or trailing
// zeros.
func digits(v float64) string {
	if math.IsInf(v, 0) {
		return "∞"
	}
	if a := math.Abs(v); a >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		r = v
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}

// percent writes a share: 95 %, 96.9 %.
func percent(share float64) string { return digits(100*share) + " %" }

// title is a gate in one line: api.latency p99 (verb mutating) ≤ 1 s.
func title(g rundir.Gate, unit string) string {
	s := g.Metric
	if g.Stat != "" {
		s += " " + g.Stat
	}
	where := whereText(g.Where)
	if g.Profile != "" {
		where = strings.TrimPrefix(where+", profile "+g.Profile, ", ")
	}
	if where != "" {
		s += " (" + where + ")"
	}
	if g.Compare != "" {
		return s + fmt.Sprintf(" against %s, margin %s", g.Compare, percent(g.Margin))
	}
	var bounds []string
	if g.Min != nil {
		bounds = append(bounds, "≥ "+Format(Number(*g.Min), unit))
	}
	if g.Max != nil {
		bounds = append(bounds, "≤ "+Format(Number(*g.Max), unit))
	}
	s += " " + strings.Join(bounds, " and ")
	if g.Tour != "" {
		s += " in tour " + g.Tour
	}
	return strings.TrimSpace(s)
}

// labels in the order in which a reader narrows down.
var labels = []string{"workload", "verb", "resource", "scope", "detail", "layer", "op", "act", "component", "shard", "level", "aggressor", "phase"}

func whereText(where map[string]string) string {
	var parts []string
	for _, l := range labels {
		if v, ok := where[l]; ok {
			parts = append(parts, l+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// subject names what a gate is about in the middle of a sentence.
func subject(g rundir.Gate) string {
	if g.Tour != "" {
		g.Tour, g.Note = "", g.Tour
		return subject(g) + " in tour " + g.Note
	}
	w := g.Where
	act := ""
	if w["act"] != "" {
		act = " after " + w["act"]
	}
	phase := ""
	if w["phase"] != "" {
		phase = " in the " + w["phase"] + " phase"
	}
	switch g.Metric {
	case "recovery.time":
		of := join(" of ", layerWord(w["layer"]), w["shard"], w["op"]+"s")
		return "recovery" + or(of, " of the slowest probe") + act
	case "recovery.gap":
		return "the gap that a client sees" + join(" in ", layerWord(w["layer"]), w["shard"], w["op"]+"s") + act
	case "api.latency":
		return g.Stat + " latency" + requests(w) + phase
	case "api.throughput":
		return "throughput" + requests(w) + phase
	case "api.errors":
		return "the share of failures" + requests(w) + phase
	case "etcd.latency":
		return g.Stat + " latency at etcd" + requests(w) + phase
	case "etcd.throughput":
		return "throughput at etcd" + requests(w) + phase
	case "etcd.errors":
		return "the share of failures at etcd" + requests(w) + phase
	case "api.bytes.decoded":
		return "decoded bytes a second" + requests(w) + phase
	case "api.bytes":
		return "bytes a second" + requests(w) + phase
	case "pod.start":
		return g.Stat + " start of pods" + bracketed(w["detail"]) + join(" of ", w["workload"]) + phase
	case "stage.time":
		return "the longest stage" + bracketed(w["detail"]) + join(" of ", w["workload"])
	case "informer.sync":
		return g.Stat + " time to full sync" + join(" of ", w["workload"], w["resource"]) + phase
	case "watch.delivery":
		return g.Stat + " delivery to watches" + join(" of ", w["workload"], w["resource"]) + phase
	case "scheduler.throughput":
		return "pods scheduled a second" + join(" of ", w["workload"]) + phase
	case "lease.onTime":
		return "the share of leases renewed in time" + join(" of ", w["workload"]) + phase
	case "lease.renewal":
		return g.Stat + " time to renew a lease" + join(" of ", w["workload"]) + phase
	case "etcd.leader.changes":
		return "the number of leader changes" + join(" in ", w["shard"]) + phase
	case "etcd.elections":
		return "changes of leader that members counted" + join(" in ", w["shard"]) + phase
	case "isolation":
		return "isolation of" + join(" ", w["workload"]) + requests(map[string]string{"verb": w["verb"], "resource": w["resource"]}) + join(" from ", w["aggressor"])
	case "etcd.db.size":
		return "the database's size" + join(" of ", w["shard"], w["component"]) + phase
	case "etcd.db.inUse":
		return "the database's bytes in use" + join(" of ", w["shard"], w["component"]) + phase
	case "etcd.requests":
		return "requests of the API servers to etcd" + phase
	case "etcd.snapshots":
		return "the number of raft snapshots" + join(" in ", w["shard"]) + phase
	case "apf.rejected", "apf.dispatched", "apf.wait", "apf.queued", "apf.seats":
		return fairnessWords[g.Metric] + join(" in the priority level ", w["level"]) + phase
	case "server.requests":
		return "requests that the API server counted" + join(" of ", w["verb"], w["resource"]) + phase
	case "server.watchLists":
		return "streaming lists that the API server counted" + phase
	case "process.memory":
		return "memory" + join(" of ", w["component"]) + phase
	case "process.cpu":
		return "processor time" + join(" of ", w["component"]) + phase
	case "operation.duration":
		return join("", or(w["act"], "the operation")) + "'s duration"
	}
	return or(plainWords[g.Metric], g.Metric) + join(" at ", layerWord(w["layer"]), w["shard"]) + act
}

// plainWords say what a count is a count of.
var plainWords = map[string]string{
	"writes.lost":      "acknowledged writes lost",
	"restore.lost":     "acknowledged writes that a restore took back",
	"restore.mismatch": "writes that contradict the restore",
}

// fairnessWords say what the metrics of priority and fairness are.
var fairnessWords = map[string]string{
	"apf.rejected":   "requests rejected",
	"apf.dispatched": "requests let through",
	"apf.wait":       "mean wait of a request",
	"apf.queued":     "requests waiting at once",
	"apf.seats":      "seats taken at once",
}

// layerWord is what a reader calls a layer.
func layerWord(layer string) string {
	if layer == "api" {
		return "API server"
	}
	return layer
}

// bracketed is a word in brackets, if there is one.
func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// requests says which: " of mutating requests", " of list requests for pods".
func requests(w map[string]string) string {
	which := join("", w["workload"], w["detail"], w["verb"])
	if which == "" {
		return ""
	}
	s := " of " + which + " requests"
	if w["resource"] != "" {
		s += " for " + w["resource"]
	}
	return s
}

// join joins what is there, after a prefix; nothing where nothing is there. A
// lone plural s of an absent word counts as absent.
func join(prefix string, words ...string) string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" || w == "s" })
	if len(words) == 0 {
		return ""
	}
	return prefix + strings.Join(words, " ")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
