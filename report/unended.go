package report

import (
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// unendedCodes are the codes of what was asked for and had not come when storm
// gave up waiting: how long it would have taken is not known, only that it was
// too long to be waited for. They rank behind everything that was answered, as an
// unrecovered trial does: to leave them out would make a server look the faster
// the more of its requests time out.
var unendedCodes = map[string]bool{
	"timeout":  true, // the client's deadline passed
	"silent":   true, // the connection had been silent for so long that storm gave it up
	"refused":  true, // the bound of requests in flight was reached: those before it had not ended
	"unsynced": true, // an informer had not seen everything when it was to begin anew
	"unended":  true, // a watch saw it begin and not end, or it had been asked for and long waited for, when the load ended
	"missed":   true, // a watch that was open never showed an acknowledged write
}

// settled are the codes that loads give when they end, which is after the last
// phase: they are of what the measured phases left.
var settled = map[string]bool{"unsynced": true, "unended": true, "missed": true}

// leastWait is what was waited for at least before it counts as unended: a quarter
// of the loads' usual deadline of 10 s, or more; ns.
const leastWait = 2_500_000_000

// leftIn is the phase that a settled code belongs to; empty where none is measured:
// the last that is, but of what had been waited for long one that had begun by then.
// A recovery that is over at once is not where a request had hung.
func (t *trial) leftIn(code string) string {
	last, end := "", int64(0)
	for _, p := range slices.Backward(t.done.Phases) {
		if !t.counts(rundir.Gate{}, p.Name) {
			continue
		}
		if last == "" {
			last, end = p.Name, p.To
		}
		if code != "unended" || p.From <= end-leastWait {
			return p.Name
		}
	}
	return last
}

// unendedReasons are what the servers say when they give up waiting, behind the
// HTTP status or alone; whatever its reason, a 504 is that.
var unendedReasons = []string{"too-slow", "server-timeout", "server-deadline"}

// unended says whether a failure's code is of what did not end in time; all other
// failures were answers, or broken connections, and have no latency.
func unended(code string) bool {
	if status, _, _ := strings.Cut(code, " "); unendedCodes[code] || status == "504" {
		return true
	}
	for _, r := range unendedReasons {
		if code == r || strings.HasSuffix(code, " "+r) {
			return true
		}
	}
	return false
}

// unended is how many of a series' failures did not end in time.
func (c *cell) unended() (n uint64) {
	for code, k := range c.codes {
		if unended(code) {
			n += k
		}
	}
	return n
}

// rankIn adds a series' latencies to h, what did not end behind all others.
func (c *cell) rankIn(h *latency.Hist) {
	h.Merge(&c.hist)
	h.AddUnended(c.unended())
}
