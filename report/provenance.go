package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// provenances are what builds of a component can differ in, in the order in
// which a reader asks.
var provenances = []struct {
	name string
	of   func(rundir.Provenance) string
}{
	{"version", func(p rundir.Provenance) string { return p.Version }},
	{"compiler", func(p rundir.Provenance) string { return p.GoVersion }},
	{"origin", func(p rundir.Provenance) string { return p.Origin }},
	{"digest", func(p rundir.Provenance) string { return p.SHA256[:min(12, len(p.SHA256))] }},
}

// builds says aloud which components are other builds in some profiles than in
// others, and in what: a difference between the profiles may be that of the
// builds, and where their compilers differ, the compilers'.
func builds(r *Result) []string {
	if len(r.Profiles) < 2 {
		return nil
	}
	of := map[string]map[string][]rundir.Provenance{} // component → profile → binaries
	for _, p := range r.Provenance {
		if of[p.Component] == nil {
			of[p.Component] = map[string][]rundir.Provenance{}
		}
		for _, prof := range r.Profiles {
			if p.Profile == "" || p.Profile == prof.Name {
				of[p.Component][prof.Name] = append(of[p.Component][prof.Name], p)
			}
		}
	}
	var out []string
	for _, component := range slices.Sorted(maps.Keys(of)) {
		var differ []string
		why := "the builds'"
		for _, what := range provenances {
			said, differs := perProfile(r.Profiles, of[component], what.of)
			if !differs {
				continue
			}
			differ = append(differ, fmt.Sprintf("%s (%s)", what.name, said))
			if what.name == "compiler" {
				why = "the compiler's"
			}
		}
		if len(differ) > 0 {
			out = append(out, fmt.Sprintf("The profiles run different builds of %s, by %s: a difference between them may be %s.", component, strings.Join(differ, ", "), why))
		}
	}
	return out
}

// perProfile says what the binaries of each profile are, and whether that
// differs.
func perProfile(profiles []Profile, binaries map[string][]rundir.Provenance, what func(rundir.Provenance) string) (said string, differs bool) {
	var parts, values []string
	for _, prof := range profiles {
		var mine []string
		for _, p := range binaries[prof.Name] {
			mine = append(mine, or(what(p), "unknown"))
		}
		slices.Sort(mine)
		v := strings.Join(slices.Compact(mine), " and ")
		if v == "" {
			continue // none of its trials began
		}
		parts = append(parts, prof.Name+": "+v)
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return strings.Join(parts, ", "), len(values) > 1
}
