// Package flags writes the flags of a control plane's components: in order, laid
// over one another, and spelled as the version of the moment takes them.
package flags

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Remove is the value with which a scenario takes one of storm's flags away.
const Remove = "-"

// Flag is one flag of a component, by its name without dashes.
type Flag struct{ Name, Value string }

// Set is a component's flags, in order.
type Set []Flag

// Of makes a set of names and values in turn.
func Of(namesAndValues ...string) Set {
	out := make(Set, 0, len(namesAndValues)/2)
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		out = append(out, Flag{namesAndValues[i], namesAndValues[i+1]})
	}
	return out
}

// With returns the flags with those of over set, replaced or removed; new ones
// come last, in order of name.
func (fs Set) With(over map[string]string) Set {
	out := slices.Clone(fs)
	for _, name := range slices.Sorted(maps.Keys(over)) {
		value := over[name]
		at := out.index(name)
		switch {
		case value == Remove && at >= 0:
			out = slices.Delete(out, at, at+1)
		case value == Remove:
		case at >= 0:
			out[at].Value = value
		default:
			out = append(out, Flag{name, value})
		}
	}
	return out
}

func (fs Set) index(name string) int {
	return slices.IndexFunc(fs, func(f Flag) bool { return f.Name == name })
}

// Value returns a flag's value, empty where it is not set.
func (fs Set) Value(name string) string {
	if i := fs.index(name); i >= 0 {
		return fs[i].Value
	}
	return ""
}

// Argv is the flags as a command line has them.
func (fs Set) Argv() []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = "--" + f.Name + "=" + f.Value
	}
	return out
}

// Gates writes feature gates as --feature-gates takes them; those of extra, as
// they are written there, win.
func Gates(own map[string]bool, extra string) string {
	all := map[string]string{}
	for name, on := range own {
		all[name] = strconv.FormatBool(on)
	}
	for part := range strings.SplitSeq(extra, ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
			all[name] = value
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return strings.Join(out, ",")
}

// Environ writes environment variables as a process takes them, in order of
// name; those with the value "-" are left out.
func Environ(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if env[name] != Remove {
			out = append(out, name+"="+env[name])
		}
	}
	return out
}
