package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/doctor"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/ledger"
)

// inEveryFormat prints a listing in each of the outputs, one after the other.
func inEveryFormat(t *testing.T, show func(*app) error) string {
	t.Helper()
	var b bytes.Buffer
	for _, o := range outputs {
		b.WriteString("$ -o " + o + "\n")
		a := newApp(&b, &b)
		if err := a.output.Set(o); err != nil {
			t.Fatal(err)
		}
		if err := show(a); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestListOfScenarios(t *testing.T) {
	stdout, stderr, code := storm(t, "list")
	if code != exitPass || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	golden.Check(t, "list", stdout)
}

func TestHostileTextInAListing(t *testing.T) {
	l := listing{
		head: []string{"NAME", "STATUS"}, rows: [][]string{{"evil\x1b[2J", "up\x07"}},
		data: []map[string]string{{"name": "evil\x1b[2J"}}, names: []string{"evil\x1b[2J"},
	}
	got := inEveryFormat(t, func(a *app) error { return a.print(l) })
	if bytes.ContainsAny([]byte(got), "\x1b\x07") {
		t.Errorf("a control character came through: %q", got)
	}
	golden.Check(t, "hostile-listing", got)
}

// state is a cluster by hand as its state.json tells.
func state(name string) hand.ByHand {
	return hand.ByHand{
		Name: name, RunID: "hand-" + name, Dir: "/state/clusters/" + name, Kubeconfig: "/state/clusters/" + name + "/kubeconfig",
		Logs: "/state/clusters/" + name + "/logs", Started: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Supervisor: 4711,
		Spec:     clusters.Spec{Etcd: clusters.Etcd{Members: 3, Shards: []clusters.Shard{{Name: "events", Resources: []string{"/events"}}}}},
		Versions: map[string]string{"etcd main": "v3.6.16", "etcd events": "v3.6.16", "kube-apiserver": "v1.36.3"},
		Endpoints: map[string]string{
			"etcd-main-0": "https://198.18.0.10:2379", "etcd-main-1": "https://198.18.0.11:2379", "etcd-main-2": "https://198.18.0.12:2379",
			"etcd-events-0": "https://198.18.0.13:2379", "kube-apiserver-0": "https://127.64.0.1:6443",
		},
		EtcdCA: "/state/pki of mine/ca.crt", EtcdCert: "/state/pki/client.crt",
	}
}

func TestListOfClusters(t *testing.T) {
	running := map[string]supervise.Status{"etcd-main-0": {Name: "etcd-main-0", PID: 12, Running: true}}
	hurt := map[string]supervise.Status{
		"etcd-main-0": {Name: "etcd-main-0", PID: 13, Running: true},
		"etcd-main-1": {Name: "etcd-main-1", PID: 14, Exit: "signal: killed"},
	}
	found := []hand.Found{
		{ByHand: state("good"), Processes: running},
		{ByHand: state("hurt"), Processes: hurt},
		{ByHand: hand.ByHand{Name: "half"}, Problem: "cluster half is not up: it is being started now"},
	}
	now := state("good").Started.Add(90 * time.Minute)
	golden.Check(t, "cluster-list", inEveryFormat(t, func(a *app) error { return a.print(listHandClusters(found, now)) }))
}

func TestWhatIsSaidOfAClusterThatIsUp(t *testing.T) {
	golden.Check(t, "cluster-up", upText(handClusterOf(hand.Found{ByHand: state("storm")}), "etcdctl"))
}

func TestListOfComponents(t *testing.T) {
	list := []components.Binary{{
		Name: components.Etcd, Version: "v3.6.16", GoVersion: "go1.26.0", Origin: "module build",
		SHA256: "a07eb520a059a07eb520a059a07eb520a059a07eb520a059a07eb520a059a07e", Path: "/cache/etcd",
	}}
	golden.Check(t, "components-list", inEveryFormat(t, func(a *app) error { return a.printBinaries(list) }))
	golden.Check(t, "components-list-empty", inEveryFormat(t, func(a *app) error { return a.printBinaries(nil) }))
}

func TestFindingsOfTheDoctor(t *testing.T) {
	findings := []doctor.Finding{
		{Name: "memory", OK: true, Found: "23.5 GiB"},
		{Name: "network namespaces", Found: "making a network namespace: operation not permitted (it takes root, or the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN)", Disables: "partitions and link delay between members (faults partition, linkDelay)", Hint: "run as root on Linux with nftables and TUN"},
	}
	l, missing := listFindings(findings, 80)
	if missing != nil {
		t.Errorf("what is not needed is missed: %v", missing)
	}
	golden.Check(t, "doctor", inEveryFormat(t, func(a *app) error { return a.print(l) }))

	findings = append(findings, doctor.Finding{Name: "data disk", Needed: true, Found: "12 MiB free at /data", Hint: "free some space, or name another directory"})
	if _, missing = listFindings(findings, 80); missing == nil || missing.Error() != "data disk: 12 MiB free at /data: free some space, or name another directory" {
		t.Errorf("what is needed is missed like this: %v", missing)
	}
}

// What clusters cannot do is told by its reason, once each.
func TestWhatClustersCanDo(t *testing.T) {
	const noRoot = "entering the containers' networks takes root"
	const noDocker = "there is no docker command in the PATH: install Docker"
	some := func(why map[clusters.Capability]string) []doctor.Finding {
		absent := map[clusters.Capability]string{}
		for _, d := range clusters.Described {
			absent[d.Capability] = why[d.Capability]
		}
		return canDo("kind", absent)
	}
	none := map[clusters.Capability]string{}
	for _, d := range clusters.Described {
		none[d.Capability] = noDocker
	}
	for name, findings := range map[string][]doctor.Finding{
		"doctor-can": some(nil), "doctor-can-some": some(map[clusters.Capability]string{clusters.CanLink: noRoot}), "doctor-can-none": some(none),
	} {
		l, missing := listFindings(findings, 80)
		if missing != nil {
			t.Errorf("%s: what is not needed is missed: %v", name, missing)
		}
		golden.Check(t, name, inEveryFormat(t, func(a *app) error { return a.print(l) }))
	}
}

func TestFindingsOfACleanup(t *testing.T) {
	for _, c := range []struct {
		f    ledger.Finding
		want string
	}{
		{ledger.Finding{Run: "r", PID: 7, Result: ledger.Live, Why: "its ledger is locked"}, "run r: (process 7) live: its ledger is locked"},
		{ledger.Finding{Run: "r", Kind: ledger.Process, Name: "5/etcd", PID: 9, Result: ledger.Killed}, "run r: process 5/etcd (process 9) killed"},
		{ledger.Finding{Run: "r", Kind: ledger.Directory, Name: "/d", Result: ledger.Left, Why: "it has no marker"}, "run r: dir /d left: it has no marker"},
		{ledger.Finding{Run: "r", Result: ledger.Removed}, "run r: removed"},
	} {
		if got := findingText(c.f); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
