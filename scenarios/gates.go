package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// label is one of the words that a gate selects by.
type label struct{ name, value string }

func (g gate) labels() []label {
	var given []label
	for _, l := range []label{
		{"verb", g.Verb}, {"resource", g.Resource}, {"scope", g.Scope}, {"workload", string(g.Workload)}, {"detail", g.Detail},
		{"phase", g.Phase}, {"layer", g.Layer}, {"op", g.Op}, {"act", g.Act}, {"component", g.Component}, {"shard", g.Shard},
		{"level", g.Level}, {"aggressor", string(g.Aggressor)},
	} {
		if l.value != "" {
			given = append(given, l)
		}
	}
	return given
}

// bound is one threshold of a gate.
type bound struct {
	name   string
	amount Amount
}

func (g gate) bounds() []bound {
	var given []bound
	for _, b := range []struct {
		name   string
		amount *Amount
	}{{"p50", g.P50}, {"p90", g.P90}, {"p99", g.P99}, {"p99.9", g.P999}, {"mean", g.Mean}, {"max", g.Max}, {"min", g.Min}} {
		if b.amount != nil {
			given = append(given, bound{b.name, *b.amount})
		}
	}
	return given
}

// allGates resolves the gates of the blocks and of the tours.
func (c *check) allGates() {
	spec := c.doc.Spec
	gates := len(spec.Gates)
	for _, t := range spec.Tours {
		gates += len(t.Gates)
	}
	if gates == 0 {
		c.warn("spec", "there are no gates, so no run of this scenario can fail")
	}
	for i, g := range spec.Gates {
		c.gate(fmt.Sprintf("spec.gates[%d]", i), g, "", "spec.timeline", spec.Timeline)
	}
	for i, t := range spec.Tours {
		tour := fmt.Sprintf("spec.tours[%d]", i)
		for j, g := range t.Gates {
			c.gate(fmt.Sprintf("%s.gates[%d]", tour, j), g, string(t.Name), tour+".timeline", t.Timeline)
		}
	}
}

// gate resolves one gate, or says why it cannot mean anything.
func (c *check) gate(key string, g gate, tour, timeline string, steps []step) {
	i := slices.IndexFunc(rundir.Metrics(), func(m rundir.Metric) bool { return m.Name == string(g.Metric) })
	if i < 0 {
		return // reported by the decoder
	}
	m := rundir.Metrics()[i]
	out := rundir.Gate{Metric: m.Name, Profile: string(g.Profile), Tour: tour, Note: g.Note}
	for _, l := range g.labels() {
		if !slices.Contains(m.Where, l.name) {
			c.add(key+"."+l.name, "%s cannot be selected by %s: its labels are %s", m.Name, l.name, strings.Join(m.Where, ", "))
			continue
		}
		if out.Where == nil {
			out.Where = map[string]string{}
		}
		out.Where[l.name] = l.value
	}
	switch {
	case g.Profile != "" && tour != "":
		c.add(key+".profile", "a tour runs once, under one profile: leave it out")
	case g.Profile != "":
		c.known(key+".profile", string(g.Profile), "profile", c.profileNames())
	}
	if g.Compare != "" {
		c.compareGate(key, g, m, &out, tour)
	} else {
		c.boundGate(key, g, m, &out)
	}
	if c.decoded(timeline) {
		c.measurable(key, g, m, steps)
	}
	c.gates = append(c.gates, out)
}

