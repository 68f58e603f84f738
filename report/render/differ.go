package render

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// difference is a setting, or a component's build, that is not the same under
// all profiles.
type difference struct {
	What   string
	Values []string // one a profile
}

// unset is said where the scenario says nothing of what another profile sets.
const unset = "not set"

// differencesOf lists what differs between the profiles: settings by the
// changes that each makes, then builds.
func differencesOf(r *report.Result) []difference {
	if len(r.Profiles) < 2 {
		return nil
	}
	var spec any
	var whole struct {
		Spec any `yaml:"spec"`
	}
	if yaml.Unmarshal([]byte(strings.Join(r.Scenario, "\n")), &whole) == nil {
		spec = whole.Spec
	}
	var out []difference
	for i, p := range r.Profiles {
		for _, c := range p.Changes {
			path, value, _ := strings.Cut(c, "=")
			at := slices.IndexFunc(out, func(d difference) bool { return d.What == path })
			if at < 0 {
				d := difference{What: path}
				for range r.Profiles {
					d.Values = append(d.Values, settingOf(spec, path))
				}
				out, at = append(out, d), len(out)
			}
			out[at].Values[i] = value
		}
	}
	return append(out, buildsThatDiffer(r)...)
}

// settingOf is what the scenario says at a path; list entries are found by name.
func settingOf(spec any, path string) string {
	for part := range strings.SplitSeq(path, ".") {
		switch at := spec.(type) {
		case map[string]any:
			spec = at[part]
		case []any:
			i := slices.IndexFunc(at, func(e any) bool {
				m, ok := e.(map[string]any)
				return ok && m["name"] == part
			})
			if i < 0 {
				return unset
			}
			spec = at[i]
		default:
			return unset
		}
	}
	if spec == nil {
		return unset
	}
	text, err := yaml.Marshal(spec)
	if err != nil {
		return unset
	}
	return clip(plain(strings.TrimSpace(string(text))), 200)
}

// buildsThatDiffer are the components of which the profiles ran other builds.
func buildsThatDiffer(r *report.Result) []difference {
	var out []difference
	for _, p := range r.Provenance {
		if p.Profile == "" || slices.ContainsFunc(out, func(d difference) bool { return d.What == p.Component }) {
			continue
		}
		d := difference{What: p.Component}
		same := true
		for _, prof := range r.Profiles {
			d.Values = append(d.Values, buildOf(r.Provenance, p.Component, prof.Name))
			same = same && d.Values[len(d.Values)-1] == d.Values[0]
		}
		if !same {
			out = append(out, d)
		}
	}
	return out
}

func buildOf(list []rundir.Provenance, component, profile string) string {
	for _, p := range list {
		if p.Component == component && (p.Profile == "" || p.Profile == profile) {
			return buildText(p)
		}
	}
	return "n/a"
}

// buildText says which build a binary is, and where it came from.
func buildText(p rundir.Provenance) string {
	return strings.Join(slices.DeleteFunc([]string{p.Version, p.GoVersion, p.Origin, short(p.SHA256)}, func(s string) bool { return s == "" }), ", ")
}

// boundDifferences leaves so many rows, with the values of so many profiles.
func boundDifferences(list []difference, rows, profiles int) bounded[difference] {
	out := bound(list, rows)
	for i := range out.Rows {
		out.Rows[i].Values = out.Rows[i].Values[:min(profiles, len(out.Rows[i].Values))]
	}
	return out
}
