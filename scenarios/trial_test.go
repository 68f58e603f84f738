package scenarios

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/workloads"
)

const withTour = `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: two-ways}
spec:
  cluster: {etcd: {members: 3}}
  profiles:
    - name: stock
    - name: large
      description: more of it
      patch: {cluster: {etcd: {members: 5}}, workloads: [{name: fleet, nodes: {count: 20}}]}
  blocks: 6
  workloads:
    - {name: fleet, nodes: {count: 10}}
  timeline:
    - warmup: 1s
    - fault: {partition: {isolate: "3"}, for: 2s, name: cut}
    - recovery: {atMost: 5s}
  gates:
    - {metric: api.latency, verb: read, p99.9: 1500ms, note: n}
    - {metric: api.errors, max: 0.5%}
    - {metric: api.throughput, min: 30/m}
    - {metric: process.memory, component: kube-apiserver, max: 1GiB}
    - {metric: recovery.time, act: cut, compare: stock, margin: 25%}
  tours:
    - name: full
      profile: stock
      patch: {cluster: {etcd: {quota: 64MiB}}}
      timeline:
        - fault: {quotaBreach: {}, heal: timeline}
        - operation: {disarm: {shard: all}, name: calm}
        - recovery: {atMost: 5s}
      gates:
        - {metric: writes.lost, max: 0}
`

func TestTrial(t *testing.T) {
	src := Source{"two-ways.yaml", []byte(withTour)}
	_, err := Load(src, testKinds(), Changes{})
	const want = `two-ways.yaml:16:36: spec.timeline[1].fault.partition.isolate: there is no member 3: the shard main has 3, numbered from 0`
	if err == nil || err.Error() != want {
		t.Fatalf("member 3 is there in the profile large only: got %v", err)
	}
	s, err := Load(src, testKinds(), Changes{Sets: []string{`timeline.1.fault.partition.isolate="2"`}})
	if err != nil {
		t.Fatal(err)
	}
	large, err := s.Trial("large", "")
	if err != nil {
		t.Fatal(err)
	}
	if c := large.Cluster; c.Etcd.Members != 5 || c.Etcd.Quota != 0 || c.Provider != "local" || *c.Kubernetes.Scheduler.Replicas != 1 {
		t.Errorf("large: %+v", c)
	}
	if n := large.Workloads[0].Load.(*workloads.Nodes).Count; n != 20 {
		t.Errorf("large has %d nodes", n)
	}
	type line struct {
		Phase string
		For   time.Duration
		Name  string
		Kind  string
		Heal  string
		Hold  time.Duration
	}
	lines := func(steps []Step) (out []line) {
		for _, st := range steps {
			l := line{Phase: st.Phase, For: st.For}
			if st.Act != nil {
				l.Name, l.Kind, l.Heal, l.Hold = st.Act.Name, st.Act.Kind, st.Act.Heal, st.Act.For
				if (st.Act.Sort == acts.SortFault) != (st.Phase == PhaseFault) {
					t.Errorf("a %s in the phase %s", st.Act.Sort, st.Phase)
				}
			}
			out = append(out, l)
		}
		return out
	}
	if diff := cmp.Diff([]line{
		{Phase: "warmup", For: time.Second},
		{Phase: "fault", Name: "cut", Kind: "partition", Heal: acts.HealAuto, Hold: 2 * time.Second},
		{Phase: "recovery", For: 5 * time.Second},
	}, lines(large.Timeline)); diff != "" {
		t.Error(diff)
	}
	if least, most := Span(large.Timeline); least != 3*time.Second || most != 8*time.Second {
		t.Errorf("from %s to %s", least, most)
	}
	tour, err := s.Trial("stock", "full")
	if err != nil {
		t.Fatal(err)
	}
	if tour.Cluster.Etcd.Quota.String() != "64MiB" || tour.Cluster.Etcd.Members != 3 {
		t.Errorf("the tour's etcd: %+v", tour.Cluster.Etcd)
	}
	if diff := cmp.Diff([]line{
		{Phase: "fault", Name: "quotaBreach", Kind: "quotaBreach", Heal: acts.HealTimeline},
		{Phase: "operation", Name: "calm", Kind: "disarm"},
		{Phase: "recovery", For: 5 * time.Second},
	}, lines(tour.Timeline)); diff != "" {
		t.Error(diff)
	}
	if again, err := s.Trial("large", ""); err != nil || again.Workloads[0].Load == large.Workloads[0].Load || again.Timeline[1].Act.Act == large.Timeline[1].Act.Act {
		t.Errorf("a second trial shares values with the first (%v)", err)
	}
}

