//go:build kind

package kind_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/ledger"
)

// TestFailuresSayWhatToDoAndLeaveNothing starts clusters that cannot come up.
func TestFailuresSayWhatToDoAndLeaveNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, o *kind.Options)
		want   []string
	}{
		"image missing": {func(_ *testing.T, o *kind.Options) { o.NodeImage = "127.0.0.1:1/node:v1.36.3" }, []string{"127.0.0.1:1/node:v1.36.3", "make kind-image"}},
		"no daemon":     {func(t *testing.T, _ *kind.Options) { t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock") }, []string{"Docker daemon", "start it"}},
		"wrong flag": {func(_ *testing.T, o *kind.Options) {
			o.Spec.Kubernetes.Scheduler.Flags = map[string]string{"no-such-flag": "1"}
		}, []string{"kube-scheduler-0", "no-such-flag"}},
		"wrong flag of etcd": {func(_ *testing.T, o *kind.Options) { o.Spec.Etcd.Flags = map[string]string{"no-such-flag": "1"} }, []string{"etcd-main-0", "no-such-flag"}},
		"no node image":      {func(_ *testing.T, o *kind.Options) { o.NodeImage = "storm/empty:1" }, []string{"kind"}},
		"name in use": {func(t *testing.T, o *kind.Options) {
			name := kind.NameOf(o.Ledger.RunID())
			if _, err := docker.Run(t.Context(), "network", "create", "--label", docker.RunLabel+"=another", name); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if _, err := docker.Run(context.Background(), "network", "rm", name); err != nil {
					t.Error(err)
				}
			})
		}, []string{"already exists", "the name is in use", "storm cleanup"}},
		"addresses taken": {func(t *testing.T, _ *kind.Options) {
			const everySlot = "198.18.0.0/15"
			if _, err := docker.Run(t.Context(), "network", "create", "--subnet", everySlot, "taken"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if _, err := docker.Run(context.Background(), "network", "rm", "taken"); err != nil {
					t.Error(err)
				}
			})
		}, []string{"addresses are taken", "docker network prune"}},
		"disk full": {func(t *testing.T, o *kind.Options) {
			small := t.TempDir()
			if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=24m"); err != nil {
				t.Skipf("making a small file system: %v", err)
			}
			t.Cleanup(func() {
				if err := unix.Unmount(small, 0); err != nil {
					t.Error(err)
				}
			})
			o.Dir = filepath.Join(small, "cluster")
		}, []string{"no space left on device", "the disk is full"}},
		"version that kubeadm refuses": {func(t *testing.T, o *kind.Options) { o.NodeImage = oldInName(t) },
			[]string{"control plane version", "kubeadm refuses the version", "--node-image", "-control-plane logs last", "kind said last", "kind.log"}},
		"shard of no resource": {func(_ *testing.T, o *kind.Options) {
			o.Spec.Etcd.Shards = []clusters.Shard{{Name: "leases", Resources: []string{"/leases"}}}
		}, []string{"etcd.shards[0].resources[0]", "did you mean coordination.k8s.io/leases?"}},
		"logs that are removed with it": {func(t *testing.T, o *kind.Options) {
			o.NodeImage, o.LogDir = oldInName(t), filepath.Join(o.Dir, "logs")
		},
			[]string{"control plane version", "kind said last"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := kindtest.Options(t, clusters.Spec{})
			c.change(t, &o)
			ctx, cancel := context.WithTimeout(t.Context(), guard)
			defer cancel()
			made, err := kind.Up(ctx, o)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it came up"), made.Close(context.Background())))
			}
			t.Log(err)
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
			if _, err := os.Stat(o.Dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the cluster's directory is still there: %v", err)
			}
			if strings.Contains(err.Error(), filepath.Join(o.Dir, "logs")) {
				t.Errorf("the error names a log that is removed: %v", err)
			}
		})
	}
}

