package report

// Verdict is the judgement on a gate, or on a run.
type Verdict string

// The verdicts. None is a run without gates: nothing was judged.
const (
	Pass         Verdict = "pass"
	Improved     Verdict = "improved"
	Regressed    Verdict = "regressed" // of an absolute gate: failed
	Inconclusive Verdict = "inconclusive"
	Invalid      Verdict = "invalid"
	None         Verdict = "none"
)

// order is the one place that says which verdict wins over which, worst first.
// A failure that was soundly seen stands, whatever else could not be measured;
// a measurement that cannot be trusted comes before one that merely needs more
// blocks; and improved wins over pass because it says more.
var order = []Verdict{Regressed, Invalid, Inconclusive, Improved, Pass, None}

// ExitCode is storm's exit code for a verdict: 0 pass (improved, and nothing
// to judge, included), 3 gate failed, 4 inconclusive, 5 measurement invalid.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass, Improved, None:
		return 0
	case Regressed:
		return 3
	case Inconclusive:
		return 4
	default:
		return 5
	}
}

// Worst returns the verdict that stands over all of the given ones, None if
// there are none. An unknown verdict counts as invalid.
func Worst(vs ...Verdict) Verdict {
	best := len(order) - 1
	for _, v := range vs {
		best = min(best, v.rank())
	}
	return order[best]
}

// rank is the verdict's place in order.
func (v Verdict) rank() int {
	for i, o := range order {
		if o == v {
			return i
		}
	}
	return 1 // as Invalid
}
