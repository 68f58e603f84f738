package scenarios

import (
	"slices"
	"strings"
	"testing"
)

// compared has two profiles of its own, gates that compare them, and a tour.
const compared = `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: s}
spec:
  profiles:
    - name: stock
    - {name: fast, patch: {cluster: {etcd: {heartbeatInterval: 50ms}}}}
  blocks: 8
  workloads:
    - {name: churn, eventChurn: {rate: 20/s}}
  timeline:
    - steady: 3s
  tours:
    - {name: round, profile: fast, timeline: [{steady: 3s}], gates: [{metric: api.errors, max: 1%}]}
  gates:
    - {metric: api.latency, verb: mutating, phase: steady, compare: stock, stat: p99, margin: 25%}
    - {metric: api.errors, profile: fast, max: 1%}
`

func value(profile, path, text string) ProfileValue {
	return ProfileValue{profile, path, text, "--profile " + profile + "=" + path + ":" + text}
}

func TestProfileValues(t *testing.T) {
	for name, c := range map[string]struct {
		values   []ProfileValue
		profiles string // name[changes] …
		compares string // the bases of the gates, and whom they hold
		warns    string
	}{
		"nothing": {nil, "stock[] fast[cluster.etcd.heartbeatInterval=50ms]", "stock fast", ""},
		"one new is added": {
			[]ProfileValue{value("big", "cluster.etcd.members", "3"), value("big", "workloads.churn.eventChurn.rate", "40/s")},
			"stock[] fast[cluster.etcd.heartbeatInterval=50ms] big[cluster.etcd.members=3 workloads.churn.eventChurn.rate=40/s]", "stock fast", "",
		},
		"a known one is patched": {
			[]ProfileValue{value("fast", "cluster.etcd.members", "3")},
			"stock[] fast[cluster.etcd.heartbeatInterval=50ms cluster.etcd.members=3]", "stock fast", "",
		},
		"two new ones are a comparison of their own": {
			[]ProfileValue{value("base", "cluster.etcd.binDir", "/a"), value("head", "cluster.etcd.binDir", "/b")},
			"base[cluster.etcd.binDir=/a] head[cluster.etcd.binDir=/b]", "base",
			"--profile: base, head take the place of the scenario's own stock, fast: comparisons are with base",
		},
		"one of them may be known": {
			[]ProfileValue{value("fast", "cluster.etcd.binDir", "/a"), value("x", "cluster.etcd.members", "3"), value("y", "cluster.etcd.members", "5")},
			"fast[cluster.etcd.heartbeatInterval=50ms cluster.etcd.binDir=/a] x[cluster.etcd.members=3] y[cluster.etcd.members=5]", "fast fast",
			"--profile: fast, x, y take the place of the scenario's own stock: comparisons are with fast",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(Source{"s.yaml", []byte(compared)}, testKinds(), Changes{Values: c.values})
			if err != nil {
				t.Fatal(err)
			}
			var profiles, compares []string
			for _, p := range s.Profiles {
				profiles = append(profiles, p.Name+"["+strings.Join(p.Changes, " ")+"]")
			}
			for _, g := range s.Gates {
				compares = append(compares, g.Compare+g.Profile)
			}
			compares = slices.DeleteFunc(compares, func(s string) bool { return s == "" }) // the tour's
			if got := strings.Join(profiles, " "); got != c.profiles {
				t.Errorf("profiles %s\nwant     %s", got, c.profiles)
			}
			if got := strings.Join(compares, " "); got != c.compares {
				t.Errorf("the gates are about %s, want %s", got, c.compares)
			}
			if got := s.Warnings.Error(); got != c.warns {
				t.Errorf("warns %q, want %q", got, c.warns)
			}
			// Its profile, or the first where that is not run.
			if got, stays := s.Tours[0].Profile, strings.Contains(c.profiles, "fast["); stays && got != "fast" || !stays && got != s.Profiles[0].Name {
				t.Errorf("the tour is under %s", got)
			}
			text, err := s.YAML()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Load(Source{"again.yaml", text}, testKinds(), Changes{}); err != nil || len(again.Profiles) != len(s.Profiles) {
				t.Errorf("what was run cannot be run again: %v", err)
			}
		})
	}
}

func TestProfileValuesThatMeanNothing(t *testing.T) {
	for _, c := range []struct{ path, value, want string }{
		{"clutser.etcd.members", "3", "--profile p=clutser.etcd.members:3: clutser.etcd.members is not what a profile may change: did you mean cluster?"},
		{"blocks", "3", "--profile p=blocks:3: blocks is not what a profile may change: the parts that it may are cluster, workloads"},
		{"cluster", "{}", "--profile p=cluster:{}: cluster: name a field of it too"},
		{"cluster.etcd.members", "", "--profile p=cluster.etcd.members:: wanted a value after cluster.etcd.members:"},
		{"cluster.etcd.members", "many", "--profile p=cluster.etcd.members:many: spec.cluster.etcd.members: wanted a whole number, found the text \"many\" (with the profile p)"},
		{"cluster.etcd.membres", "3", "--profile p=cluster.etcd.membres:3: spec.cluster.etcd.membres: unknown field: did you mean members? (with the profile p)"},
		{"workloads.chrn.eventChurn.rate", "9/s", "--profile p=workloads.chrn.eventChurn.rate:9/s: chrn: there is no element of that name: did you mean churn?"},
		{"workloads.churn", "9/s", "--profile p=workloads.churn:9/s: churn: name a field of it too"},
	} {
		_, err := Load(Source{"s.yaml", []byte(compared)}, testKinds(), Changes{Values: []ProfileValue{value("p", c.path, c.value)}})
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

// TestProfilesThatNoGateCompares: two builds under a scenario that compares
// nothing would be run for nothing.
func TestProfilesThatNoGateCompares(t *testing.T) {
	text := strings.ReplaceAll(compared, ", compare: stock, stat: p99, margin: 25%", ", p99: 1s")
	s, err := Load(Source{"s.yaml", []byte(text)}, testKinds(), Changes{Values: []ProfileValue{value("base", "cluster.etcd.binDir", "/a"), value("head", "cluster.etcd.binDir", "/b")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Warnings.Error(); !strings.Contains(got, "no gate compares the 2 profiles") || !strings.Contains(got, "compare: base") {
		t.Errorf("warns %q", got)
	}
}
