package remains

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- {name: a, cluster: {server: "https://127.0.0.1:1"}}
contexts:
- {name: a, context: {cluster: a, user: u}}
- {name: b, context: {cluster: a, user: u}}
users:
- {name: u, user: {token: t}}
current-context: b
`

// A context is taken by its name alone.
func TestPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, context, wrong string }{
		{file, "a", ""},
		{file, "", `there is no context "" in ` + file + ": it has a, b"},
		{file, "c", `there is no context "c" in ` + file + ": it has a, b"},
		{file + ".none", "a", "there is no kubeconfig at " + file + ".none: name one with --kubeconfig"},
	} {
		p, err := PlaceOf(c.file, c.context)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := p.Config()
		switch {
		case err != nil && err.Error() != c.wrong, err == nil && c.wrong != "":
			t.Errorf("context %q of %s: %v, want %q", c.context, c.file, err, c.wrong)
		case err == nil && (cfg.Host != "https://127.0.0.1:1" || cfg.BearerToken != "t" || cfg.QPS >= 0):
			t.Errorf("context %q: %v", c.context, cfg)
		}
	}
	t.Setenv("KUBECONFIG", file)
	if p, err := PlaceOf("", "a"); err != nil || len(p.Kubeconfig) != 1 || p.Kubeconfig[0] != file {
		t.Errorf("KUBECONFIG gives %v, %v", p, err)
	}
}

// No run id never means every run.
func TestNoRunSelectsNothing(t *testing.T) {
	if _, err := (&Cluster{}).list(t.Context(), namespaces, "", ""); !errors.Is(err, errNoRun) {
		t.Errorf("no run: %v", err)
	}
}

func TestObjectsAreNamedAsKubectlDoes(t *testing.T) {
	got := Object{Resource: leases, Namespace: NodeLeases, Name: "n"}.String()
	if want := "kube-node-lease/leases.coordination.k8s.io/n"; got != want || strings.Contains(got, "//") {
		t.Errorf("got %s, want %s", got, want)
	}
}
