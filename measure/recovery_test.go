package measure

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/internal/rundir"
)

const ms = int64(time.Millisecond)

// at is one outcome: intended, done, whether it succeeded; in ms.
type at struct {
	intended, done int64
	ok             bool
}

func probesOf(target string, list ...at) []rundir.Probe {
	var out []rundir.Probe
	for _, a := range list {
		p := rundir.Probe{Intended: a.intended * ms, Done: a.done * ms, Layer: LayerEtcd, Op: OpWrite, Shard: "main", Target: target}
		if !a.ok {
			p.Err = CodeTimeout
		}
		out = append(out, p)
	}
	return out
}

// every makes outcomes from one time to before another, each taking a while.
func every(from, to, step, takes int64, ok bool) []at {
	var out []at
	for t := from; t < to; t += step {
		out = append(out, at{t, t + takes, ok})
	}
	return out
}

func join(lists ...[]at) []at { return slices.Concat(lists...) }

func TestRecoveryOfOneTarget(t *testing.T) {
	act := Disturbance{Intended: 1000 * ms, Injected: 1005 * ms, N: 3}
	for name, c := range map[string]struct {
		probes []at
		act    Disturbance // the zero value: act
		want   rundir.Recovery
	}{
		"fails, then recovers": {
			probes: join(every(900, 1000, 10, 2, true), every(1000, 1300, 10, 1, false), every(1300, 1400, 10, 2, true)),
			want:   rundir.Recovery{RTO: 302, Stable: 291, Failed: 30, Probes: 40, Longest: 310, Seen: 392},
		},
		"answers are only delayed until it is back": {
			probes: join(every(900, 1000, 10, 2, true), []at{{1000, 1800, true}, {1010, 1801, true}, {1020, 1802, true}}, every(1800, 1850, 10, 2, true)),
			want:   rundir.Recovery{RTO: 808, Probes: 8, Longest: 808, Seen: 842},
		},
		"a success before the fault has bitten is no recovery": {
			probes: join([]at{{1000, 1001, true}, {1001, 1002, true}, {1002, 1003, true}, {1003, 1004, true}}, every(1010, 1500, 10, 1, false), every(1500, 1550, 10, 2, true)),
			want:   rundir.Recovery{RTO: 502, Stable: 491, Failed: 49, Probes: 58, Longest: 498, Seen: 542},
		},
		"the earliest of a long run that reaches over the injection": {
			// An operation: it fails from 1100, is back at 1500, and returns at 3000.
			act:    Disturbance{Intended: 1000 * ms, Injected: 3000 * ms, N: 3},
			probes: join(every(1000, 1100, 10, 2, true), every(1100, 1500, 10, 1, false), every(1500, 3100, 10, 2, true)),
			want:   rundir.Recovery{RTO: 502, Stable: 491, Failed: 40, Probes: 210, Longest: 410, Seen: 2092},
		},
		"a long injection whose effect comes late, after an early stray failure": {
			act: Disturbance{Intended: 1000 * ms, Injected: 3000 * ms, N: 3},
			probes: join([]at{{1000, 1001, false}}, every(1010, 2900, 10, 2, true), every(2900, 3500, 10, 1, false),
				every(3500, 3600, 10, 2, true)),
			want: rundir.Recovery{RTO: 2502, Stable: 2491, Failed: 61, Probes: 260, Longest: 610, Seen: 2592},
		},
		"nothing ever failed": {
			probes: every(900, 1100, 10, 2, true),
			want:   rundir.Recovery{RTO: 10, Probes: 10, Longest: 10, Seen: 92},
		},
		"flapping: shorter runs do not count": {
			probes: join(every(1000, 1100, 10, 1, false), every(1100, 1120, 10, 2, true), every(1120, 1200, 10, 1, false), every(1200, 1230, 10, 2, true)),
			want:   rundir.Recovery{RTO: 202, Stable: 191, Failed: 18, Probes: 23, Longest: 102, Seen: 222},
		},
		"a failure later on leaves the recovery where it was, and Stable tells": {
			probes: join(every(1000, 1100, 10, 1, false), every(1100, 1200, 10, 2, true), []at{{1200, 1400, false}}, every(1210, 1300, 10, 2, true)),
			want:   rundir.Recovery{RTO: 102, Stable: 400, Failed: 11, Probes: 30, Longest: 108, Seen: 400},
		},
		"never recovered": {
			probes: join(every(900, 1000, 10, 2, true), every(1000, 1100, 10, 900, false)),
			want:   rundir.Recovery{Censored: true, Stable: 990, Failed: 10, Probes: 10, Longest: 998, Seen: 990},
		},
		"the observation ended within the run": {
			probes: join(every(1000, 1100, 10, 1, false), every(1100, 1120, 10, 2, true)),
			want:   rundir.Recovery{Censored: true, Stable: 91, Failed: 10, Probes: 12, Longest: 102, Seen: 112},
		},
		"what was probed after the end of the observation does not count": {
			act:    Disturbance{Intended: 1000 * ms, Injected: 1005 * ms, N: 3, Until: 1100 * ms},
			probes: join(every(1000, 1101, 10, 1, false), every(1110, 1200, 10, 2, true)),
			want:   rundir.Recovery{Censored: true, Stable: 91, Failed: 10, Probes: 10, Longest: 100, Seen: 100},
		},
		"what was under way at the end of the observation fails by what ended it": {
			act:    Disturbance{Intended: 1000 * ms, Injected: 1005 * ms, N: 3, Until: 1100 * ms},
			probes: join(every(1000, 1090, 10, 2, true), []at{{1090, 1300, false}}),
			want:   rundir.Recovery{RTO: 10, Probes: 9, Longest: 18, Seen: 100},
		},
		"a probe that the outage held on to ends with it": {
			// Intended during the outage, timed out after it: it precedes the run.
			probes: join(every(1000, 1200, 10, 1000, false), every(1200, 2100, 50, 2, true)),
			want:   rundir.Recovery{RTO: 202, Stable: 1190, Failed: 20, Probes: 38, Longest: 202, Seen: 1190},
		},
		"a probe intended before the act is not of it": {
			probes: join([]at{{990, 1700, false}}, every(1000, 1100, 10, 2, true)),
			want:   rundir.Recovery{RTO: 10, Probes: 10, Longest: 608, Seen: 700},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.act
			if d.Intended == 0 {
				d = act
			}
			probes := probesOf("a", c.probes...)
			rand.Shuffle(len(probes), func(i, j int) { probes[i], probes[j] = probes[j], probes[i] })
			got := Recovery(probes, d)
			if len(got) != 1 {
				t.Fatalf("%d recoveries", len(got))
			}
			want := c.want
			want.Layer, want.Op, want.Shard, want.Target, want.Worst = LayerEtcd, OpWrite, "main", "a", true
			for _, ns := range []*int64{&want.RTO, &want.Stable, &want.Longest, &want.Seen} {
				*ns *= ms
			}
			if diff := cmp.Diff(want, got[0]); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWorstIsTheSlowestSurvivor(t *testing.T) {
	slow := func(target string, back int64) []rundir.Probe {
		return probesOf(target, join(every(1000, back, 10, 1, false), every(back, back+100, 10, 2, true))...)
	}
	never := func(target string) []rundir.Probe { return probesOf(target, every(1000, 3000, 10, 1, false)...) }
	for name, c := range map[string]struct {
		probes []rundir.Probe
		down   []string
		worst  string
	}{
		"the slowest":                       {slices.Concat(slow("a", 1200), slow("b", 1500), slow("c", 1300)), nil, "b"},
		"not what the act took down":        {slices.Concat(slow("a", 1200), never("b"), slow("c", 1300)), []string{"b"}, "c"},
		"a survivor that never recovered":   {slices.Concat(slow("a", 2900), never("b"), slow("c", 1300)), []string{"a"}, "b"},
		"where all went down, the slowest":  {slices.Concat(slow("a", 1200), slow("b", 1500)), []string{"a", "b"}, "b"},
		"all down, and one never came back": {slices.Concat(slow("a", 1200), never("b")), []string{"a", "b"}, "b"},
	} {
		var worst []string
		for _, r := range Recovery(c.probes, Disturbance{Intended: 1000 * ms, Injected: 1001 * ms, Down: c.down}) {
			if r.Worst {
				worst = append(worst, r.Target)
			}
		}
		if len(worst) != 1 || worst[0] != c.worst {
			t.Errorf("%s: worst %v, want %s", name, worst, c.worst)
		}
	}
}

func TestLayersAndShardsAreJudgedApart(t *testing.T) {
	main := probesOf("etcd-main-0", every(1000, 1100, 10, 2, true)...)
	events := slices.Clone(main)
	reads := slices.Clone(main)
	for i := range main {
		events[i].Shard, events[i].Target = "events", "etcd-events-0"
		reads[i].Op = OpRead
	}
	got := Recovery(slices.Concat(main, events, reads), Disturbance{Intended: 1000 * ms, Injected: 1000 * ms})
	if len(got) != 3 {
		t.Fatalf("%d recoveries, want 3", len(got))
	}
	for _, r := range got {
		if !r.Worst {
			t.Errorf("%+v is alone of its kind and not the worst", r)
		}
	}
}

func TestNoProbesAreNoRecovery(t *testing.T) {
	before := probesOf("a", every(0, 500, 10, 1, true)...)
	if got := Recovery(before, Disturbance{Intended: 1000 * ms, Injected: 1000 * ms}); len(got) != 0 {
		t.Errorf("recoveries out of nothing: %+v", got)
	}
}
