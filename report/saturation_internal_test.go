package report

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// Whose limit was met is said from what was measured, and nothing where nothing
// was.
func TestWhoWasAtTheirLimit(t *testing.T) {
	at := func(server, storm float64, problems ...string) []*trial {
		tr := aTrial() // 8 s of steady
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
		"nothing measured":  {[]*trial{{state: TrialValid}}, ""},
		"no trial that ran": {[]*trial{{state: TrialMissing}}, ""},
	} {
		got := saturation(run, c.trials)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	two := rundir.Run{Host: rundir.Host{Cores: 2}, Profiles: []rundir.Profile{{Name: "idle"}, {Name: "busy"}}}
	both := append(at(.5, .1), at(1.7, .2)...)
	both[0].Profile, both[1].Profile = "idle", "busy"
	if got := saturation(two, both); !strings.Contains(got, "with busy, the most of all profiles): the machine was saturated") {
		t.Errorf("of two profiles: %q", got)
	}
}
