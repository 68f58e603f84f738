package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// Describe returns the scenario in a reader's terms, over several lines.
func (s *Scenario) Describe() (string, error) {
	t, err := s.Trial(s.Profiles[0].Name, "")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", s.Name)
	if s.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", fold(s.Description, width-2, "  "))
	}
	section(&b, "Cluster", clusterLines(t.Cluster))
	section(&b, "Profiles", s.profileLines())
	section(&b, "Plan", []string{s.planLine(t.Timeline)})
	section(&b, "Load", loadLines(t.Workloads))
	section(&b, "Timeline", timelineLines(t.Timeline))
	section(&b, "Gates", gateLines(t.Gates))
	for _, tour := range s.Tours {
		t, err := s.Trial(tour.Profile, tour.Name)
		if err != nil {
			return "", err
		}
		title := fmt.Sprintf("Tour %s, under the profile %s", tour.Name, tour.Profile)
		if tour.Description != "" {
			title += ": " + tour.Description
		}
		if len(tour.Changes) > 0 {
			title += ". With " + strings.Join(tour.Changes, ", ")
		}
		section(&b, fold(title, width, ""), timelineLines(t.Timeline))
		section(&b, "Gates of the tour "+tour.Name, gateLines(t.Gates))
	}
	return b.String(), nil
}

// width is how wide a description is, where its words allow it.
const width = 80

