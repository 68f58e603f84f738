package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// Against holds one run against another, of another day or another machine.
type Against struct {
	Schema int     `json:"schema"`
	Old    RunID   `json:"old"`
	New    RunID   `json:"new"`
	Claim  string  `json:"claim"` // what such a comparison can say, and what it cannot
	Alpha  float64 `json:"alpha"`
	// Warnings are the differences between the runs, beside what is asked:
	// each may be the reason of every difference that is found.
	Warnings []string  `json:"warnings"`
	Rows     []Shifted `json:"rows"`
}

// RunID names a run.
type RunID struct {
	Dir      string `json:"dir"`
	ID       string `json:"id"`
	Scenario string `json:"scenario"`
	Storm    string `json:"storm"`
	Started  string `json:"started"`
	Valid    int    `json:"valid"`
	Planned  int    `json:"planned"`
}

// Shifted is a metric of a profile in both runs. The ratio is the new run's
// value over the old one's.
type Shifted struct {
	Profile    string  `json:"profile"`
	NewProfile string  `json:"newProfile,omitempty"` // where it has another name in the new run
	Title      string  `json:"title"`
	Metric     string  `json:"metric"`
	Stat       string  `json:"stat,omitempty"`
	Unit       string  `json:"unit"`
	Lower      bool    `json:"lower"`
	OldMedian  Number  `json:"oldMedian"`
	NewMedian  Number  `json:"newMedian"`
	OldTrials  int     `json:"oldTrials"` // used
	NewTrials  int     `json:"newTrials"`
	Ratio      Number  `json:"ratio"` // the Hodges-Lehmann estimate of the shift of the logarithms
	Low        Number  `json:"low"`
	High       Number  `json:"high"`
	Confidence float64 `json:"confidence"` // achieved, exact; 0 without an interval
	P          Number  `json:"p"`          // two-sided, exact: Mann and Whitney's
	Text       string  `json:"text"`
}

// claim is said with every such comparison.
const claim = "The trials of two runs were not drawn into one random order: whatever else changed between them, the machine's mood first of all, is in every ratio. " +
	"In simulations of a drifting machine without any difference, such a test found one in 21 to 35 of 100 cases where it promises 5. It has no verdict; to decide, run both as profiles of one scenario."

// ErrNotComparable is what CompareRuns returns of runs that measured different
// things.
var ErrNotComparable = errors.New("these runs cannot be compared")

// ProfileError is what CompareRuns returns where the profiles that it was asked for
// are not there: others may be.
type ProfileError struct{ text string }

func (e *ProfileError) Error() string { return e.text }

// CompareRuns holds every profile that both runs have against itself, on what the
// gates of the new run look at. With from and to, that profile of the old run
// is held against that of the new one instead.
func CompareRuns(before, after *rundir.Dir, from, to string) (*Against, error) {
	a, b := before.Run(), after.Run()
	if err := sameScenario(a, b); err != nil {
		return nil, err
	}
	if a.ID != "" && a.ID == b.ID && from == to {
		return nil, fmt.Errorf("%w: both are the run %s", ErrNotComparable, a.ID)
	}
	type pair struct{ from, to string }
	var pairs []pair
	switch {
	case from != "" || to != "":
		for _, side := range []struct {
			run  rundir.Run
			name string
			path string
		}{{a, from, before.Path()}, {b, to, after.Path()}} {
			if !hasProfile(side.run, side.name) {
				return nil, &ProfileError{fmt.Sprintf("%s has no profile %q: it has %s", side.path, side.name, listed(profileNames(side.run)))}
			}
		}
		pairs = []pair{{from, to}}
	default:
		for _, p := range a.Profiles {
			if hasProfile(b, p.Name) {
				pairs = append(pairs, pair{p.Name, p.Name})
			}
		}
	}
	if len(pairs) == 0 {
		return nil, &ProfileError{fmt.Sprintf("the runs have no profile in common (%s; %s): say which with --profile OLD=NEW", listed(profileNames(a)), listed(profileNames(b)))}
	}
	old, oldRun, err := judged(before, a)
	if err != nil {
		return nil, err
	}
	now, newRun, err := judged(after, b)
	if err != nil {
		return nil, err
	}
	out := &Against{Schema: SchemaVersion, Old: idOf(oldRun), New: idOf(newRun), Claim: claim, Alpha: alphaOf(b), Warnings: []string{}, Rows: []Shifted{}}
	out.Warnings = append(out.Warnings, differences(before, after, oldRun, newRun)...)
	for _, p := range pairs {
		if old, now := profileIn(a, p.from), profileIn(b, p.to); !slices.Equal(old.Changes, now.Changes) {
			out.Warnings = append(out.Warnings, fmt.Sprintf("the profiles differ: %s was %s and %s is %s", p.from, changed(old), p.to, changed(now)))
		}
		for _, g := range gatedMetrics(b.Gates) {
			out.Rows = append(out.Rows, shifted(g, old, now, p.from, p.to, 1-out.Alpha))
		}
	}
	out.Warnings = append(out.Warnings, notCompared(b.Gates)...)
	if len(out.Rows) == 0 {
		return nil, fmt.Errorf("%s has no gate on what its blocks measure: there is nothing to compare", after.Path())
	}
	cleanText(out)
	return out, nil
}

