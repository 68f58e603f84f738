package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/workloads"
)

// check is what one decoded document is checked by. Checks add problems by
// key: the path of a field with the numbers of list elements.
type check struct {
	kinds    Kinds
	doc      *document
	index    strict.Index
	decoding strict.Problems // what the parser and the decoder found
	problems strict.Problems // that, and what the checks found
	warnings strict.Problems
	tooFew   strict.Problems
	gates    []rundir.Gate
	profile  string // that is checked; empty where it is all of them
}

// newCheck decodes a document. before is what was wrong with it already.
func newCheck(kinds Kinds, root *strict.Node, before strict.Problems) *check {
	c := &check{kinds: kinds, doc: &document{}, index: strict.NewIndex(root)}
	c.decoding = slices.Concat(before, kinds.decoder().Decode(root, c.doc))
	c.problems = slices.Clone(c.decoding)
	return c
}

// add adds a problem, unless the same field, or one around or in it, could not
// be decoded: one mistake is one problem.
func (c *check) add(key, format string, args ...any) {
	p := c.index.Problem(key, fmt.Sprintf(format, args...))
	if !c.undecoded(p.Path) {
		c.problems = append(c.problems, p)
	}
}

func (c *check) warn(key, format string, args ...any) {
	p := c.index.Problem(key, fmt.Sprintf(format, args...))
	if !c.undecoded(p.Path) {
		c.warnings = append(c.warnings, p)
	}
}

// decoded says whether a field, and everything around and in it, was decoded.
func (c *check) decoded(key string) bool { return !c.undecoded(c.index.Problem(key, "").Path) }

func (c *check) undecoded(path string) bool {
	return slices.ContainsFunc(c.decoding, func(p strict.Problem) bool { return p.Covers(path) })
}

// document checks what is the same for every profile.
func (c *check) document() {
	c.comparison()
	c.timeline("spec.timeline", c.doc.Spec.Timeline)
	for i, t := range c.doc.Spec.Tours {
		key := fmt.Sprintf("spec.tours[%d]", i)
		c.timeline(key+".timeline", t.Timeline)
		if t.Profile != "" && c.profileNames() != nil {
			c.known(key+".profile", string(t.Profile), "profile", c.profileNames())
		}
	}
	c.allGates()
}

// variant checks what depends on the cluster and the loads of one profile: the
// blocks' trial, or a tour's.
func (c *check) variant(tour string) {
	spec := c.doc.Spec
	c.cluster()
	c.workloads()
	if tour == "" {
		c.actsOn("spec.timeline", spec.Timeline)
		c.gatesOn("spec.gates", spec.Gates)
		return
	}
	for i, t := range spec.Tours {
		if string(t.Name) == tour {
			c.actsOn(fmt.Sprintf("spec.tours[%d].timeline", i), t.Timeline)
			c.gatesOn(fmt.Sprintf("spec.tours[%d].gates", i), t.Gates)
		}
	}
}

// known adds a problem if a word is none of those that it must be.
func (c *check) known(key, word, what string, right []string) bool {
	if slices.Contains(right, word) {
		return true
	}
	if len(right) == 0 {
		c.add(key, "there is no %s %q: there is none at all", what, word)
		return false
	}
	c.add(key, "there is no %s %q: %s", what, word, strict.Suggest(word, what+"s", right))
	return false
}

func (c *check) profileNames() []string {
	var names []string
	for _, p := range c.doc.Spec.Profiles {
		names = append(names, string(p.Name))
	}
	return names
}

var fieldName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9_.\[\]]*$`)

// own adds what a workload or an act says of its own fields, each "field:
// message".
func (c *check) own(key string, found []string) {
	for _, f := range found {
		name, message, ok := strings.Cut(f, ": ")
		if ok && fieldName.MatchString(name) {
			c.add(key+"."+name, "%s", message)
			continue
		}
		c.add(key, "%s", f)
	}
}

// workloads checks the loads by their own rules.
func (c *check) workloads() {
	var all []workloads.Workload
	found := len(c.problems)
	for i, w := range c.doc.Spec.Workloads {
		if w.Load.Value != nil {
			all = append(all, w.Load.Value)
			c.own(fmt.Sprintf("spec.workloads[%d].%s", i, w.Load.Kind), w.Load.Value.Check())
		}
	}
	if len(c.problems) == found {
		c.own("spec.workloads", workloads.CheckTogether(all))
	}
}

// placedAct is an act with its place.
type placedAct struct {
	key  string // of its own fields: spec.timeline[2].fault.leaderKill
	step string // of the fault or operation around it
	sort string
	name string
	kind string
	act  acts.Act
	hold time.Duration // of a fault: how long its effect is held before it is healed, at least
}

// placed lists a timeline's acts.
func placed(key string, steps []step) []placedAct {
	var out []placedAct
	for i, st := range steps {
		r := st.resolve()
		if r.Act == nil || r.Act.Act == nil {
			continue
		}
		at := fmt.Sprintf("%s[%d].%s", key, i, r.Phase)
		out = append(out, placedAct{at + "." + r.Act.Kind, at, r.Act.Sort, r.Act.Name, r.Act.Kind, r.Act.Act, r.Act.For})
	}
	return out
}

// eachAct calls do for the acts of the timeline and of every tour.
func (c *check) eachAct(do func(placedAct)) {
	for _, a := range placed("spec.timeline", c.doc.Spec.Timeline) {
		do(a)
	}
	for i, t := range c.doc.Spec.Tours {
		for _, a := range placed(fmt.Sprintf("spec.tours[%d].timeline", i), t.Timeline) {
			do(a)
		}
	}
}
