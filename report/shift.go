package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// shifted compares one metric of one profile.
func shifted(g rundir.Gate, old, now *judgement, from, to string, confidence float64) Shifted {
	m, _ := metricOf(g.Metric)
	before, after := sideOf(g, old, from), sideOf(g, now, to)
	out := Shifted{
		Profile: from, Title: subject(g), Metric: g.Metric, Stat: g.Stat, Unit: m.Unit, Lower: m.Lower,
		OldMedian: median(before.sound), NewMedian: median(after.sound), OldTrials: len(before.sound), NewTrials: len(after.sound),
		Ratio: Missing(), Low: Missing(), High: Missing(), P: Missing(),
	}
	if to != from {
		out.NewProfile = to
	}
	if why := noShift(g, before, after); why != "" {
		out.Text = "not compared: " + why
		return out
	}
	u := stats.NewUnpaired(logs(before.sound), logs(after.sound))
	e := u.Estimate()
	out.Ratio, out.P = Number(math.Exp(e)), Number(u.PTwoSided(0))
	// The words are those of the paired comparison.
	c := Comparison{Metric: g.Metric, Used: min(len(before.sound), len(after.sound)), Ratio: out.Ratio, Bound: math.IsInf(e, 0)}
	i, ok := u.Interval(confidence)
	if !ok {
		out.Text = fmt.Sprintf("%s by the estimate; n/a (a %s interval needs more than %s against %d)", factor(c.Ratio.Float(), c.words()), percent(confidence), unit.Count(len(before.sound), "trial"), len(after.sound))
	} else {
		out.Low, out.High, out.Confidence = Number(math.Exp(i.Low)), Number(math.Exp(i.High)), i.Confidence
		c.Low, c.High, c.Confidence = out.Low, out.High, out.Confidence
		out.Text = c.phrase()
	}
	if before.censored()+after.censored() > 0 {
		out.Text += fmt.Sprintf("; it %s in %s", endlessWords(g.Metric), endlessCounts(before, after))
	}
	return out
}

// side is a profile's trials of one of two runs.
type side struct {
	all, sound []TrialValue // sound: valid, and something was measured
}

func sideOf(g rundir.Gate, j *judgement, profile string) side {
	all := values(g, j.of(g, profile))
	return side{all, slices.DeleteFunc(slices.Clone(all), func(v TrialValue) bool { return !v.Valid || !v.Value.Is() })}
}

func (s side) censored() (n int) {
	for _, v := range s.sound {
		if v.Censored {
			n++
		}
	}
	return n
}

// noShift says why two runs' values of a metric are not compared; empty where
// they are. The rules are those of a comparison within a run, each run's trials
// taking the place of a profile's.
func noShift(g rundir.Gate, before, after side) string {
	counts := fmt.Sprintf("%d of %s of the old run and %d of %d of the new one can be used",
		len(before.sound), unit.Count(len(before.all), "trial"), len(after.sound), len(after.all))
	switch {
	case firstEmpty(before.all) != "":
		return fmt.Sprintf("nothing was measured in %s of the old run; %s", firstEmpty(before.all), counts)
	case firstEmpty(after.all) != "":
		return fmt.Sprintf("nothing was measured in %s of the new run; %s", firstEmpty(after.all), counts)
	case len(before.sound) == 0 || len(after.sound) == 0:
		return "no valid trial measured it in one of the runs; " + counts
	case apart(before, after):
		return counts + ": what is left is no fair comparison"
	case max(len(before.sound), len(after.sound)) > stats.MostUnpaired:
		return fmt.Sprintf("more than %d trials a side", stats.MostUnpaired)
	case 2*before.censored() >= len(before.sound) && 2*after.censored() >= len(after.sound):
		return fmt.Sprintf("it %s in %s, which says nothing about the ratio", endlessWords(g.Metric), endlessCounts(before, after))
	case hides(g.Metric, g.Stat, failing(before.sound), failing(after.sound)):
		return fmt.Sprintf("%s of the requests of the old run and %s of those of the new one failed and have no latency, which may have been the slow ones",
			percent(failing(before.sound)), percent(failing(after.sound)))
	}
	return ""
}

// apart is imbalanced for two runs, whose blocks may differ in number: it is the
// shares of unusable trials that may not differ by more than that, and not at all where the
// system under test made them so.
func apart(before, after side) bool {
	n, m := len(before.all), len(after.all)
	own, _ := owns(before.all)
	ownAfter, _ := owns(after.all)
	return own*m != ownAfter*n || imbalanced((n-len(before.sound))*m, (m-len(after.sound))*n, n*m)
}

// endlessCounts says in how many trials of each run a value is censored.
func endlessCounts(before, after side) string {
	return fmt.Sprintf("%d of %s of the old run and %d of %d of the new one",
		before.censored(), unit.Count(len(before.sound), "trial"), after.censored(), len(after.sound))
}

func logs(list []TrialValue) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = math.Log(v.Value.Float())
	}
	return out
}
