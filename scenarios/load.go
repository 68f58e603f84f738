package scenarios

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/workloads"
)

// Kinds are the tables of what a scenario can ask for.
type Kinds struct {
	Workloads  map[string]func() workloads.Workload
	Faults     map[string]func() acts.Act
	Operations map[string]func() acts.Act
	// Cluster says what the providers cannot do of a cluster, each "field:
	// message" as clusters.Spec.Check has them; nil if nobody is asked.
	Cluster func(clusters.Spec) []string
}

func (k Kinds) decoder() strict.Decoder {
	return strict.Decoder{Kinds: map[string]strict.Table{
		"workload":  strict.TableOf(k.Workloads),
		"fault":     strict.TableOf(k.Faults),
		"operation": strict.TableOf(k.Operations),
	}}
}

// Source is a file's name and text.
type Source struct {
	Name string // as the user named it, for messages
	Text []byte
}

// Changes are what the command line changes in a scenario.
type Changes struct {
	Profiles []Source       // --profile FILE: a profile to add, or to merge into the one of its name
	Values   []ProfileValue // --profile NAME=PATH:VALUE: a value of a profile
	Sets     []string       // --set path=value, relative to the spec
	Provider string         // --provider: where the cluster runs, instead of where the scenario says; empty: there
}

// Scenario is a loaded scenario: everything in it has been checked under every
// profile and for every tour.
type Scenario struct {
	Name        string
	Description string
	Blocks      int
	WarmupBlock bool      // a discarded block goes before the others
	Alpha       float64   // chance of a false claim
	Seed        *int64    // nil: to be drawn
	Profiles    []Profile // at least one
	Tours       []Tour
	Gates       []rundir.Gate // those of tours included
	// Warnings are what may be meant as it is, but surprises: a shard that
	// loses its quorum.
	Warnings strict.Problems
	// TooFew says that the blocks are too few for any verdict of a comparison;
	// nil where they are enough. To try a scenario out is no mistake, so it is
	// the caller's to refuse.
	TooFew strict.Problems

	source *strict.Node // with Changes applied
	kinds  Kinds
	// provider makes the clusters of all profiles.
	provider string
	// Of the scenario that an A/A run stands for; 0 elsewhere.
	comparisons int
	breaks      bool                    // a timeline has an act: by it goes how trials are observed
	patches     map[string]*strict.Node // by profile
}

// Profile is one set of values under comparison.
type Profile struct {
	Name        string
	Description string
	Changes     []string // cluster.etcd.heartbeatInterval=50ms; empty for the scenario as it stands
}

// Tour is a further trial, run once after the blocks.
type Tour struct {
	Name        string
	Description string
	Profile     string
	Changes     []string // on top of its profile's
}

// LoadFile loads a scenario from a file.
func LoadFile(path string, kinds Kinds, changes Changes) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	return Load(Source{path, text}, kinds, changes)
}

// Load reads a scenario strictly. Its error, if any, is strict.Problems:
// everything that is wrong, under every profile, each with its place.
func Load(src Source, kinds Kinds, changes Changes) (*Scenario, error) {
	root, problems := strict.Parse(src.Name, src.Text)
	if root == nil || root.Kind != strict.Map {
		if root != nil {
			problems = append(problems, strict.Problem{Pos: root.Pos, Message: "wanted a mapping that begins with apiVersion: " + APIVersion + ", found " + root.Found()})
		}
		return nil, problems.Err()
	}
	root, taken := applyProvider(root, changes.Provider)
	root, changed := applyChanges(root, changes)
	problems = append(problems, changed...)
	root, changed, surprises := applyValues(root, changes.Values)
	s, err := fromNode(root, kinds, append(problems, changed...))
	if s != nil {
		s.Warnings = slices.Concat(taken, surprises, s.Warnings, s.alike()).Sorted()
	}
	return s, err
}

