package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// rtoOf is the slowest recovery of the act for reads and for writes through the
// API server, then at each etcd shard.
func rtoOf(a report.Act) []outcome {
	var worst []report.Recovered
	for _, rec := range a.Recovery {
		if rec.Worst {
			worst = append(worst, rec)
		}
	}
	slices.SortStableFunc(worst, func(x, y report.Recovered) int {
		return cmp.Or(strings.Compare(x.Layer, y.Layer), mainFirst(x.Shard, y.Shard), strings.Compare(x.Shard, y.Shard), strings.Compare(y.Op, x.Op))
	})
	var out []outcome
	for _, rec := range worst {
		what := layerWord(rec.Layer, rec.Shard) + " " + rec.Op + "s"
		switch {
		case rec.Probes == 0:
			out = append(out, outcome{"n/a", what + ": no probe looked"})
		case rec.Censored:
			out = append(out, outcome{"over " + seconds(rec.Seen), what + ": did not recover while watched"})
		case rec.Failed == 0:
			out = append(out, outcome{noOutage(rec.RTO), fmt.Sprintf("%s: none of %s failed; the longest time between two successes", what, unit.Count(rec.Probes, "probe"))})
		default:
			out = append(out, outcome{seconds(rec.RTO), fmt.Sprintf("%s: %s of %s failed", what, unit.Grouped(rec.Failed), unit.Count(rec.Probes, "probe"))})
		}
	}
	return out
}

// rpoOf is what a restore took back, from the account drawn after it.
func rpoOf(r *report.Result, a report.Act) *outcome {
	if a.Kind != "restore" {
		return nil
	}
	var acked, found, back, lost, wrong int
	seen := false
	for _, au := range r.Audits {
		if au.Trial != a.Trial || au.After != a.Name {
			continue
		}
		seen = true
		acked, found, back, lost, wrong = acked+au.Acked, found+au.Found, back+au.Restored, lost+au.Lost, wrong+au.Mismatch
	}
	if !seen {
		return nil
	}
	text := fmt.Sprintf("Of %s acknowledged before the restore, %s still there and %s newer than the snapshot and so taken back, as must be.",
		unit.Count(acked, "write"), isAre(found), isAre(back))
	if lost+wrong == 0 {
		text += " Nothing else is missing, and nothing is there that should not be."
	} else {
		text += fmt.Sprintf(" Beyond that, %s and %s the restore.", lostText(lost), contradict(wrong))
	}
	return &outcome{unit.Count(back, "write"), text}
}

func isAre(n int) string {
	if n == 1 {
		return "1 is"
	}
	return unit.Grouped(n) + " are"
}

func lostText(n int) string {
	if n == 1 {
		return "1 is lost"
	}
	return unit.Grouped(n) + " are lost"
}

// factOf writes a number of an act with what its name says of its unit:
// "bytes.main", "seconds.restore", "refusedWrites".
func factOf(name string, v float64) fact {
	word, of, _ := strings.Cut(name, ".")
	in := "count"
	switch {
	case strings.HasSuffix(strings.ToLower(word), "bytes"):
		in = "bytes"
	case strings.HasSuffix(strings.ToLower(word), "seconds"):
		in = "seconds"
	}
	value := report.Format(report.Number(v), in)
	if in == "count" && v >= 0 && v < 1e15 {
		value = unit.Grouped(uint64(v))
	}
	return fact{factName(word, of), value}
}

// factName is the name without the unit, which the value carries.
func factName(word, of string) string {
	bare := strings.TrimSuffix(strings.TrimSuffix(word, "Bytes"), "Seconds")
	switch {
	case bare == "seconds" && of != "":
		return apart(of)
	case bare == "bytes":
		bare = "size"
	}
	if of == "" {
		return apart(bare)
	}
	return apart(bare) + " (" + of + ")"
}

// apart writes a name of several words with spaces: refusedWrites, refused writes.
func apart(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
