package components

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// parseVersion reads v1.36, 1.36, v1.36.3 or v1.37.0-rc.1 and returns it with
// the leading v; minor is true where the patch is left open.
func parseVersion(p project, s string) (version string, minor bool, err error) {
	version = "v" + strings.TrimPrefix(s, "v")
	core, _, _ := strings.Cut(version, "-")
	switch {
	case s == "":
		return "", false, fmt.Errorf("no version of %s is named: give one, such as %s, or a binDir", p.name, p.example)
	case !semver.IsValid(version) || semver.Build(version) != "" || strings.Count(core, ".") == 0:
		return "", false, fmt.Errorf("%q is no version of %s: want one such as %s", s, p.name, p.example)
	case semver.Major(version) != p.major:
		return "", false, fmt.Errorf("%q is no version of %s: they begin with %s", s, p.name, p.major)
	}
	return version, strings.Count(core, ".") == 1, nil
}

// newest picks the highest patch release of a minor version. Pre-releases are
// never picked: they have to be named in full.
func newest(versions []string, minor string) (string, error) {
	var release, pre string
	for _, v := range versions {
		if !semver.IsValid(v) || semver.MajorMinor(v) != minor {
			continue
		}
		best := &release
		if semver.Prerelease(v) != "" {
			best = &pre
		}
		if *best == "" || semver.Compare(v, *best) > 0 {
			*best = v
		}
	}
	switch {
	case release != "":
		return release, nil
	case pre != "":
		return "", fmt.Errorf("%s has pre-releases only: to have one, name it in full, such as %s", minor, pre)
	default:
		return "", fmt.Errorf("%s is not among its versions%s", minor, listed(versions))
	}
}

// listed names the minor versions that there are, the newest four.
func listed(versions []string) string {
	var minors []string
	for _, v := range versions {
		if m := semver.MajorMinor(v); m != "" && !slices.Contains(minors, m) {
			minors = append(minors, m)
		}
	}
	if len(minors) == 0 {
		return ""
	}
	semver.Sort(minors)
	slices.Reverse(minors)
	return " (the newest are " + strings.Join(minors[:min(4, len(minors))], ", ") + ")"
}
