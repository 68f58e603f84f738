package report

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/stats"
)

// Analyse reads a run directory, finished or not, and says what it means. It
// depends on nothing else: the same directory gives the same Result. What
// cannot be read of a trial makes that trial invalid; an error is returned only
// where the run itself cannot be understood.
func Analyse(dir *rundir.Dir) (*Result, error) {
	run := dir.Run()
	states := dir.Trials()
	if len(states) == 0 {
		return nil, fmt.Errorf("%s plans no trial: there is nothing to report", dir.Path())
	}
	trials, err := read(dir, states)
	if err != nil {
		return nil, err
	}
	warnBeside(run, trials)
	j := &judgement{run: run, trials: trials}
	scenario, damaged := scenarioLines(dir)
	r := &Result{
		Schema: SchemaVersion,
		Run:    runOf(dir, run, trials), Profiles: profilesOf(run, trials),
		Workloads: full(run.Workloads), Timeline: full(run.Timeline),
		Provider: run.Provider, Networking: run.Networking, Host: run.Host, Limits: full(run.Limits),
		Gates: j.gates(), Comparisons: full(j.information()),
		Trials: trialsOf(trials), Recovery: full(recoveries(trials)), Audits: full(audits(trials)), RPO: full(rpo(run, trials)),
		Latency: full(latencies(run, trials)), Curves: full(curves(run, trials)), Errors: full(errorCounts(trials)),
		Costs: full(costs(run, trials)), Charts: full(charts(trials)), Heat: full(heatMaps(run, trials)),
		Shards: full(shardLoads(run, trials)), Levels: full(levelLoads(run, trials)), Scenario: full(scenario),
	}
	r.Limits = append(slices.Clone(r.Limits), saturation(run, trials, queues(r.Levels, len(run.Profiles) > 1), slowestDisk(r.Shards, len(run.Profiles) > 1)), lateBeside(trials))
	r.Limits = slices.DeleteFunc(r.Limits, func(s string) bool { return s == "" })
	if damaged != "" {
		r.Warnings = append(r.Warnings, damaged)
	}
	provenance, err := dir.Components()
	if err != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("where the components came from cannot be read: %v", err))
	}
	r.Provenance = full(provenance)
	versions(r)
	r.Warnings = full(append(r.Warnings, warnings(r, dir)...))
	r.Method = method(r, run)
	conclude(r)
	clean(r)
	return r, nil
}

// full makes an empty list of a missing one, so that JSON has [] and not null.
func full[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// read reads all trials: first the heads, which give each group of trials its
// common grid of time, then the measurements, as many at a time as there are
// processors.
func read(dir *rundir.Dir, states []rundir.TrialState) ([]*trial, error) {
	trials := make([]*trial, len(states))
	for i, s := range states {
		t, err := readHead(dir, i+1, s)
		if err != nil {
			return nil, err
		}
		if t.Tour == "" {
			t.planned = componentsOf(dir.Run(), t.Profile)
		}
		trials[i] = t
	}
	align(trials)
	errs := make([]error, len(trials))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, t := range trials {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = t.readBody(dir, t.grid)
		})
	}
	wg.Wait()
	return trials, errors.Join(errs...)
}

// align gives the trials of a group their grid: zero is the intended instant of
// the first act where every trial that began has one.
func align(trials []*trial) {
	groups := map[string][]*trial{}
	for _, t := range trials {
		switch {
		case t.state == TrialMissing:
		case t.Discarded: // apart: they may neither shift nor stretch what counts
			groups["\x00"+t.ID] = []*trial{t}
		default:
			groups[t.Tour] = append(groups[t.Tour], t)
		}
	}
	for _, group := range groups {
		acted := !slices.ContainsFunc(group, func(t *trial) bool { _, ok := t.firstAct(); return !ok })
		var before, after int64
		zero := make([]int64, len(group))
		for i, t := range group {
			if acted {
				zero[i], _ = t.firstAct()
			}
			before, after = max(before, zero[i]), max(after, t.end-zero[i])
		}
		for i, t := range group {
			t.grid = gridOf(zero[i]-before, zero[i]+after, zero[i])
			t.acted = acted
		}
	}
}

