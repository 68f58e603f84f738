package render

import "github.com/storm-harness/storm/report"

// The page's tables hold at most so many rows, less where the page would become
// too large (detail.go); beyond it the page names how many more report.json has.
// A run of ordinary size never gets there.
const (
	maxTrials   = 240
	maxErrors   = 120
	maxLatency  = 300
	maxAudits   = 120
	maxWarnings = 100
	maxSteps    = 200 // of a story
	maxTours    = 40
	maxPanels   = 60 // of a group of charts
	maxDots     = 60 // of a strip or a row of ratios
)

// bounded is the beginning of a list, and how many entries were left out.
type bounded[T any] struct {
	Rows []T
	More int
}

func bound[T any](list []T, n int) bounded[T] {
	if len(list) <= n {
		return bounded[T]{Rows: list}
	}
	return bounded[T]{Rows: list[:n], More: len(list) - n}
}

// boundErrors keeps the order, and of each load and code the most frequent
// failures before others: a code that is rare is seen nonetheless.
func boundErrors(list []report.ErrorCount, most int) bounded[report.ErrorCount] {
	if len(list) <= most {
		return bounded[report.ErrorCount]{Rows: list}
	}
	type kind struct {
		workload, code string
		again          bool
	}
	first := map[kind]int{}
	for i, e := range list {
		k := kind{e.Workload, e.Code, e.Again}
		if _, seen := first[k]; !seen {
			first[k] = i
		}
	}
	room := most - len(first)
	out := bounded[report.ErrorCount]{}
	for i, e := range list {
		others := first[kind{e.Workload, e.Code, e.Again}] != i
		if others {
			room--
		}
		if len(out.Rows) < most && (!others || room >= 0) {
			out.Rows = append(out.Rows, e)
		}
	}
	out.More = len(list) - len(out.Rows)
	return out
}

// boundTrials keeps the order, and the trials that do not count before others.
func boundTrials(trials []report.Trial, most int) bounded[report.Trial] {
	valid := most
	for _, t := range trials {
		if t.State != report.TrialValid {
			valid--
		}
	}
	out := bounded[report.Trial]{}
	for _, t := range trials {
		if t.State == report.TrialValid {
			valid--
			if valid < 0 {
				out.More++
				continue
			}
		} else if len(out.Rows) >= most {
			out.More++
			continue
		}
		out.Rows = append(out.Rows, t)
	}
	return out
}