// compareGate resolves a comparison between profiles.
func (c *check) compareGate(key string, g gate, m rundir.Metric, out *rundir.Gate, tour string) {
	out.Compare, out.Stat = string(g.Compare), g.Stat
	switch names := c.profileNames(); {
	case tour != "":
		c.add(key+".compare", "a tour runs once, under one profile: its gates have bounds, not comparisons")
	case len(names) < 2:
		c.add(key+".compare", "a comparison needs two profiles, found %d", max(1, len(names)))
	default:
		c.known(key+".compare", string(g.Compare), "profile", names)
	}
	if g.Profile != "" && g.Profile == g.Compare {
		c.add(key+".profile", "%q would be compared with itself", g.Profile)
	}
	for _, b := range g.bounds() {
		c.add(key+"."+b.name, "a gate has a bound or compares, not both: write two gates")
	}
	if g.Margin == nil {
		c.add(key+".margin", "is missing: which difference does not matter, such as 25%%?")
	} else {
		out.Margin = g.Margin.Fraction()
	}
	switch {
	case len(m.Stats) == 0 && g.Stat != "":
		c.add(key+".stat", "%s is one value a trial: it has no %s", m.Name, g.Stat)
	case len(m.Stats) > 0 && g.Stat == "":
		c.add(key+".stat", "is missing: which statistic of %s is compared, of %s?", m.Name, strings.Join(m.Stats, ", "))
	}
}

// boundGate resolves an absolute threshold.
func (c *check) boundGate(key string, g gate, m rundir.Metric, out *rundir.Gate) {
	if g.Margin != nil {
		c.add(key+".margin", "is for comparisons: say compare: PROFILE too, or leave it out")
	}
	if g.Stat != "" {
		c.add(key+".stat", "is for comparisons: a bound is written as %s: VALUE", g.Stat)
	}
	bounds := g.bounds()
	right := []string{"max", "min"}
	if len(m.Stats) > 0 {
		right = m.Stats
	}
	switch {
	case len(bounds) == 0:
		c.add(key, "has neither a bound nor a comparison: give one of %s, or compare", strings.Join(right, ", "))
		return
	case len(bounds) > 1 && len(m.Stats) > 0:
		c.add(key+"."+bounds[1].name, "a gate on %s has one bound: write two gates", m.Name)
	}
	for _, b := range bounds {
		if !slices.Contains(right, b.name) {
			if len(m.Stats) == 0 {
				c.add(key+"."+b.name, "%s is one value a trial, without %s: its bounds are max and min", m.Name, b.name)
			} else {
				c.add(key+"."+b.name, "%s has no %s: its bounds are %s", m.Name, b.name, strings.Join(m.Stats, ", "))
			}
			continue
		}
		value, err := amount(b.amount, m.Unit)
		if err != nil {
			c.add(key+"."+b.name, "%s", err)
			continue
		}
		if longest := time.Duration(rundir.HistHighest) * time.Microsecond; m.Bounded() && value > longest.Seconds() {
			c.add(key+"."+b.name, "%s is above the limit of %s: of what takes longer storm knows only that", b.amount, unit.Duration(longest))
			continue
		}
		if why := decided(m, b.name, value); why != "" {
			c.add(key+"."+b.name, "%s: %s", b.amount, why)
			continue
		}
		if b.name == "min" {
			out.Min = &value
			continue
		}
		out.Max = &value
		if len(m.Stats) > 0 {
			out.Stat = b.name
		}
	}
	if out.Min != nil && out.Max != nil && *out.Min > *out.Max {
		c.add(key+".min", "is above max: no value can pass")
	}
}

// decided says why a threshold decides nothing, whatever is measured; empty
// where it does decide. No metric is below 0.
func decided(m rundir.Metric, bound string, value float64) string {
	switch {
	case bound == "min" && value <= 0:
		return "nothing is below it, so this gate cannot fail"
	case bound != "min" && m.Unit == "fraction" && m.Lower && value >= 1:
		return "nothing is above it, so this gate cannot fail"
	case bound != "min" && m.Bounded() && value <= 0:
		return "everything takes longer, so this gate cannot pass"
	}
	return ""
}