// TestQuietWhereNothingIsBroken: storm's own probes and writes are few where no
// timeline breaks anything, and what a scenario says of them holds.
func TestQuietWhereNothingIsBroken(t *testing.T) {
	const calm = `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: calm}
spec:
  profiles: [{name: stock}]
  workloads: [{name: fleet, nodes: {count: 10}}]
  timeline: [{steady: 1s}]
  gates: [{metric: writes.lost, max: 0}]
`
	const tour = `tours=[{name: full, profile: stock, timeline: [{steady: 1s}, {operation: {defrag: {}}}]}]`
	for name, c := range map[string]struct {
		sets     []string
		interval time.Duration
		rate     float64 // a second; 0, as an interval of 0: what measure has by default
	}{
		"nothing broken":    {nil, time.Second, 1},
		"said":              {[]string{"measure.probes.interval=20ms", "measure.witness.rate=5/s"}, 20 * time.Millisecond, 5},
		"broken in another": {[]string{tour}, 0, 0},
	} {
		s, err := Load(Source{"calm.yaml", []byte(calm)}, testKinds(), Changes{Sets: c.sets})
		if err != nil {
			t.Fatal(name, err)
		}
		trial, err := s.Trial("stock", "")
		if err != nil {
			t.Fatal(name, err)
		}
		twice, err := s.Twice("", 6)
		if err != nil {
			t.Fatal(name, err)
		}
		if twin, err := twice.Trial(FirstTwin, ""); err != nil || twin.Measure != trial.Measure {
			t.Errorf("%s: compared with itself it is observed otherwise: %+v, %v", name, twin.Measure, err)
		}
		if m := trial.Measure; err != nil || m.Probes.Interval.D() != c.interval || m.Witness.Rate.PerSecond() != c.rate {
			t.Errorf("%s: probes every %s, %g writes a second, %v", name, m.Probes.Interval, m.Witness.Rate.PerSecond(), err)
		}
	}
}

func TestGatesAreResolved(t *testing.T) {
	s, err := Load(Source{"two-ways.yaml", []byte(withTour)}, testKinds(), Changes{Sets: []string{"timeline.1.fault.partition.isolate=leader"}})
	if err != nil {
		t.Fatal(err)
	}
	num := func(v float64) *float64 { return &v }
	blocks := []rundir.Gate{
		{Metric: "api.latency", Where: map[string]string{"verb": "read"}, Stat: "p99.9", Max: num(1.5), Note: "n"},
		{Metric: "api.errors", Max: num(0.005)},
		{Metric: "api.throughput", Min: num(0.5)},
		{Metric: "process.memory", Where: map[string]string{"component": "kube-apiserver"}, Max: num(1 << 30)},
		{Metric: "recovery.time", Where: map[string]string{"act": "cut"}, Compare: "stock", Margin: 0.25},
	}
	tour := []rundir.Gate{{Metric: "writes.lost", Max: num(0), Tour: "full"}}
	if diff := cmp.Diff(append(blocks, tour...), s.Gates); diff != "" {
		t.Error(diff)
	}
	trial, err := s.Trial("stock", "full")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tour, trial.Gates); diff != "" {
		t.Error(diff)
	}
}

func TestMissingCapabilities(t *testing.T) {
	s, err := Load(Source{"two-ways.yaml", []byte(withTour)}, testKinds(), Changes{Sets: []string{"timeline.1.fault.partition.isolate=leader"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Missing(nil); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	err = s.Missing(map[clusters.Capability]string{clusters.CanLink: "not root: run `storm doctor`"})
	const want = "two-ways.yaml:16:26: spec.timeline[1].fault.partition: cannot be done on this cluster, which lacks the capability \"link\": not root: run `storm doctor`"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
