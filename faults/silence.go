package faults

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// RackSilence cuts a rack of nodes off, as a dead switch or power supply does,
// and has them come back when the hold is over.
type RackSilence struct {
	Fleet string `yaml:"fleet" doc:"the name of a workload of the kind nodes; may be left out where there is one"`
	Rack  int    `yaml:"rack" min:"1" max:"100000" doc:"how many nodes stand in the rack: neighbours by number; which rack is drawn by the seed; 10 by default"`
}

// Check implements acts.Act.
func (f *RackSilence) Check() []string {
	if f.Rack < 1 {
		return []string{fmt.Sprintf("rack: %d is no number of nodes: 1 or more", f.Rack)}
	}
	return nil
}

// Describe implements acts.Act.
func (f *RackSilence) Describe() string {
	s := "cut a rack of " + unit.Count(f.Rack, "node")
	if f.Fleet != "" {
		s += " of " + f.Fleet
	}
	return s + " off: they make no request and keep no watch until they come back"
}

// Needs implements acts.Act.
func (f *RackSilence) Needs() []clusters.Capability { return nil }

// Aim implements acts.Act.
func (f *RackSilence) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	fleet, err := env.Fleet(f.Fleet)
	if err != nil {
		return nil, err
	}
	s := &silenced{fleet: fleet, nodes: fleet.Choose(env.Act, 0, f.Rack), facts: map[string]float64{}}
	if len(s.nodes) < f.Rack {
		return nil, fmt.Errorf("a rack of %d nodes was asked for, and there are %d", f.Rack, len(s.nodes))
	}
	s.facts["nodes"] = float64(len(s.nodes))
	s.kube, err = acts.Kube(env.Cluster)
	return s, err
}

// silenced is a rack that is cut off.
type silenced struct {
	fleet     acts.Fleet
	kube      kubernetes.Interface
	nodes     []string // in order
	heartbeat time.Duration
	facts     map[string]float64
	last      map[string]time.Time // the leases' last renewals
	unknown   int                  // how many nodes were Ready Unknown when they were woken
}

// Target implements acts.Aimed.
func (s *silenced) Target() acts.Target {
	return acts.Target{Name: fmt.Sprintf("%s … %s", s.nodes[0], s.nodes[len(s.nodes)-1]), Facts: s.facts}
}

// Inject implements acts.Aimed.
func (s *silenced) Inject(context.Context) (err error) {
	s.heartbeat, err = s.fleet.Silence(s.nodes)
	return err
}

// leaseNamespace is where nodes' leases are.
const leaseNamespace = "kube-node-lease"

// renewals reads when the leases of the rack's nodes were last renewed.
func (s *silenced) renewals(ctx context.Context) (map[string]time.Time, error) {
	leases, err := s.kube.CoordinationV1().Leases(leaseNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the nodes' leases: %w", err)
	}
	out := map[string]time.Time{}
	for i := range leases.Items {
		l := &leases.Items[i]
		if _, ours := slices.BinarySearch(s.nodes, l.Name); ours && l.Spec.RenewTime != nil {
			out[l.Name] = l.Spec.RenewTime.Time
		}
	}
	if len(out) < len(s.nodes) {
		return nil, fmt.Errorf("the API server has leases of %d of %d nodes", len(out), len(s.nodes))
	}
	return out, nil
}

// Prove implements acts.Aimed: over more than the time between two renewals
// none of the rack's leases is renewed.
func (s *silenced) Prove(ctx context.Context) (string, error) {
	still := s.heartbeat + s.heartbeat/4
	var since time.Time
	err := acts.UntilEvery(ctx, readEvery, func(ctx context.Context) error {
		asked := time.Now()
		now, err := s.renewals(ctx)
		if err != nil {
			return err
		}
		moved := 0
		for _, name := range s.nodes {
			if !now[name].Equal(s.last[name]) {
				moved++
			}
		}
		if moved > 0 { // also at the first look; later, of what was in flight
			s.last, since = now, time.Now()
			return fmt.Errorf("the leases of %d of %d nodes were renewed", moved, len(s.nodes))
		}
		if stood := asked.Sub(since); stood < still {
			return fmt.Errorf("the leases have not been renewed for %s, which is less than the %s of a heartbeat and a quarter", stood.Round(time.Millisecond), still)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("none of the leases of %s was renewed for %s, though they were every %s", unit.Count(len(s.nodes), "node"),
		unit.Duration(still), unit.Duration(s.heartbeat)), nil
}

// ready counts the rack's nodes by the status of their condition Ready.
func (s *silenced) ready(ctx context.Context) (map[corev1.ConditionStatus]int, error) {
	nodes, err := s.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the nodes: %w", err)
	}
	out := map[corev1.ConditionStatus]int{}
	for i := range nodes.Items {
		n := &nodes.Items[i]
		if _, ours := slices.BinarySearch(s.nodes, n.Name); !ours {
			continue
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				out[c.Status]++
			}
		}
	}
	return out, nil
}

// Heal implements acts.Aimed: it looks what the controllers have made of the
// silence, and ends it.
func (s *silenced) Heal(ctx context.Context) error {
	if ready, err := s.ready(ctx); err == nil {
		s.unknown = max(s.unknown, ready[corev1.ConditionUnknown])
		s.facts["nodes.unknown"] = float64(s.unknown)
	}
	return s.fleet.Wake(s.nodes)
}

// ProveHealed implements acts.Aimed: every lease moves again, every node is
// ready, every watch has seen everything again.
func (s *silenced) ProveHealed(ctx context.Context) (string, error) {
	err := acts.UntilEvery(ctx, readEvery, func(ctx context.Context) error {
		if synced, total, _ := s.fleet.Synced(s.nodes); synced < total {
			return fmt.Errorf("%d of the nodes' %d watches have seen everything again", synced, total)
		}
		now, err := s.renewals(ctx)
		if err != nil {
			return err
		}
		for _, name := range s.nodes {
			if !now[name].After(s.last[name]) {
				return fmt.Errorf("the lease of %s has not been renewed since", name)
			}
		}
		ready, err := s.ready(ctx)
		if n := ready[corev1.ConditionTrue]; err == nil && n < len(s.nodes) {
			err = fmt.Errorf("%d of %d nodes are ready", n, len(s.nodes))
		}
		return err
	})
	if err != nil {
		return "", err
	}
	was := "none had been found to be away"
	if s.unknown > 0 {
		was = fmt.Sprintf("%d had been of unknown state", s.unknown)
	}
	return fmt.Sprintf("the leases of all %s are renewed again and the nodes are ready (%s)", unit.Count(len(s.nodes), "node"), was), nil
}