// alike warns of profiles that run the very same as an earlier one.
func (s *Scenario) alike() (warnings strict.Problems) {
	profiles := s.source.Get("spec").Get("profiles")
	if profiles == nil {
		return nil
	}
	first := map[string]string{}
	for i, p := range s.Profiles {
		root, _ := s.patched(p.Name, "")
		text, err := root.Get("spec").YAML()
		if err != nil || i >= len(profiles.Items) {
			continue
		}
		if other, twice := first[string(text)]; twice {
			warnings = append(warnings, strict.Problem{
				Pos: profiles.Items[i].Pos, Path: fmt.Sprintf("spec.profiles[%s]", p.Name),
				Message: fmt.Sprintf("runs the same as %s: what is found between the two is noise", other),
			})
			continue
		}
		first[string(text)] = p.Name
	}
	return warnings
}

// fromNode checks a parsed scenario, of which those problems are known already.
func fromNode(root *strict.Node, kinds Kinds, problems strict.Problems) (*Scenario, error) {
	s := &Scenario{source: root, kinds: kinds, patches: map[string]*strict.Node{}}
	c := newCheck(kinds, root, problems)
	c.document()
	s.fill(c.doc)
	s.provider = c.doc.Spec.Cluster.Defaulted().Provider
	s.Gates, s.Warnings, s.TooFew = c.gates, c.warnings, c.tooFew
	problems = c.problems

	// Each profile and each tour is a scenario of its own: what its patch
	// brings in must be right, and its timeline must fit its cluster.
	for _, v := range s.variants() {
		root, merged := s.patched(v.profile, v.tour)
		c := newCheck(kinds, root, merged)
		c.profile = v.profile
		if is, was := c.doc.Spec.Cluster.Defaulted().Provider, s.provider; is != was {
			c.add("spec.cluster.provider", "is %s here and %s elsewhere: all trials of a run are on clusters of one provider", is, was)
		}
		c.variant(v.tour)
		problems = addNew(problems, c.problems, v.suffix())
		s.Warnings = addNew(s.Warnings, c.warnings, v.suffix())
	}
	s.Warnings = s.Warnings.Sorted()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// APIVersion is the version of the scenario format.
const APIVersion = "storm/v1alpha1"

// DefaultProfile is the name of the only profile of a scenario without any.
const DefaultProfile = "default"

// applyChanges returns the document with the command line's changes.
func applyChanges(root *strict.Node, changes Changes) (*strict.Node, strict.Problems) {
	var problems strict.Problems
	for _, p := range changes.Profiles {
		n, found := strict.Parse(p.Name, p.Text)
		problems = append(problems, found...)
		switch {
		case n == nil:
			continue
		case n.Kind != strict.Map || n.Get("name") == nil || !n.Get("name").Scalar():
			problems = append(problems, strict.Problem{Pos: n.Pos, Message: "wanted a profile: name, description and patch, as in a scenario's profiles"})
			continue
		}
		out, found := mergeMaps(root, wrap("spec", wrap("profiles", &strict.Node{Kind: strict.List, Pos: n.Pos, Items: []*strict.Node{n}})), "")
		root, problems = out, append(problems, found...)
	}
	for _, arg := range changes.Sets {
		spec := root.Get("spec")
		if spec == nil || spec.Kind != strict.Map {
			break // reported by the decoder
		}
		out, found := set(spec, arg)
		problems = append(problems, found...)
		root = replace(root, "spec", out)
	}
	return root, problems
}

// wrap returns a map with one field.
func wrap(name string, value *strict.Node) *strict.Node {
	return &strict.Node{Kind: strict.Map, Pos: value.Pos, Fields: []strict.Field{{Name: name, Pos: value.Pos, Value: value}}}
}

// replace returns a copy of a map with one of its fields replaced.
func replace(n *strict.Node, name string, value *strict.Node) *strict.Node {
	out := &strict.Node{Kind: n.Kind, Pos: n.Pos}
	for _, f := range n.Fields {
		if f.Name == name {
			f.Value = value
		}
		out.Fields = append(out.Fields, f)
	}
	return out
}

// only returns a copy of a map with no other fields than these: what a patch
// must not touch was refused, and is not applied either.
func only(n *strict.Node, names ...string) *strict.Node {
	out := &strict.Node{Kind: n.Kind, Pos: n.Pos}
	for _, f := range n.Fields {
		if slices.Contains(names, f.Name) {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// fill takes over what is the same for every profile.
func (s *Scenario) fill(doc *document) {
	spec := doc.Spec
	s.Name, s.Description = string(doc.Metadata.Name), spec.Description
	s.Blocks, s.Alpha, s.Seed = spec.Blocks, spec.Alpha.Fraction(), spec.Seed
	s.breaks = doc.breaks()
	s.WarmupBlock = slices.ContainsFunc(spec.Gates, func(g gate) bool { return g.Compare != "" })
	if spec.WarmupBlock != nil {
		s.WarmupBlock = *spec.WarmupBlock
	}
	for _, p := range spec.Profiles {
		s.patches[string(p.Name)] = p.Patch.Node
		s.Profiles = append(s.Profiles, Profile{string(p.Name), p.Description, changesOf(p.Patch.Node)})
	}
	if len(s.Profiles) == 0 {
		s.Profiles = []Profile{{Name: DefaultProfile, Changes: []string{}}}
	}
	for _, t := range spec.Tours {
		profile := string(t.Profile)
		if profile == "" {
			profile = s.Profiles[0].Name
		}
		s.Tours = append(s.Tours, Tour{string(t.Name), t.Description, profile, changesOf(t.Patch.Node)})
	}
}

// variant is a profile, or a tour under its profile.
type variant struct {
	profile, tour string
	patched       bool // it differs from the scenario as it stands
}

// suffix says of a problem where it shows, unless it shows everywhere.
func (v variant) suffix() string {
	switch {
	case !v.patched:
		return ""
	case v.tour != "":
		return " (in the tour " + v.tour + ")"
	}
	return " (with the profile " + v.profile + ")"
}

func (s *Scenario) variants() []variant {
	var out []variant
	for _, p := range s.Profiles {
		out = append(out, variant{p.Name, "", s.patches[p.Name] != nil})
	}
	for _, t := range s.Tours {
		out = append(out, variant{t.Profile, t.Name, len(t.Changes) > 0 || s.patches[t.Profile] != nil})
	}
	return out
}

// patched returns the document under a profile and, unless it is empty, for a
// tour.
func (s *Scenario) patched(profile, tour string) (*strict.Node, strict.Problems) {
	spec, problems := s.source.Get("spec"), strict.Problems{}
	apply := func(patch *strict.Node) {
		if patch == nil || spec == nil || spec.Kind != strict.Map {
			return
		}
		out, found := mergeMaps(spec, only(patch, "cluster", "workloads"), "spec")
		spec, problems = out, append(problems, found...)
	}
	apply(s.patches[profile])
	if tours := s.source.Get("spec").Get("tours"); tour != "" && tours != nil {
		for _, t := range tours.Items {
			if name := t.Get("name"); name != nil && name.Text == tour {
				if p := t.Get("patch"); p != nil && p.Kind == strict.Map {
					apply(p)
				}
			}
		}
	}
	return replace(s.source, "spec", spec), problems
}

// addNew adds the problems whose place and reason are not known yet, and says
// of them where they show.
func addNew(known, found strict.Problems, suffix string) strict.Problems {
	for _, p := range found {
		if !slices.ContainsFunc(known, func(k strict.Problem) bool {
			return k.Pos == p.Pos && k.Path == p.Path && (k.Message == p.Message || strings.HasPrefix(k.Message, p.Message+" ("))
		}) {
			p.Message += suffix
			known = append(known, p)
		}
	}
	return known
}
