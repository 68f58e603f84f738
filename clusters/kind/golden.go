package kind

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/data"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/fairness"
	"github.com/storm-harness/storm/clusters/layers"
	"github.com/storm-harness/storm/clusters/objects"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// The golden copy is the members' data as it stood right after the first start,
// taken while all members are paused at once: what a crash would leave, or more,
// and that is what etcd recovers from by design. There is one of the bare cluster,
// one for each set of objects that a spec wants in it, and one for each population
// on that. Another topology or image is another cluster, which is made anew.

const (
	dataFolder   = "data"
	goldenFolder = "golden"
)

// dataDir is a member's data directory.
func (c *Cluster) dataDir(id clusters.ID) string {
	return filepath.Join(c.o.Dir, dataFolder, id.String())
}

// layers are the states of the adopted spec that have golden copies.
func (c *Cluster) layers(p clusters.Population) []layers.Layer {
	bare, furnished := c.keys()
	spec := layers.Layer{Key: furnished, Came: "furnished with objects of the spec", Make: c.furnish}
	return []layers.Layer{
		{Key: bare, Came: "made anew, since its topology or image is another", Make: c.fromNothing}, spec, layers.Filled(spec, p, c.settled, c.o.Sink),
	}
}

// keys name the golden copies of a topology with what runs it: of the bare cluster,
// and of the one with the spec's objects, which may be the same. Call it with the
// spec adopted.
func (c *Cluster) keys() (bare, furnished string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, s := range c.shards {
		fmt.Fprintf(&text, "%s %v %d %s %s\n", s.Name, s.Resources, len(s.members), s.Topology, c.binaries[s.Name].SHA256)
	}
	k := c.spec.Kubernetes
	// What controllers write at the start is in the copy: without any it is another.
	fmt.Fprintf(&text, "%s %d %d %t %t\n", c.image.id, *k.APIServer.Replicas, k.Workers, *k.ControllerManager.Replicas > 0, *k.Scheduler.Replicas > 0)
	named := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:8])
	}
	return named(text.String()), named(text.String() + fairness.Text(k) + objects.Text(k))
}

// copies are the golden copies of a cluster.
type copies struct{ *Cluster }

// Has implements layers.Copies.
func (c copies) Has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goldens[key]
}

// Start implements layers.Copies.
func (c copies) Start(ctx context.Context, key string) error {
	if err := c.putBack(ctx, key); err != nil {
		return fmt.Errorf("putting the golden copy back: %w", err)
	}
	if err := c.startAgain(ctx, time.Now()); err != nil {
		return &inPlaceError{err}
	}
	return nil
}

// Take implements layers.Copies: it copies the members' data while none of them
// moves.
func (c copies) Take(ctx context.Context, key string) (err error) {
	began := time.Now()
	to := filepath.Join(c.o.Dir, goldenFolder, key)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.everyBox(context.WithoutCancel(ctx), "unpause")) }()
	if err := c.everyBox(ctx, "pause"); err != nil {
		return err
	}
	if err := c.copyData(ctx, filepath.Join(c.o.Dir, dataFolder), to); err != nil {
		return errors.Join(err, os.RemoveAll(to))
	}
	c.mu.Lock()
	c.goldens[key] = true
	c.mu.Unlock()
	c.o.Sink(clusters.Event{Text: "golden copy taken in " + seconds(time.Since(began))})
	return nil
}

// Resume implements layers.Copies: nothing was stopped.
func (c copies) Resume(context.Context) error { return nil }

// everyBox pauses or unpauses the container of every member, of all of them also
// where one fails. A node may have members of several shards.
func (c *Cluster) everyBox(ctx context.Context, command string) error {
	var boxes []string
	for _, m := range c.allMembers() {
		if box := m.home().box; !slices.Contains(boxes, box) {
			boxes = append(boxes, box)
		}
	}
	errs := make([]error, len(boxes))
	var wg sync.WaitGroup
	for i, box := range boxes {
		wg.Go(func() {
			if _, err := docker.Run(ctx, command, box); !docker.Says(err, "is not paused") {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// furnish makes the objects that the spec wants in a bare cluster.
func (c *Cluster) furnish(ctx context.Context) error {
	spec := c.Spec()
	if err := fairness.Apply(ctx, c.Access().REST, c.servers(), spec.Kubernetes, c.o.Sink); err != nil {
		return err
	}
	return objects.Apply(ctx, c.Access().REST, spec.Kubernetes, c.o.Sink)
}

// settled waits for what controllers do in a new namespace; without controllers
// there is nothing to wait for.
func (c *Cluster) settled(ctx context.Context) error {
	if *c.Spec().Kubernetes.ControllerManager.Replicas == 0 {
		return nil
	}
	return ready.Settled(ctx, c.Access().REST)
}

// putBack replaces the data by a golden copy, and has it on the disk before
// anything starts: the first fsyncs of a trial must not pay for the copy.
func (c *Cluster) putBack(ctx context.Context, key string) error {
	to := filepath.Join(c.o.Dir, dataFolder) // it stays: nodes may have it mounted
	for _, m := range c.allMembers() {
		if err := os.RemoveAll(c.dataDir(m.ID())); err != nil {
			return err
		}
	}
	if err := c.copyData(ctx, filepath.Join(c.o.Dir, goldenFolder, key), to); err != nil {
		return err
	}
	d, err := os.Open(to)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// copyData copies every member's directory at once.
func (c *Cluster) copyData(ctx context.Context, from, to string) error {
	return each(ctx, c.allMembers(), func(ctx context.Context, m etcdMember) error {
		name := m.ID().String()
		return data.CopyTree(ctx, filepath.Join(from, name), filepath.Join(to, name))
	})
}

// dropLeases deletes the controllers' Leases, in whichever shard they are, before
// an apiserver starts: they would stall the next holders for as long as they are valid.
func (c *Cluster) dropLeases(ctx context.Context) error {
	c.mu.Lock()
	shards := c.shards
	c.mu.Unlock()
	for _, s := range shards {
		client, err := etcd.Open(s.members[0].clientURL(), c.Access().EtcdTLS)
		if err != nil {
			return err
		}
		for _, name := range ready.Elected {
			if err := client.Delete(ctx, "/registry/leases/kube-system/"+name); err != nil {
				client.Close()
				return fmt.Errorf("the lease %s in shard %s: %w", name, s.Name, err)
			}
		}
		client.Close()
	}
	return nil
}
