// Package kindtest starts real kind clusters for tests of other packages.
package kindtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/ledger"
)

// Main is the TestMain of a package that starts clusters: their supervisors are
// the test's own executable.
func Main(m *testing.M) {
	supervise.RunIfAsked()
	os.Exit(m.Run())
}

// Options returns what kind.Up takes for a cluster that lives in the test's own
// directories. When the test ends, the ledger is finished, and nothing of the run
// may be left.
func Options(t testing.TB, spec clusters.Spec) kind.Options {
	t.Helper()
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano())
	book, err := ledger.Create(run)
	if err != nil {
		t.Fatal(err)
	}
	before := dangling(t)
	t.Cleanup(func() {
		if err := book.Finish(); err != nil {
			t.Error(err)
		}
		for _, left := range Left(t, run) {
			t.Errorf("%s is left", left)
		}
		for _, volume := range dangling(t) {
			if !slices.Contains(before, volume) {
				t.Errorf("volume %s is left", volume)
			}
		}
	})
	spec.Provider = "kind"
	return kind.Options{
		Spec: spec, Dir: filepath.Join(t.TempDir(), "cluster"), LogDir: t.TempDir(), Store: store, Ledger: book,
		Sink: func(e clusters.Event) { t.Logf("%s %s", e.Component, e.Text) },
	}
}

// Up starts a cluster that ends with the test.
func Up(t testing.TB, spec clusters.Spec) *kind.Cluster {
	t.Helper()
	return UpWith(t, Options(t, spec))
}

// UpWith starts the cluster of some options, which ends with the test.
func UpWith(t testing.TB, o kind.Options) *kind.Cluster {
	t.Helper()
	c, err := kind.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Left lists the containers and networks of a run.
func Left(t testing.TB, run string) []string {
	t.Helper()
	var out []string
	for what, args := range map[string][]string{
		"container": {"ps", "-a", "--format", "{{.Names}}", "--filter", "label=" + docker.RunLabel + "=" + run},
		"node":      {"ps", "-a", "--format", "{{.Names}}", "--filter", "name=storm-" + run},
		"network":   {"network", "ls", "--format", "{{.Name}}", "--filter", "label=" + docker.RunLabel + "=" + run},
	} {
		names, err := docker.Lines(context.Background(), args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			out = append(out, what+" "+name)
		}
	}
	return out
}

// dangling are the volumes that no container has. Nothing on a volume tells whose it
// was: a test knows those by which there are more than before.
func dangling(t testing.TB) []string {
	t.Helper()
	names, err := docker.Lines(context.Background(), "volume", "ls", "--quiet", "--filter", "dangling=true")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// EmptyImage is an image of nothing, for containers that never start.
func EmptyImage(t testing.TB) string {
	t.Helper()
	image, err := kind.EmptyImage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// Theirs has kind make a cluster by itself, of storm's newest node image, which storm
// has no part in, and returns what removes it.
func Theirs(t testing.TB, name, kubeconfig string) (remove func() error) {
	t.Helper()
	images, err := docker.Lines(t.Context(), "images", "storm/node", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil || len(images) == 0 {
		t.Fatalf("there is no node image: run `make kind-image` (%v)", err)
	}
	provider := kindcluster.NewProvider(kindcluster.ProviderWithDocker())
	remove = func() error { return provider.Delete(name, kubeconfig) }
	if err := provider.Create(name, kindcluster.CreateWithRawConfig([]byte(Plain)), kindcluster.CreateWithNodeImage(images[0]), kindcluster.CreateWithKubeconfigPath(kubeconfig)); err != nil {
		t.Fatal(errors.Join(err, remove()))
	}
	return remove
}

// Plain is the configuration of a cluster that kind makes by itself from storm's
// node image, as docs/kind.md has it.
const Plain = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {disableDefaultCNI: true, kubeProxyMode: none}
kubeadmConfigPatches:
- |
  kind: InitConfiguration
  skipPhases: [preflight, addon/kube-proxy, addon/coredns]
- |
  kind: KubeletConfiguration
  failCgroupV1: false
`
