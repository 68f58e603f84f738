//go:build kind

package main

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/report"
)

// TestVerdictsAgree runs one scenario on a local cluster and on kind: profile b
// asks a webhook that answers late, and both find that; profile same is a in all
// but its name, and neither finds it slower.
func TestVerdictsAgree(t *testing.T) {
	s := newStage(t)
	p := plantSlowdown(t, bridge(t))
	gates := append([]string{}, plantedGates...)
	gates = append(gates, "{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, profile: same, stat: p50, margin: 50%}")
	// What is planted is far beyond the margin: the fewest blocks that can claim it.
	file := s.file(t, "verdicts.yaml", shortTrials("verdicts", 4, "20%", []string{"{name: a}", "{name: same}", "{name: b, patch: " + p.patch + "}"}, gates))
	for _, provider := range []string{"local", "kind"} {
		t.Run(provider, func(t *testing.T) {
			before := p.hook.asked.Load()
			r := s.wholly(t, file, filepath.Join(s.dir, provider), "--seed", "1", "--provider", provider)
			if why := nothingFollows(r); why != "" {
				t.Logf("once more: %s", why)
				r = s.wholly(t, file, filepath.Join(s.dir, provider+"-again"), "--seed", "2", "--provider", provider)
			}
			if why := nothingFollows(r); why != "" {
				t.Fatal(why)
			}
			p.found(t, r)
			if p.hook.asked.Load() == before {
				t.Error("nobody asked the webhook")
			}
			// Improved is no fault here: four blocks that agree in sign by chance, as one
			// run in sixteen's do, are an interval beside 1, within the margin. How often
			// that happens is TestLongFalseAlarms' to count; a regression, wholly beyond
			// a margin of half, is no chance.
			switch same := r.Gates[2]; same.Verdict {
			case report.Regressed:
				t.Errorf("a cluster compared with itself: %s", same.Reason)
			case report.Invalid:
				t.Errorf("nothing can be said of a cluster and itself: %s", same.Reason)
			}
		})
	}
}

// bridge is an address where containers and processes both reach this test: the one
// that Docker's own bridge has. Its interface is asked, since a daemon that made the
// bridge itself, as on its first start, tells no gateway.
func bridge(t *testing.T) string {
	t.Helper()
	name, err := docker.Run(t.Context(), "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.bridge.name"}}`)
	if err != nil {
		t.Fatal(err)
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatalf("Docker's bridge %q: %v", name, err)
	}
	addresses, err := i.Addrs()
	if err != nil {
		t.Fatalf("Docker's bridge %q: %v", name, err)
	}
	for _, a := range addresses {
		if n, is := a.(*net.IPNet); is && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Fatalf("Docker's bridge %q has no IPv4 address: %v", name, addresses)
	return ""
}

// nothingFollows says why nothing can be said of a run: a machine with other things to
// do gives invalid trials, by which a slowdown is neither found nor missed.
func nothingFollows(r *report.Result) string {
	for _, g := range r.Gates {
		if g.Verdict == report.Invalid && r.Run.Invalid > 0 {
			return fmt.Sprintf("%d of %d trials are invalid on this machine: %s", r.Run.Invalid, r.Run.Planned, g.Reason)
		}
	}
	return ""
}
