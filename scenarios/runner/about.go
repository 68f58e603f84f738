package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
)

// sloWindow is what the official SLOs are defined over.
const sloWindow = 5 * time.Minute

// about is run.json as it is at the start.
func (r *run) about() (rundir.Run, error) {
	s := r.o.Scenario
	out := rundir.Run{
		ID: r.o.RunID, Scenario: s.Name, About: s.Description, Storm: r.o.Version, Command: r.o.Command,
		Started: time.Now().UTC(), Seed: r.o.Seed, Blocks: s.Blocks, Alpha: s.Alpha, Plan: r.plan, Gates: s.Gates, Comparisons: s.Comparisons(), Host: r.o.Host,
	}
	var base clusters.Spec
	most := 0                     // members of all shards
	own := map[float64][]string{} // profiles by what storm itself writes to etcd
	for i, p := range s.Profiles {
		t, err := s.Trial(p.Name, "")
		if err != nil {
			return out, err
		}
		out.Profiles = append(out.Profiles, rundir.Profile{Name: p.Name, About: p.Description, Changes: p.Changes})
		out.Topology = append(out.Topology, topology(p.Name, t.Cluster))
		most = max(most, t.Cluster.Members())
		own[etcdWrites(t)] = append(own[etcdWrites(t)], p.Name)
		if i > 0 {
			continue
		}
		out.Provider = t.Cluster.Provider
		base = t.Cluster
		for _, w := range t.Workloads {
			out.Workloads = append(out.Workloads, rundir.Described{Name: w.Name, Kind: w.Kind, Text: w.Load.Describe()})
		}
		out.Timeline = steps(t.Timeline)
		out.ShortSteady = steady(t.Timeline) < sloWindow
		probes, witness := observing(t)
		out.Observing = &rundir.Observing{Probes: probes, Witness: witness}
	}
	out.Limits = limits(base, most, r.o.Host)
	if len(own) > 1 {
		var said []string
		for _, rate := range slices.Sorted(maps.Keys(own)) {
			said = append(said, fmt.Sprintf("%.0f/s with %s", rate, strings.Join(own[rate], ", ")))
		}
		out.Limits = append(out.Limits, "storm's own witness and probes write to every shard and member of etcd, and so are part of the difference: "+strings.Join(said, "; ")+".")
	}
	for _, tour := range s.Tours {
		t, err := s.Trial(tour.Profile, tour.Name)
		if err != nil {
			return out, err
		}
		for _, step := range steps(t.Timeline) {
			step.Text = fmt.Sprintf("tour %s: %s", tour.Name, step.Text)
			out.Timeline = append(out.Timeline, step)
		}
	}
	return out, nil
}

// steps describes a timeline, a sentence a step.
func steps(timeline []scenarios.Step) []rundir.Described {
	var out []rundir.Described
	for _, st := range timeline {
		d := rundir.Described{Name: st.Phase, Kind: st.Phase}
		switch {
		case st.Act != nil:
			d.Name, d.Kind, d.Text = st.Act.Name, st.Act.Kind, st.Act.Act.Describe()
			if st.Act.For > 0 {
				d.Text += fmt.Sprintf(", for %s", st.Act.For)
			}
		case st.Phase == scenarios.PhaseRecovery:
			d.Text = fmt.Sprintf("wait until everything serves again, %s at most", st.For)
		default:
			d.Text = fmt.Sprintf("%s for %s", st.Phase, st.For)
		}
		out = append(out, d)
	}
	return out
}

// steady is how long the steady phases of a timeline last.
func steady(timeline []scenarios.Step) (sum time.Duration) {
	for _, st := range timeline {
		if st.Phase == scenarios.PhaseSteady {
			sum += st.For
		}
	}
	return sum
}

func topology(profile string, spec clusters.Spec) rundir.Topology {
	if spec.Provider == clusters.Existing { // it is told when it has been seen
		return rundir.Topology{Profile: profile}
	}
	t := rundir.Topology{Profile: profile, Parts: map[string]int{
		string(clusters.KindAPIServer):         *spec.Kubernetes.APIServer.Replicas,
		string(clusters.KindControllerManager): *spec.Kubernetes.ControllerManager.Replicas,
		string(clusters.KindScheduler):         *spec.Kubernetes.Scheduler.Replicas,
	}}
	for _, sh := range spec.AllShards() {
		t.Shards = append(t.Shards, rundir.ShardSummary{Name: sh.Name, Members: sh.Members, Resources: sh.Resources, Version: sh.Version})
	}
	return t
}

// tell takes what was seen of a cluster for what every profile runs on.
func tell(run *rundir.Run, o observed) {
	seen, limits := o.Observed()
	for i := range run.Topology {
		seen.Profile = run.Topology[i].Profile
		run.Topology[i] = seen
	}
	run.Limits = append(run.Limits, limits...)
}

// doing says what is done to a cluster: to one that storm did not make it is
// less than it would be called.
type doing struct{ start, up, reset, end string }

func doingTo(spec clusters.Spec) doing {
	if spec.Provider == clusters.Existing {
		return doing{"looking at the cluster", "the cluster can be used, after %.1fs", "removing what the trial before made", "removing what storm made in the cluster"}
	}
	return doing{"starting the cluster", "the cluster is up after %.1fs", "back to the golden copy", "ending the cluster"}
}

// limits says what this box cannot tell, beside the verdict. members is how many
// etcd members the profile has that has the most.
func limits(spec clusters.Spec, members int, host rundir.Host) []string {
	if spec.Provider != "local" && spec.Provider != "kind" {
		return nil
	}
	out := []string{fmt.Sprintf("storm, its load and the whole control plane share %d processor cores: absolute latencies and throughputs are this machine's, ratios between profiles carry further.", host.Cores)}
	if members > 1 {
		out = append(out, fmt.Sprintf("All etcd members, %d at most, write to one disk: what more members or more shards cost or save in disk time cannot be told here.", members))
	}
	return append(out, "Members are connected by a virtual network of this machine: round trips are shorter than between real hosts.")
}