// firstAct returns the intended instant of the earliest fault or operation.
func (t *trial) firstAct() (at int64, ok bool) {
	at = math.MaxInt64
	for _, a := range t.done.Acts {
		at, ok = min(at, a.Intended), true
	}
	return at, ok
}

func runOf(dir *rundir.Dir, run rundir.Run, trials []*trial) Run {
	out := Run{
		ID: run.ID, Dir: filepath.Base(dir.Path()), Scenario: run.Scenario, About: run.About, Storm: run.Storm,
		Command: full(run.Command), Repeat: repeat(run), Seed: run.Seed, Blocks: run.Blocks,
		Started: run.Started, Finished: run.Finished, Outcome: or(run.Outcome, "cut off"), Error: run.Error,
		Planned: len(trials), ShortSteady: run.ShortSteady,
	}
	for _, t := range trials {
		switch t.state {
		case TrialValid:
			out.Valid++
		case TrialInvalid:
			out.Invalid++
		case TrialDiscarded:
			out.Discarded++
			out.Planned--
		default:
			out.Missing++
		}
	}
	out.Complete = run.Outcome == "complete" && out.Missing == 0
	return out
}

func profilesOf(run rundir.Run, trials []*trial) []Profile {
	out := make([]Profile, 0, len(run.Profiles))
	for i, p := range run.Profiles {
		row := Profile{Name: p.Name, About: p.About, Changes: full(p.Changes), Base: i == 0, Shards: []rundir.ShardSummary{}, Parts: map[string]int{}, Versions: map[string]string{}}
		if at := slices.IndexFunc(run.Topology, func(t rundir.Topology) bool { return t.Profile == p.Name }); at >= 0 {
			row.Shards, row.Parts = full(run.Topology[at].Shards), run.Topology[at].Parts
		}
		for _, t := range trials {
			if t.Profile != p.Name || t.Tour != "" || t.Discarded {
				continue
			}
			row.Planned++
			switch t.state {
			case TrialValid:
				row.Valid++
			case TrialInvalid:
				row.Invalid++
			default:
				row.Missing++
			}
		}
		out = append(out, row)
	}
	return out
}

// versions gives every profile the versions that it ran.
func versions(r *Result) {
	for _, p := range r.Provenance {
		for i := range r.Profiles {
			if p.Profile == "" || p.Profile == r.Profiles[i].Name {
				r.Profiles[i].Versions[p.Component] = p.Version
			}
		}
	}
}

func method(r *Result, run rundir.Run) Method {
	alpha := alphaOf(run)
	m := Method{Confidence: 1 - alpha, Alpha: alpha, MinBlocks: stats.NeedPaired(1 - alpha)}
	for _, g := range r.Gates {
		for _, res := range g.Results {
			if res.Comparison != nil {
				m.Family++
			}
		}
	}
	m.Text = []string{
		"The trial is the unit: each gives one value of a metric. Profiles are compared within blocks, which hold every profile once in random order, by the logarithm of the ratio.",
		"The ratio is the Hodges-Lehmann estimate, its interval lies between two Walsh averages and is exact; p is that of the signed-rank test, the sign-flip test of the ranks, which the interval inverts.",
		"One interval decides: wholly beyond the margin is regressed, wholly on the near side of it pass (improved where it is also wholly better than 1), anything else inconclusive. A claim of a regression must also survive Holm's correction over all comparisons of the run.",
		"Beside it stands the sign-flip test of the mean log ratio, which decides nothing: exact up to 16 blocks, above that sampled from the run's seed, with the error of the sampling.",
		"A time that did not end while it was watched counts as longer than all others. A metric without samples is invalid, never a pass.",
		"The tables of ratios without a verdict are information: their intervals are not corrected for their number.",
	}
	return m
}
