package local

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// remove is the value with which a scenario takes one of storm's flags away.
const remove = "-"

// flag is one flag of a component, by its name without dashes.
type flag struct{ name, value string }

// flagSet is a component's flags, in order.
type flagSet []flag

// with returns the flags with those of over set, replaced or removed; new ones
// come last, in order of name.
func (fs flagSet) with(over map[string]string) flagSet {
	out := slices.Clone(fs)
	for _, name := range slices.Sorted(maps.Keys(over)) {
		value := over[name]
		at := out.index(name)
		switch {
		case value == remove && at >= 0:
			out = slices.Delete(out, at, at+1)
		case value == remove:
		case at >= 0:
			out[at].value = value
		default:
			out = append(out, flag{name, value})
		}
	}
	return out
}

func (fs flagSet) index(name string) int {
	return slices.IndexFunc(fs, func(f flag) bool { return f.name == name })
}

// value returns a flag's value, empty where it is not set.
func (fs flagSet) value(name string) string {
	if i := fs.index(name); i >= 0 {
		return fs[i].value
	}
	return ""
}

// argv is the flags as a command line has them.
func (fs flagSet) argv() []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = "--" + f.name + "=" + f.value
	}
	return out
}

// gates writes feature gates as --feature-gates takes them; those of extra, as
// they are written there, win.
func gates(own map[string]bool, extra string) string {
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

// environ writes environment variables as a process takes them, in order of
// name; those with the value "-" are left out.
func environ(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if env[name] != remove {
			out = append(out, name+"="+env[name])
		}
	}
	return out
}