// amount returns a threshold as a number in the metric's unit.
func amount(a Amount, metricUnit string) (float64, error) {
	text := []byte(a)
	switch metricUnit {
	case "seconds":
		var d unit.Duration
		err := d.UnmarshalText(text)
		return d.D().Seconds(), err
	case "bytes":
		var s unit.Size
		err := s.UnmarshalText(text)
		return float64(s), err
	case "per second":
		var r unit.Rate
		err := r.UnmarshalText(text)
		return r.PerSecond(), err
	case "fraction":
		var p unit.Percent
		if err := p.UnmarshalText(text); err == nil {
			return p.Fraction(), within(a, p.Fraction(), 1, "100%")
		}
		n, err := strconv.ParseFloat(string(a), 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a share: write one such as 1%% or 0.01", a)
		}
		return n, within(a, n, 1, "1, which is 100%")
	}
	n, err := strconv.ParseUint(string(a), 10, 53)
	if err != nil {
		return 0, fmt.Errorf("%q is not a count: write a whole number such as 0", a)
	}
	return float64(n), nil
}

func within(a Amount, n, most float64, text string) error {
	if !(n >= 0 && n <= most) {
		return fmt.Errorf("%q is not a share: it lies between 0 and %s", a, text)
	}
	return nil
}

// measurable checks that the timeline has what the gate looks at: a gate on
// what never happens could only be not measured.
func (c *check) measurable(key string, g gate, m rundir.Metric, steps []step) {
	var phases, names []string
	recovery, restore, operation := false, false, false
	for _, st := range steps {
		r := st.resolve()
		phases = append(phases, r.Phase)
		recovery = recovery || r.Phase == PhaseRecovery
		if r.Act != nil {
			names = append(names, r.Act.Name)
			operation = operation || r.Act.Sort == acts.SortOperation
			restore = restore || r.Act.Sort == acts.SortOperation && r.Act.Kind == kindRestore
		}
	}
	if g.Phase != "" && !slices.Contains(phases, g.Phase) {
		c.add(key+".phase", "the timeline has no %s", g.Phase)
	}
	if g.Act != "" {
		c.known(key+".act", g.Act, "act", names)
	}
	switch {
	case strings.HasPrefix(m.Name, "recovery.") && !recovery:
		c.add(key+".metric", "%s is measured after an act, in a recovery: the timeline has none", m.Name)
	case strings.HasPrefix(m.Name, "restore.") && !restore:
		c.add(key+".metric", "%s is measured after a restore: the timeline has none", m.Name)
	case m.Name == "operation.duration" && !operation:
		c.add(key+".metric", "%s is measured of an operation: the timeline has none", m.Name)
	}
}

// gatesOn checks gates against the loads and the cluster of one profile.
func (c *check) gatesOn(key string, gates []gate) {
	var loads, shards []string
	for _, w := range c.doc.Spec.Workloads {
		loads = append(loads, string(w.Name))
	}
	spec := c.doc.Spec.Cluster.Defaulted()
	for _, sh := range spec.AllShards() {
		shards = append(shards, sh.Name)
	}
	for i, g := range gates {
		if g.Profile != "" && string(g.Profile) != c.profile {
			continue
		}
		at := fmt.Sprintf("%s[%d]", key, i)
		// Loads that could not be read are one mistake, and said where it is.
		readable := c.decoded("spec.workloads")
		if g.Workload != "" && readable {
			c.known(at+".workload", string(g.Workload), "workload", loads)
		}
		if g.Aggressor != "" && readable {
			c.known(at+".aggressor", string(g.Aggressor), "workload", loads)
		}
		if g.Metric == "isolation" && (g.Workload == "" || g.Aggressor == "") {
			c.add(at, "isolation is that of one load from another: say which workload, and which aggressor")
		}
		if g.Level != "" {
			c.known(at+".level", g.Level, "priority level", spec.LevelNames())
		}
		if g.Shard != "" {
			c.known(at+".shard", g.Shard, "shard", shards)
		}
		if g.Component != "" {
			c.known(at+".component", g.Component, "component", components(spec))
		}
		if kinds := measuredOf[string(g.Metric)]; kinds != nil && readable && !c.anyLoad(kinds, string(g.Workload)) {
			c.add(at+".metric", "%s is measured of %s, and there is no such load here", g.Metric, strings.Join(kinds, " and "))
		}
		if readable {
			c.askedOf(at, g, loads)
		}
	}
}

