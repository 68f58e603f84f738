package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// Whose limit was met is said from what was measured, and nothing where nothing
// was.
func TestWhoWasAtTheirLimit(t *testing.T) {
	at := func(server, storm float64, problems ...string) []*trial {
		tr := aTrial() // 8 s of steady
		tr.ID = "001"
		tr.procs = map[string][]process{
			"kube-apiserver-0": {{at: 2 * s, pid: 1}, {at: 10 * s, pid: 1, cpu: 8 * server}},
			"storm":            {{at: 2 * s, pid: 2}, {at: 10 * s, pid: 2, cpu: 8 * storm}},
		}
		tr.done.Health.Problems = problems
		return []*trial{tr}
	}
	run := rundir.Run{Host: rundir.Host{Cores: 2}, Profiles: []rundir.Profile{{Name: ""}}}
	for name, c := range map[string]struct {
		trials []*trial
		want   string
	}{
		"idle":              {at(.5, .1), "used 0.5 and storm 0.1 of 2 processor cores (median of 1 trial): the processors were not full"},
		"a busy server":     {at(1.6, .3), "the machine was saturated, and storm kept up"},
		"a late storm":      {at(1.2, .8, "late"), "storm itself could not keep up"},
		"nothing measured":  {[]*trial{{state: TrialValid}}, "in the steady phases is not known"},
		"no trial that ran": {[]*trial{{state: TrialMissing}}, "is not known"},
	} {
		got := saturation(run, c.trials, "", "")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	beside := at(.5, .1)
	beside[0].machine = []machine{{at: 2 * s, used: 100}, {at: 10 * s, used: 100 + 8*.9, stolen: 8 * .1}}
	if got := saturation(run, beside, "", ""); !strings.Contains(got, "(median of 1 trial); everything else on the machine took at most 0.4, in 001: the processors were") {
		t.Errorf("beside others: %q", got)
	}
	warnBeside(run, beside)
	if w := strings.Join(beside[0].warnings, ""); !strings.Contains(w, "others took 0.4 of the machine's 2 cores in the steady phases (processes beside the control plane and storm 0.3, the hypervisor 0.1)") {
		t.Errorf("beside others: warned %q", w)
	}
	full := at(.5, .1)
	full[0].machine = []machine{{at: 2 * s}, {at: 10 * s, used: 8 * 1.9}}
	if got := saturation(run, full, "", ""); !strings.Contains(got, "everything else on the machine took at most 1.3, in 001: the machine was saturated") {
		t.Errorf("filled by others: %q", got)
	}
	alone := at(1.8, .1)
	alone[0].machine = []machine{{at: 2 * s, used: 100}, {at: 10 * s, used: 100 + 8*2}}
	if warnBeside(run, alone); len(alone[0].warnings) > 0 {
		t.Errorf("alone on the machine: warned %q", alone[0].warnings)
	}
	some := append(append(at(1.7, .2), at(1.7, .2)...), at(1.7, .2, "late")...)
	some[2].ID = "003"
	if got := saturation(run, some, "", ""); !strings.Contains(got, "storm kept up with its load, but in 003; latencies are") {
		t.Errorf("late in one of three: %q", got)
	}
	for _, one := range some {
		one.procs = at(.5, .1)[0].procs
	}
	if got := saturation(run, some, "", ""); !strings.Contains(got, "disks and queues; storm kept up with its load, but in 003.") {
		t.Errorf("late in one of three, on an idle machine: %q", got)
	}
	if got := saturation(run, at(.5, .1), "A queue was long.", ""); !strings.HasSuffix(got, "the processors were not full, which says nothing of disks. A queue was long.") {
		t.Errorf("with a word on queues: %q", got)
	}
	if got := saturation(run, at(.5, .1), "A queue was long.", "A disk was slow."); !strings.HasSuffix(got, "the processors were not full. A queue was long. A disk was slow.") {
		t.Errorf("with a word on both: %q", got)
	}
	if got := saturation(run, []*trial{{state: TrialValid}}, "A queue was long.", ""); !strings.HasSuffix(got, "is not known. A queue was long.") { // as on a cluster of somebody's own
		t.Errorf("with queues alone: %q", got)
	}
	two := rundir.Run{Host: rundir.Host{Cores: 2}, Profiles: []rundir.Profile{{Name: "idle"}, {Name: "busy"}}}
	both := append(at(.5, .1), at(1.7, .2)...)
	both[0].Profile, both[1].Profile = "idle", "busy"
	if got := saturation(two, both, "", ""); !strings.Contains(got, "with busy, the most of all profiles): the machine was saturated") {
		t.Errorf("of two profiles: %q", got)
	}
}

// How late storm was where that decides nothing is said, of valid trials.
func TestHowLateStormWasBesideFaults(t *testing.T) {
	one, two, bad := &trial{state: TrialValid}, &trial{state: TrialValid}, &trial{state: TrialInvalid}
	one.ID, two.ID, bad.ID = "001", "002", "003"
	if got := lateBeside([]*trial{one, two, bad}); got != "" {
		t.Errorf("never late: %q", got)
	}
	one.late, two.late, bad.late = 12_000_000, 36_800_000, 900_000_000
	if got := lateBeside([]*trial{one, two, bad}); !strings.HasPrefix(got, "Beside faults and operations storm sent up to 36.8 ms late (in 002);") {
		t.Errorf("%q", got)
	}
	tr := aTrial()
	for phase, lag := range map[string]int64{"steady": 5, "fault": 3, "warmup": 9} {
		at := slices.IndexFunc(tr.done.Phases, func(p rundir.Phase) bool { return p.Name == phase })
		if at < 0 {
			t.Fatalf("the fixture has no %s", phase)
		}
		p := tr.done.Phases[at]
		tr.window(rundir.Window{Key: rundir.Key{Workload: rundir.WorkloadProbe, Verb: "get"}, From: p.From, To: p.From + 1, OK: 1, LagMax: lag}, nil, nil)
	}
	if tr.late != 3 {
		t.Errorf("%d, want that of the fault", tr.late)
	}
}
