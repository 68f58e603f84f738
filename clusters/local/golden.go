package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/data"
	"github.com/storm-harness/storm/clusters/fairness"
	"github.com/storm-harness/storm/clusters/layers"
	"github.com/storm-harness/storm/clusters/objects"
	"github.com/storm-harness/storm/clusters/ready"
)

// The golden copy is the members' data as it stood right after the first
// start: once for each topology, set of versions, and set of the scenario's own
// objects, in golden/KEY, and once more with each population on that. A trial
// that starts from it starts from the same keys as every other.
//
// It is taken without stopping a member or an apiserver. The controllers are
// killed and their Leases deleted, which would stall the next ones for as long
// as they are valid; then all members are frozen at once, copied, and let go.
// A frozen process leaves in its files what a crash would leave, or more, and
// that is what etcd recovers from by design.

// layers are the states of the adopted spec that have golden copies.
func (c *Cluster) layers(p clusters.Population) []layers.Layer {
	bare := layers.Layer{Key: c.goldenKey(), Came: "started from nothing, since its topology, versions or objects are new", Make: c.fromNothing}
	return []layers.Layer{bare, layers.Filled(bare, p, c.settled, c.o.Sink)}
}

// fromNothing starts the adopted spec without any data, with everything serving
// and the objects that it wants.
func (c *Cluster) fromNothing(ctx context.Context) error {
	if err := os.RemoveAll(filepath.Join(c.o.Dir, dataFolder)); err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	if err := ready.Held(ctx, c.Access().REST, c.Spec()); err != nil {
		return err
	}
	if err := fairness.Apply(ctx, c.Access().REST, c.servers(), c.Spec().Kubernetes, c.o.Sink); err != nil {
		return err
	}
	return objects.Apply(ctx, c.Access().REST, c.Spec().Kubernetes, c.o.Sink)
}

// settled waits for what controllers do in a new namespace; without controllers
// there is nothing to wait for.
func (c *Cluster) settled(ctx context.Context) error {
	if len(c.handles(clusters.KindControllerManager)) == 0 {
		return nil
	}
	return ready.Settled(ctx, c.Access().REST)
}

// copies are the golden copies of a cluster.
type copies struct{ *Cluster }

// Has implements layers.Copies.
func (c copies) Has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.golden[key]
}

// Start implements layers.Copies.
func (c copies) Start(ctx context.Context, key string) error {
	if err := c.putBack(ctx, key); err != nil {
		return fmt.Errorf("putting the golden copy back: %w", err)
	}
	return c.start(ctx)
}

// Take implements layers.Copies: it ends the controllers and copies the members'
// data.
func (c copies) Take(ctx context.Context, key string) error {
	began := time.Now()
	if err := each(ctx, c.handles(controllers...), func(ctx context.Context, h *component) error { return h.Stop(ctx, 0) }); err != nil {
		return err
	}
	if err := c.dropLeases(ctx); err != nil {
		return err
	}
	if err := c.copyFrozen(ctx, c.goldenDir(key)); err != nil {
		return errors.Join(err, os.RemoveAll(c.goldenDir(key)))
	}
	c.mu.Lock()
	c.golden[key] = true
	c.mu.Unlock()
	c.o.Sink(clusters.Event{Text: "golden copy taken in " + seconds(time.Since(began))})
	return nil
}

// Resume implements layers.Copies.
func (c copies) Resume(ctx context.Context) error { return c.startAll(ctx, time.Now(), controllers...) }

// controllers are what a golden copy must not hold the Leases of.
var controllers = []clusters.Kind{clusters.KindControllerManager, clusters.KindScheduler}

// dropLeases deletes the Leases of the controllers, which do not run.
func (c *Cluster) dropLeases(ctx context.Context) error {
	leases, err := c.leases()
	if err != nil {
		return err
	}
	for _, name := range ready.Elected {
		if err := leases.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("lease %s: %w", name, err)
		}
	}
	return nil
}

// copyFrozen copies the data of all members while none of them moves.
func (c *Cluster) copyFrozen(ctx context.Context, to string) (err error) {
	members := c.handles(clusters.KindEtcd)
	defer func() {
		thaw := func(ctx context.Context, h *component) error { return h.Signal(ctx, syscall.SIGCONT) }
		err = errors.Join(err, each(context.WithoutCancel(ctx), members, thaw))
	}()
	if err := each(ctx, members, func(ctx context.Context, h *component) error {
		if err := h.Signal(ctx, syscall.SIGSTOP); err != nil {
			return err
		}
		return awaitFrozen(ctx, h.State().PID)
	}); err != nil {
		return err
	}
	return c.copyData(ctx, filepath.Join(c.o.Dir, dataFolder), to)
}

// goldenKey names a topology with its versions: data is exchangeable between
// equals only. Call it with the spec adopted.
func (c *Cluster) goldenKey() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, s := range c.layout.shards {
		fmt.Fprintf(&text, "%s %v %s %s\n", s.Name, s.Resources, initialCluster(s), c.binaries[etcdKey(s.Name)].SHA256)
	}
	for _, kind := range []clusters.Kind{clusters.KindAPIServer, clusters.KindControllerManager, clusters.KindScheduler} {
		fmt.Fprintf(&text, "%s\n", c.binaries[string(kind)].SHA256)
	}
	text.WriteString(fairness.Text(c.spec.Kubernetes) + objects.Text(c.spec.Kubernetes))
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

func (c *Cluster) goldenDir(key string) string { return filepath.Join(c.o.Dir, goldenFolder, key) }

// copyData copies every member's directory at once.
func (c *Cluster) copyData(ctx context.Context, from, to string) error {
	return each(ctx, c.handles(clusters.KindEtcd), func(ctx context.Context, h *component) error {
		return data.CopyTree(ctx, filepath.Join(from, h.id.String()), filepath.Join(to, h.id.String()))
	})
}
