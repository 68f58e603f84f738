//go:build kind

package kind_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
)

// TestAWorkerRunsPods and a reset ends them: in etcd, and on the worker.
func TestAWorkerRunsPods(t *testing.T) {
	c := kindtest.Up(t, clusters.Spec{Kubernetes: clusters.Kubernetes{Workers: 1}})
	worker := c.Name() + "-worker"
	runsOn(t, c, "first", worker)
	if err := c.Reset(within(t, guard), c.Spec()); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, c).CoreV1().Pods("default").Get(t.Context(), "first", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the pod outlived the reset: %v", err)
	}
	left, err := docker.Run(t.Context(), "exec", worker, "crictl", "pods", "--quiet")
	if err != nil || left != "" {
		t.Errorf("on the worker are still the pods %q (%v)", left, err)
	}
	runsOn(t, c, "second", worker)
	t.Run("an image that is loaded into its node", func(t *testing.T) { sideLoaded(t, c, worker) })
}

// sideLoaded loads an image of Docker's into a node, as `kind load docker-image`
// does, and runs it there.
func sideLoaded(t *testing.T, c *kind.Cluster, worker string) {
	images, err := docker.Lines(t.Context(), "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "storm/etcd")
	if err != nil || len(images) == 0 {
		t.Fatalf("there is no image of etcd: %v", err)
	}
	saved := filepath.Join(t.TempDir(), "saved.tar")
	if _, err := docker.Run(t.Context(), "save", "--output", saved, images[0]); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Open(saved)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	known, err := kindcluster.NewProvider(kindcluster.ProviderWithDocker()).ListNodes(c.Name())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(known, func(n nodes.Node) bool { return n.String() == worker })
	if at < 0 {
		t.Fatalf("kind does not know %s", worker)
	}
	if err := nodeutils.LoadImageArchive(known[at], archive); err != nil {
		t.Fatal(err)
	}
	runsImage(t, c, "side-loaded", worker, images[0], "etcd", "--data-dir=/data")
}

// runsOn makes a pod, and returns when the kubelet of that node says that it runs.
func runsOn(t *testing.T, c *kind.Cluster, name, node string) {
	t.Helper()
	runsImage(t, c, name, node, "registry.k8s.io/pause:3.10")
}

// runsImage is runsOn for an image that is in the node, and a command of it.
func runsImage(t *testing.T, c *kind.Cluster, name, node, image string, command ...string) {
	t.Helper()
	pods := client(t, c).CoreV1().Pods("default")
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "one", Image: image, Command: command, ImagePullPolicy: corev1.PullNever,
	}}}}
	// The namespace's service account comes a moment after the cluster.
	if err := acts.Until(within(t, soon), func(ctx context.Context) error {
		_, err := pods.Create(ctx, p, metav1.CreateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := acts.Until(within(t, soon), func(ctx context.Context) error {
		now, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.Status.Phase != corev1.PodRunning || now.Spec.NodeName != node {
			return errors.New("it is " + string(now.Status.Phase) + " on " + now.Spec.NodeName)
		}
		return nil
	}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