// section writes a heading and rows. Their cells are separated by tabs and
// aligned; the last one is folded within its column.
func section(b *strings.Builder, title string, rows []string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	var widths []int
	for _, row := range rows {
		cells := strings.Split(row, "\t")
		for i, cell := range cells[:len(cells)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range rows {
		cells := strings.Split(row, "\t")
		line := "  "
		for i, cell := range cells[:len(cells)-1] {
			line += fmt.Sprintf("%-*s", widths[i]+2, cell)
		}
		indent := strings.Repeat(" ", len(line))
		folded := fold(cells[len(cells)-1], max(width-len(indent), 30), indent)
		b.WriteString(strings.TrimRight(line+folded[len(indent):], " ") + "\n")
	}
}

// fold breaks a text into indented lines. A word that is longer than a line, as
// a path may be, is broken after one of its dots.
func fold(text string, most int, indent string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines, line = append(lines, line), ""
		}
		for line == "" && len(word) > most && strings.Contains(word[1:most], ".") {
			at := strings.LastIndexByte(word[:most], '.') + 1
			lines, word = append(lines, word[:at]), word[at:]
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return indent + strings.Join(append(lines, line), "\n"+indent)
}

// fairness says which objects of priority and fairness a cluster is given.
func fairness(k clusters.Kubernetes) string {
	var parts []string
	for _, l := range k.PriorityLevels {
		text := "the priority level " + l.Name
		if l.Spec.Limited != nil && l.Spec.Limited.NominalConcurrencyShares != nil {
			text += fmt.Sprintf(" of %s", unit.Count(int(*l.Spec.Limited.NominalConcurrencyShares), "share"))
		}
		parts = append(parts, text)
	}
	for _, f := range k.FlowSchemas {
		parts = append(parts, fmt.Sprintf("the flow schema %s to %s", f.Name, f.Spec.PriorityLevelConfiguration.Name))
	}
	return strings.Join(parts, ", ")
}

// objects says which further objects a cluster has from the start.
func objects(k clusters.Kubernetes) string {
	var parts []string
	for _, o := range k.Objects {
		parts = append(parts, fmt.Sprintf("%s (%v)", o.Name, o.Manifest["kind"]))
	}
	return strings.Join(parts, ", ")
}

func clusterLines(spec clusters.Spec) []string {
	if spec.Provider == clusters.Existing {
		return []string{"provider\t" + clusters.Existing + ": the cluster is taken as it is, and is not restored between trials"}
	}
	k := spec.Kubernetes
	from := ""
	if spec.From != "" {
		from = ", starting from " + spec.From
	}
	lines := []string{
		fmt.Sprintf("provider\t%s, network %s%s", spec.Provider, spec.Network, from),
		fmt.Sprintf("Kubernetes\t%s: %s, %s, %s", version(k.Version, k.BinDir),
			unit.Count(*k.APIServer.Replicas, "apiserver"), unit.Count(*k.ControllerManager.Replicas, "controller manager"), unit.Count(*k.Scheduler.Replicas, "scheduler")),
	}
	if text := fairness(k); text != "" {
		lines = append(lines, "fairness\t"+text)
	}
	if text := objects(k); text != "" {
		lines = append(lines, "objects\t"+text)
	}
	for _, sh := range spec.AllShards() {
		holds := "everything else"
		if sh.Name != clusters.MainShard {
			holds = strings.Join(sh.Resources, ", ")
		}
		lines = append(lines, fmt.Sprintf("etcd %s\t%s: %s, holding %s%s", sh.Name, version(sh.Version, sh.BinDir), unit.Count(sh.Members, "member"), holds, settings(sh)))
	}
	return lines
}

func version(v, binDir string) string {
	if binDir != "" {
		return "from " + binDir
	}
	return v
}

func settings(sh clusters.Shard) string {
	s := ""
	if sh.HeartbeatInterval > 0 {
		s += ", heartbeat " + sh.HeartbeatInterval.String()
	}
	if sh.ElectionTimeout > 0 {
		s += ", election timeout " + sh.ElectionTimeout.String()
	}
	if sh.Quota > 0 {
		s += ", quota " + sh.Quota.String()
	}
	for _, flag := range slices.Sorted(maps.Keys(sh.Flags)) {
		s += fmt.Sprintf(", --%s=%s", flag, sh.Flags[flag])
	}
	return s
}

func (s *Scenario) profileLines() []string {
	var lines []string
	for _, p := range s.Profiles {
		if p.Description != "" {
			lines = append(lines, p.Name+"\t"+p.Description)
			p.Name = ""
		}
		if len(p.Changes) > 0 {
			lines = append(lines, p.Name+"\t"+strings.Join(p.Changes, ", "))
		} else if p.Name != "" {
			lines = append(lines, p.Name+"\tthe scenario as it stands")
		}
	}
	return lines
}

func (s *Scenario) planLine(timeline []Step) string {
	least, most := Span(timeline)
	line := fmt.Sprintf("%s of %s, %s of %s", unit.Count(s.Blocks, "block"), unit.Count(len(s.Profiles), "profile"),
		unit.Count(s.Blocks*len(s.Profiles), "trial"), span(least, most))
	if s.WarmupBlock {
		line += "; a block that is discarded goes before them"
	}
	if len(s.Tours) > 0 {
		line += ", and " + unit.Count(len(s.Tours), "tour")
	}
	return line
}

// Trials is how many trials a run has.
func (s *Scenario) Trials() int {
	blocks := s.Blocks
	if s.WarmupBlock {
		blocks++
	}
	return blocks*len(s.Profiles) + len(s.Tours)
}

func span(least, most time.Duration) string {
	if least == most {
		return unit.Duration(least).String()
	}
	return fmt.Sprintf("%s to %s", unit.Duration(least), unit.Duration(most))
}

func loadLines(loads []Workload) []string {
	var lines []string
	for _, w := range loads {
		lines = append(lines, w.Name+"\t"+strings.TrimSuffix(w.Load.Describe(), "."))
	}
	return lines
}

func timelineLines(timeline []Step) []string {
	var lines []string
	for i, st := range timeline {
		line := fmt.Sprintf("%d.\t%s\t", i+1, st.Phase)
		switch {
		case st.Act == nil && st.Phase == PhaseRecovery:
			line += "at most " + unit.Duration(st.For).String()
		case st.Act == nil:
			line += unit.Duration(st.For).String()
		default:
			line += actText(st)
		}
		lines = append(lines, line)
	}
	return lines
}

func actText(st Step) string {
	text := st.Act.Act.Describe()
	if st.Act.Name != st.Act.Kind {
		text = st.Act.Name + ": " + text
	}
	if st.Act.For > 0 {
		text += ", for " + unit.Duration(st.Act.For).String()
	}
	if st.Act.Heal == "timeline" {
		text += "; the timeline repairs it"
	}
	return text
}

func gateLines(gates []rundir.Gate) []string {
	var lines []string
	for _, g := range gates {
		line := "-\t" + GateText(g)
		if g.Note != "" {
			line += " (" + g.Note + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// GateText returns a gate in words: "p99 of api.latency (verb mutating, phase
// steady) at most 1s".
func GateText(g rundir.Gate) string {
	text := g.Metric
	if g.Stat != "" {
		text = g.Stat + " of " + text
	}
	var where []string
	for _, name := range slices.Sorted(maps.Keys(g.Where)) {
		where = append(where, name+" "+g.Where[name])
	}
	if g.Profile != "" {
		where = append(where, "profile "+g.Profile)
	}
	if len(where) > 0 {
		text += " (" + strings.Join(where, ", ") + ")"
	}
	if g.Min != nil {
		text += " at least " + amountText(g.Metric, *g.Min)
	}
	if g.Min != nil && g.Max != nil {
		text += " and"
	}
	if g.Max != nil {
		text += " at most " + amountText(g.Metric, *g.Max)
	}
	if g.Compare != "" {
		text += fmt.Sprintf(" compared with %s, margin %s", g.Compare, unit.Percent(g.Margin))
	}
	return text
}

// amountText writes a threshold in the unit of its metric.
func amountText(metric string, v float64) string {
	for _, m := range rundir.Metrics() {
		if m.Name != metric {
			continue
		}
		switch m.Unit {
		case "seconds":
			return unit.Duration(v * float64(time.Second)).String()
		case "bytes":
			return unit.Size(v).String()
		case "per second":
			return unit.Rate(v).String()
		case "fraction":
			return unit.Percent(v).String()
		}
	}
	return fmt.Sprintf("%g", v)
}