// notCompared says which gates gatedMetrics leaves out.
func notCompared(gates []rundir.Gate) []string {
	var out []string
	for _, g := range gates {
		why := ""
		switch {
		case g.Tour != "":
			why = fmt.Sprintf("the tour %s is run once, and in no block", g.Tour)
		case withoutRatio(g):
			why = "an account of writes has no ratio"
		default:
			continue
		}
		text := fmt.Sprintf("not compared: %s: %s", subject(g), why)
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// sameScenario refuses runs of different scenarios: by name, or by what they
// put on the cluster and did to it.
func sameScenario(a, b rundir.Run) error {
	if a.Scenario != b.Scenario {
		return fmt.Errorf("%w: the scenario %s in the old run and %s in the new one", ErrNotComparable, or(a.Scenario, "without a name"), or(b.Scenario, "without a name"))
	}
	for _, part := range []struct {
		what     string
		old, new []rundir.Described
	}{{"load", a.Workloads, b.Workloads}, {"timeline", a.Timeline, b.Timeline}} {
		for i := range max(len(part.old), len(part.new)) {
			old, now := "nothing", "nothing"
			if i < len(part.old) {
				old = fmt.Sprintf("%s: %s", part.old[i].Name, part.old[i].Text)
			}
			if i < len(part.new) {
				now = fmt.Sprintf("%s: %s", part.new[i].Name, part.new[i].Text)
			}
			if old != now {
				return fmt.Errorf("%w: both are of %s, but the %s differs: %q in the old run and %q in the new one", ErrNotComparable, a.Scenario, part.what, old, now)
			}
		}
	}
	return nil
}

// differences are what else changed from run to run.
func differences(before, after *rundir.Dir, old, now Run) []string {
	var out []string
	differ := func(what, a, b string) {
		if a != b {
			out = append(out, fmt.Sprintf("%s: %s in the old run, %s in the new one", what, or(a, "unknown"), or(b, "unknown")))
		}
	}
	a, b := before.Run(), after.Run()
	host := func(h rundir.Host) string {
		return fmt.Sprintf("%s, %d cores, %d MiB", or(h.CPU, "unknown"), h.Cores, h.MemoryMB)
	}
	differ("the machine", host(a.Host), host(b.Host))
	differ("the kernel", a.Host.Kernel, b.Host.Kernel)
	differ("root", fmt.Sprint(a.Host.Root), fmt.Sprint(b.Host.Root))
	differ("the network", a.Networking, b.Networking)
	differ("the provider", a.Provider, b.Provider)
	differ("the version of storm", a.Storm, b.Storm)
	if f, g := float64(a.Host.FsyncUS), float64(b.Host.FsyncUS); f > 0 && g > 0 && max(f/g, g/f) >= 2 {
		differ("an fsync", fmt.Sprintf("%.0f µs", f), fmt.Sprintf("%.0f µs", g))
	}
	differ("the components", components(before), components(after))
	differ("what storm itself asks and writes", observing(a), observing(b))
	out = append(out, unlike(before, after)...)
	for _, r := range []Run{old, now} {
		switch {
		case r.Complete && r.Valid < r.Planned:
			out = append(out, fmt.Sprintf("of the run %s %d of %s are valid: what made the others invalid may be a difference too", r.ID, r.Valid, unit.Count(r.Planned, "trial")))
		case !r.Complete:
			out = append(out, fmt.Sprintf("the run %s is not complete: %d of %s are valid", r.ID, r.Valid, unit.Count(r.Planned, "trial")))
		}
	}
	return out
}

// observing says how a run was observed; empty where it does not tell.
func observing(run rundir.Run) string {
	if o := run.Observing; o != nil {
		return fmt.Sprintf("probes at %.3g/s, a witness at %.3g/s", o.Probes, o.Witness)
	}
	return ""
}

// components lists what ran, with its version and what built it.
func components(dir *rundir.Dir) string {
	list, err := dir.Components()
	if err != nil {
		return "not readable"
	}
	var out []string
	for _, p := range list {
		text := fmt.Sprintf("%s %s (%s)", p.Component, p.Version, or(p.GoVersion, "Go unknown"))
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// judged reads a run for its values.
func judged(dir *rundir.Dir, run rundir.Run) (*judgement, Run, error) {
	trials, err := read(dir, dir.Trials())
	if err != nil {
		return nil, Run{}, err
	}
	return &judgement{run: run, trials: trials}, runOf(dir, run, trials), nil
}

func idOf(r Run) RunID {
	return RunID{Dir: r.Dir, ID: r.ID, Scenario: r.Scenario, Storm: r.Storm, Started: r.Started.Format("2006-01-02 15:04"), Valid: r.Valid, Planned: r.Planned}
}

func profileIn(run rundir.Run, name string) rundir.Profile {
	i := slices.IndexFunc(run.Profiles, func(p rundir.Profile) bool { return p.Name == name })
	if i < 0 {
		return rundir.Profile{Name: name}
	}
	return run.Profiles[i]
}

func hasProfile(run rundir.Run, name string) bool { return slices.Contains(profileNames(run), name) }

func profileNames(run rundir.Run) []string {
	var out []string
	for _, p := range run.Profiles {
		out = append(out, p.Name)
	}
	return out
}

func changed(p rundir.Profile) string {
	return or(strings.Join(p.Changes, ", "), "the scenario as it stands")
}