// askedOf checks that what a gate is measured of is asked for: requests to an API server,
// or to etcd itself.
func (c *check) askedOf(at string, g gate, loads []string) {
	api := strings.HasPrefix(string(g.Metric), "api.")
	atEtcd := func(name string) bool { return name != "" && c.anyLoad([]string{onEtcd}, name) }
	ofEtcd := slices.Contains(measuredOf[string(g.Metric)], onEtcd)
	switch {
	case api && len(loads) == 0:
		c.add(at+".metric", "%s is measured of the load, and there are no workloads", g.Metric)
	case (api || g.Metric == "isolation") && atEtcd(string(g.Workload)):
		c.add(at+".metric", "%s is measured of requests to an API server, and %s asks etcd itself: etcd.latency, etcd.errors and etcd.throughput are measured of it", g.Metric, g.Workload)
	case g.Metric == "isolation" && atEtcd(string(g.Aggressor)):
		c.add(at+".aggressor", "isolation is measured of requests to an API server, and %s asks etcd itself", g.Aggressor)
	case api && !slices.ContainsFunc(loads, func(name string) bool { return !atEtcd(name) }):
		c.add(at+".metric", "%s is measured of requests to an API server, and all loads ask etcd itself: etcd.latency, etcd.errors and etcd.throughput are measured of them", g.Metric)
	case slices.Contains(etcdVerbs, g.Verb) && !ofEtcd:
		c.add(at+".verb", "%s is a request of etcd's, and %s is measured of those to an API server", g.Verb, g.Metric)
	case ofEtcd && g.Verb != "" && !slices.Contains(append([]string{"mutating", "read"}, etcdVerbs...), g.Verb):
		c.add(at+".verb", "%s is no request of etcd's: write mutating, read, %s", g.Verb, strings.Join(etcdVerbs, ", "))
	}
}

// onEtcd is the kind of load that asks etcd itself, and no API server.
const onEtcd = "etcdDirect"

// etcdVerbs are what such a load asks for.
var etcdVerbs = []string{"range", "put", "txn"}

// measuredOf gives the kinds of load that a metric is measured of, where only
// some have it.
var measuredOf = map[string][]string{
	"stage.time": {"stages"}, "lease.onTime": {"nodes"}, "lease.renewal": {"nodes"}, "pod.start": {"nodes"}, "scheduler.throughput": {"nodes", "stages"},
	"informer.sync": {"informers", "nodes"}, "watch.delivery": {"watchers", onEtcd},
	"etcd.latency": {onEtcd}, "etcd.errors": {onEtcd}, "etcd.throughput": {onEtcd},
}

// anyLoad says whether there is a load of one of the kinds, of that name unless
// it is empty.
func (c *check) anyLoad(kinds []string, name string) bool {
	return slices.ContainsFunc(c.doc.Spec.Workloads, func(w workload) bool {
		return slices.Contains(kinds, w.Load.Kind) && (name == "" || string(w.Name) == name)
	})
}

// components lists the kinds and the names of what a cluster runs, and storm.
func components(spec clusters.Spec) []string {
	var kinds, names []string
	add := func(kind clusters.Kind, shard string, n int) {
		if n > 0 && !slices.Contains(kinds, string(kind)) {
			kinds = append(kinds, string(kind))
		}
		for i := range n {
			names = append(names, clusters.ID{Kind: kind, Shard: shard, Index: i}.String())
		}
	}
	for _, sh := range spec.AllShards() {
		add(clusters.KindEtcd, sh.Name, sh.Members)
	}
	k := spec.Kubernetes
	add(clusters.KindAPIServer, "", *k.APIServer.Replicas)
	add(clusters.KindControllerManager, "", *k.ControllerManager.Replicas)
	add(clusters.KindScheduler, "", *k.Scheduler.Replicas)
	return append(append(kinds, names...), "storm")
}