// oldInName is a node image that says it is of a version which its kubeadm does not
// deploy.
func oldInName(t *testing.T) string {
	t.Helper()
	images, err := docker.Lines(t.Context(), "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "storm/node")
	if err != nil || len(images) == 0 {
		t.Fatalf("there is no node image: %v", err)
	}
	made, err := docker.Run(t.Context(), "create", images[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := docker.Run(context.Background(), "rm", "-v", made); err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(t.TempDir(), "version")
	if err := os.WriteFile(file, []byte("v1.30.0"), 0o644); err != nil {
		t.Fatal(err)
	}
	const name = "storm/test-node:old"
	for _, args := range [][]string{{"cp", file, made + ":/kind/version"}, {"commit", made, name}} {
		if _, err := docker.Run(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := docker.Run(context.Background(), "rmi", name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// TestRetainKeepsWhatItSays of a cluster that did not come up, at first or in a reset:
// the containers, and what they have mounted. The ledger has it all for a cleanup.
func TestRetainKeepsWhatItSays(t *testing.T) {
	wrong := map[string]string{"no-such-flag": "1"}
	for name, live := range map[string]func(t *testing.T, o kind.Options) error{
		"kind fails": func(t *testing.T, o kind.Options) error {
			o.NodeImage = oldInName(t)
			_, err := kind.Up(within(t, guard), o)
			return err
		},
		"a member fails": func(t *testing.T, o kind.Options) error {
			o.Spec.Etcd.Flags = wrong
			_, err := kind.Up(within(t, guard), o)
			return err
		},
		"a reset fails": func(t *testing.T, o kind.Options) error {
			c, err := kind.Up(within(t, guard), o)
			if err != nil {
				t.Fatal(err)
			}
			spec := c.Spec()
			spec.Etcd.Flags = wrong
			err = c.Reset(within(t, guard), spec)
			if closed := c.Close(context.Background()); closed != nil {
				t.Error(closed)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := kindtest.Options(t, clusters.Spec{})
			o.Retain = true
			said := ""
			o.Sink = func(e clusters.Event) {
				t.Log(e.Component, e.Text)
				if _, kept, ok := strings.Cut(e.Text, "kept are the containers "); ok {
					said = kept
				}
			}
			err := live(t, o)
			if err == nil {
				t.Fatal("it came up")
			}
			t.Log(err)
			keeps(t, o, said)
			if _, err := o.Ledger.PutBack(t.Context(), func(ledger.Entry) bool { return true }); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(o.Dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a cleanup leaves the cluster's directory: %v", err)
			}
		})
	}
}

// keeps checks that there is what is said to be kept: a node, a member, what they
// have mounted, and the cluster's directory.
func keeps(t *testing.T, o kind.Options, said string) {
	t.Helper()
	names, rest, ok := strings.Cut(said, ", and ")
	if !ok || !strings.Contains(names, "control-plane") || !strings.Contains(names, "etcd-main-0") || !strings.HasPrefix(rest, o.Dir+":") {
		t.Errorf("kept is said to be %q", said)
	}
	for _, name := range strings.Split(names, ", ") {
		mounts, err := docker.Lines(t.Context(), "inspect", "--format", `{{range .Mounts}}{{if eq .Type "bind"}}{{println .Source}}{{end}}{{end}}`, name)
		if err != nil {
			t.Error(err)
		}
		for _, source := range mounts {
			if _, err := os.Stat(source); source != "" && err != nil {
				t.Errorf("%s has mounted what is gone: %v", name, err)
			}
		}
	}
}

// TestAnInterruptedStartLeavesNothing ends a start in the middle of kind's work: also
// before kind has looked for the network, which it makes itself where it finds none.
func TestAnInterruptedStartLeavesNothing(t *testing.T) {
	for _, step := range []string{"Ensuring node image", "Preparing nodes", "Starting control-plane"} {
		t.Run(step, func(t *testing.T) {
			o := kindtest.Options(t, clusters.Spec{})
			name := kind.NameOf(o.Ledger.RunID())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o.Sink = func(e clusters.Event) {
				t.Log(e.Component, e.Text)
				if strings.HasPrefix(e.Text, "kind: "+step) && !strings.HasSuffix(e.Text, ": done") {
					cancel()
					awaitNoNetwork(t, name, step == "Ensuring node image")
				}
			}
			if c, err := kind.Up(ctx, o); err == nil || !errors.Is(err, context.Canceled) {
				t.Errorf("it came up: %v, %v", c, err)
			}
			for what, args := range map[string][]string{
				"container": {"ps", "-a", "--format", "{{.Names}}", "--filter", "label=" + docker.KindLabel + "=" + name},
				"network":   {"network", "ls", "--format", "{{.Name}}", "--filter", "name=" + name},
			} {
				if left, err := docker.Lines(t.Context(), args...); err != nil || len(left) > 0 {
					t.Errorf("left is the %s %v (%v)", what, left, err)
				}
			}
		})
	}
}

// awaitNoNetwork holds kind, whose step this is called from, until storm has taken the
// network away, so that kind makes one. A storm that waits for kind first does not.
func awaitNoNetwork(t *testing.T, name string, hold bool) {
	t.Helper()
	for began := time.Now(); hold && time.Since(began) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		if left, err := docker.Lines(t.Context(), "network", "ls", "-q", "--filter", "name="+name); err == nil && len(left) == 0 {
			return
		}
	}
}

// TestCleanupRemovesOnlyTheRunsOwn leaves a cluster's containers behind, as a storm and
// a supervisor that are killed at once do, a node of it on another network, which kind
// was making meanwhile, and a stranger beside them.
func TestCleanupRemovesOnlyTheRunsOwn(t *testing.T) {
	o := kindtest.Options(t, clusters.Spec{})
	run := o.Ledger.RunID()
	name := kind.NameOf(run)
	if err := o.Ledger.Intend(ledger.Containers, name); err != nil {
		t.Fatal(err)
	}
	docked := func(args ...string) string {
		t.Helper()
		out, err := docker.Run(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	docked("network", "create", "--label", docker.RunLabel+"="+run, name)
	own := []string{
		docked("create", "--label", docker.RunLabel+"="+run, "--network", name, kindtest.EmptyImage(t), "/x"),
		docked("create", "--label", docker.KindLabel+"="+name, "--network", name, kindtest.EmptyImage(t), "/x"),
		docked("create", "--label", docker.KindLabel+"="+name, kindtest.EmptyImage(t), "/x"),
	}
	kinds := docked("create", "--label", docker.KindLabel+"="+name+"-other", kindtest.EmptyImage(t), "/x")
	stranger := docked("create", "--network", name, kindtest.EmptyImage(t), "/x")
	t.Cleanup(func() {
		if _, err := docker.Run(context.Background(), "rm", "-f", kinds, stranger); err != nil && !docker.Says(err, "no such") {
			t.Error(err)
		}
	})
	all := func(ledger.Entry) bool { return true }
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// The network cannot go, so the ledger does not forget it.
	if found, err := o.Ledger.PutBack(ctx, all); err == nil || len(found) != 1 || found[0].Result != ledger.Failed || !strings.Contains(err.Error(), stranger[:12]) {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, id := range own {
		if _, err := docker.Run(t.Context(), "inspect", id); !docker.Says(err, "no such") {
			t.Errorf("the run's own is still there: %v", err)
		}
	}
	docked("rm", stranger)
	if found, err := o.Ledger.PutBack(t.Context(), all); err != nil || len(found) != 1 || found[0].Result != ledger.Removed {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := docker.Run(t.Context(), "inspect", kinds); err != nil {
		t.Errorf("what was another's is gone: %v", err)
	}
}
