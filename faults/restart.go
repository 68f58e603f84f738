package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// KubeletRestart restarts the kubelets of many nodes: each drops its watches
// and what it knew, and asks the API server for all of it anew.
type KubeletRestart struct {
	Fleet   string        `yaml:"fleet" doc:"the name of a workload of the kind nodes; may be left out where there is one"`
	Share   unit.Percent  `yaml:"share" doc:"share of its nodes, drawn by the seed; 100% by default"`
	Within  unit.Duration `yaml:"within" max:"5m" doc:"the time over which the restarts are spread evenly at random; 0s, all at once, by default"`
	Proxies bool          `yaml:"proxies" doc:"whether the nodes' kube-proxies restart too; true by default"`
}

// Passes implements acts.Passing.
func (f *KubeletRestart) Passes() {}

// maxWithin bounds the window of a restart.
const maxWithin = 5 * time.Minute

// Check implements acts.Act.
func (f *KubeletRestart) Check() []string {
	var problems []string
	if f.Share <= 0 || f.Share > 1 {
		problems = append(problems, fmt.Sprintf("share: %s is not above 0%% and at most 100%%", f.Share))
	}
	if f.Within.D() > maxWithin {
		problems = append(problems, fmt.Sprintf("within: %s is above the limit of %s", f.Within, unit.Duration(maxWithin)))
	}
	return problems
}

// Describe implements acts.Act.
func (f *KubeletRestart) Describe() string {
	what := "the kubelets"
	if f.Proxies {
		what = "the kubelets and kube-proxies"
	}
	when := "at once"
	if f.Within > 0 {
		when = "within " + f.Within.String()
	}
	return fmt.Sprintf("restart %s of %s %s: their watches are dropped and begun anew", what, nodesOf(f.Share, f.Fleet), when)
}

// nodesOf is a share of a fleet's nodes in a sentence.
func nodesOf(share unit.Percent, fleet string) string {
	text := "all nodes"
	if share < 1 {
		text = share.String() + " of the nodes"
	}
	if fleet != "" {
		text += " of " + fleet
	}
	return text
}

// Needs implements acts.Act.
func (f *KubeletRestart) Needs() []clusters.Capability { return nil }

// Aim implements acts.Act.
func (f *KubeletRestart) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	fleet, err := env.Fleet(f.Fleet)
	if err != nil {
		return nil, err
	}
	r := &restarted{KubeletRestart: *f, env: env, fleet: fleet, nodes: fleet.Choose(env.Act, f.Share.Fraction(), 0), facts: map[string]float64{}}
	synced, total, _ := fleet.Synced(r.nodes)
	switch {
	case len(r.nodes) == 0:
		return nil, fmt.Errorf("%s are none", nodesOf(f.Share, f.Fleet))
	case total == 0:
		return nil, fmt.Errorf("the nodes watch nothing, so their restart would not show")
	case synced < total:
		r.notes = append(r.notes, fmt.Sprintf("before, %d of the nodes' %d watches were up", synced, total))
	}
	r.before, err = acts.ReadWatches(ctx, env.Cluster)
	return r, err
}

// restarted is nodes whose kubelets are restarted.
type restarted struct {
	KubeletRestart
	env     *acts.Env
	fleet   acts.Fleet
	nodes   []string
	notes   []string
	facts   map[string]float64
	before  acts.Watches
	began   int64 // when the first was restarted, ns since the clock's origin
	dropped map[string]int
}

// Target implements acts.Aimed.
func (r *restarted) Target() acts.Target {
	return acts.Target{Name: unit.Count(len(r.nodes), "node"), Facts: r.facts, Notes: r.notes}
}

// Inject implements acts.Aimed: it lasts as long as the window.
func (r *restarted) Inject(ctx context.Context) (err error) {
	r.began = r.env.Clock.Now()
	r.dropped, err = r.fleet.Restart(ctx, r.nodes, r.Within.D(), r.Proxies)
	r.facts["nodes"] = float64(len(r.nodes))
	r.facts["watches"] = float64(sum(r.dropped))
	return err
}

// readEvery is how often an API server is asked for its metrics or for all
// leases: neither is free.
const readEvery = 500 * time.Millisecond

// Prove implements acts.Aimed: of every resource, the API servers count at
// least as many watches ended as the nodes dropped.
func (r *restarted) Prove(ctx context.Context) (string, error) {
	if sum(r.dropped) == 0 {
		return "", fmt.Errorf("none of the nodes' watches was open, so none was dropped")
	}
	var said string
	err := acts.UntilEvery(ctx, readEvery, func(ctx context.Context) error {
		now, err := acts.ReadWatches(ctx, r.env.Cluster)
		if err != nil {
			return err
		}
		ended := 0.0
		for resource, dropped := range r.dropped {
			rose := now.Ended[resource] - r.before.Ended[resource]
			if rose < float64(dropped) {
				return fmt.Errorf("the API servers count %.0f watches of %s ended, and the nodes dropped %d", rose, resource, dropped)
			}
			ended += rose
		}
		said = fmt.Sprintf("the API servers count %s watches of %s ended (apiserver_request_total), and the nodes dropped %s",
			unit.Grouped(int64(ended)), unit.Count(len(r.dropped), "resource"), unit.Grouped(sum(r.dropped)))
		return nil
	})
	return said, err
}

// Heal implements acts.Aimed: the nodes come back by themselves, which may take
// as long as an act is waited for.
func (r *restarted) Heal(ctx context.Context) error { return r.resynced(ctx) }

// resynced waits until every watch of the nodes has seen everything again.
func (r *restarted) resynced(ctx context.Context) error {
	return acts.Until(ctx, func(context.Context) error {
		synced, total, last := r.fleet.Synced(r.nodes)
		if synced < total {
			return fmt.Errorf("%d of the nodes' %d watches have seen everything again", synced, total)
		}
		r.facts["seconds.resync"] = time.Duration(last - r.began).Seconds()
		return nil
	})
}

// ProveHealed implements acts.Aimed: every watch of the nodes has seen
// everything again, and the API servers hold as many as the nodes have.
func (r *restarted) ProveHealed(ctx context.Context) (string, error) {
	if err := r.resynced(ctx); err != nil {
		return "", err
	}
	_, total, _ := r.fleet.Synced(r.nodes)
	var said string
	err := acts.UntilEvery(ctx, readEvery, func(ctx context.Context) error {
		now, err := acts.ReadWatches(ctx, r.env.Cluster)
		if err != nil {
			return err
		}
		open := 0.0
		for resource, dropped := range r.dropped {
			if now.Open[resource] < float64(dropped) {
				return fmt.Errorf("the API servers hold %.0f watches of %s, and the nodes have %d", now.Open[resource], resource, dropped)
			}
			open += now.Open[resource]
		}
		said = fmt.Sprintf("all %s watches of the nodes have seen everything again, %.1fs after the first restart; the API servers hold %s watches of these resources (apiserver_longrunning_requests)",
			unit.Grouped(total), r.facts["seconds.resync"], unit.Grouped(int64(open)))
		return nil
	})
	return said, err
}

func sum(by map[string]int) int {
	n := 0
	for _, v := range by {
		n += v
	}
	return n
}
