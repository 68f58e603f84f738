package workloads

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childEnv is set for the process whose limit is low.
const childEnv = "STORM_TEST_FEW_FILES"

// What needs more connections than the process may open is refused, with the
// limit named: by the limit of the process itself.
func TestLoadsBeyondTheOpenFileLimitAreRefused(t *testing.T) {
	loads := map[string]Workload{
		"connections of every node's own": of(func(n *Nodes) { n.Count, n.Connections = 500, "perNode" }),
		"of every kube-proxy's too":       of(func(n *Nodes) { n.Count, n.Connections = 260, "perProcess" }),
		"watches over shared connections": of(func(n *Nodes) { n.Count = 5000 }),
		"informers of their own":          of(func(n *Informers) { n.Count, n.Connections = 500, "own" }),
		"watchers of their own":           of(func(w *Watchers) { w.Count, w.Connections = 500, "own" }),
		"watchers over shared":            of(func(w *Watchers) { w.Count, w.Rate = 50_000, schedule("1/s") }),
		"requests in flight":              of(func(l *List) { l.InFlight = 50_000 }),
		"churn in flight":                 of(func(e *EventChurn) { e.InFlight = 50_000 }),
		"rogues of their own":             of(func(r *RogueDaemonSet) { r.Count, r.InFlight, r.Connections = 500, 10, "own" }),
		"rogues in flight":                of(func(r *RogueDaemonSet) { r.Count, r.InFlight = 10, 50_000 }),
	}
	if os.Getenv(childEnv) == "" {
		for name, w := range loads {
			if openFiles() < 1024 {
				t.Skip("this process may open few files itself")
			}
			for _, p := range w.Check() {
				t.Errorf("%s: refused with files enough: %s", name, p)
			}
		}
		child := exec.Command("/bin/sh", "-c", `ulimit -n 300 && exec "$0" -test.run "^`+t.Name()+`$" -test.v`, os.Args[0])
		child.Env = append(os.Environ(), childEnv+"=1")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for name, w := range loads {
		problems := w.Check()
		if len(problems) != 1 || !strings.Contains(problems[0], "open files, and this process may open 300: raise the limit (ulimit -n)") {
			t.Errorf("%s: got %v", name, problems)
		}
	}
}

// Each load has files enough for itself, and all of them have not.
func TestLoadsShareTheOpenFiles(t *testing.T) {
	nodes, herd := newNodes().(*Nodes), newInformers().(*Informers)
	nodes.Count, nodes.Connections = 1000, "perNode"
	herd.Count, herd.Connections, herd.Resource = 900, "own", "configmaps"
	const files = 2000
	if found := nodes.check(files); len(found) > 0 {
		t.Errorf("nodes alone: %v", found)
	}
	if found := herd.check(herd.Resource, files); len(found) > 0 {
		t.Errorf("informers alone: %v", found)
	}
	both := []Workload{nodes, herd, newEventChurn(), newRogueDaemonSet(), newDeployments()}
	if found := together(both, files); len(found) != 1 || !strings.Contains(found[0], "may open 2000: raise the limit") {
		t.Errorf("together: %v", found)
	}
	if found := together(both, 3000); len(found) > 0 {
		t.Errorf("with files enough: %v", found)
	}
	if one := together([]Workload{newRogueDaemonSet()}, 1); len(one) != 1 {
		t.Error("a load's own connections are not counted")
	}
}
