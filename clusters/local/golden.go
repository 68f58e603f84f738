package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
)

// Reset implements clusters.Cluster. The golden copy is taken, once for each
// topology and set of versions, when a Reset first needs it: from the cluster
// as it first stood, or from a new one.
func (c *Cluster) Reset(ctx context.Context, spec clusters.Spec) error {
	spec = spec.Defaulted()
	if problems := Check(spec); len(problems) > 0 {
		return fmt.Errorf("%s", problems[0])
	}
	began := time.Now()
	if c.pristine {
		if err := c.takeGolden(ctx); err != nil {
			return fmt.Errorf("golden copy: %w", err)
		}
	}
	if err := c.stopAll(ctx, 0); err != nil {
		return err
	}
	if err := c.adopt(ctx, spec); err != nil {
		return err
	}
	key := c.goldenKey()
	if !c.golden[key] {
		if err := c.makeGolden(ctx); err != nil {
			return fmt.Errorf("golden copy of a new topology: %w", err)
		}
	}
	stopped := time.Since(began)
	if err := c.putBack(ctx, key); err != nil {
		return fmt.Errorf("putting the golden copy back: %w", err)
	}
	copied := time.Since(began)
	if err := c.start(ctx); err != nil {
		return err
	}
	c.o.Sink(clusters.Event{Text: fmt.Sprintf("back to the golden copy in %.1fs (stop %.1fs, copy %.1fs, start %.1fs)",
		time.Since(began).Seconds(), stopped.Seconds(), (copied - stopped).Seconds(), (time.Since(began) - copied).Seconds())})
	return nil
}

// goldenKey names a topology with its versions: data is only exchangeable
// between equals.
func (c *Cluster) goldenKey() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, sh := range c.spec.AllShards() {
		fmt.Fprintf(&text, "%s %d %v %s\n", sh.Name, sh.Members, sh.Resources, c.binaries["etcd "+sh.Name].SHA256)
	}
	for _, kind := range []clusters.Kind{clusters.KindAPIServer, clusters.KindControllerManager} {
		fmt.Fprintf(&text, "%s\n", c.binaries[string(kind)].SHA256)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// makeGolden starts the adopted spec from nothing, and takes its golden copy.
func (c *Cluster) makeGolden(ctx context.Context) error {
	if err := os.RemoveAll(filepath.Join(c.o.Dir, "data")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(c.o.Dir, "data"), 0o700); err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	return c.takeGolden(ctx)
}

// takeGolden stops the cluster in an order that leaves its data at rest, and
// copies that.
func (c *Cluster) takeGolden(ctx context.Context) error {
	c.o.Sink(clusters.Event{Text: "taking the golden copy"})
	if err := each(ctx, c.handles(clusters.KindControllerManager, clusters.KindScheduler), func(h *component) error { return h.Stop(ctx, 5*time.Second) }); err != nil {
		return err
	}
	if err := c.dropLeases(ctx); err != nil {
		return err
	}
	// An apiserver keeps nothing, and with open watches it takes a minute to
	// end in good order.
	if err := each(ctx, c.handles(clusters.KindAPIServer), func(h *component) error { return h.Stop(ctx, 0) }); err != nil {
		return err
	}
	if err := each(ctx, c.handles(clusters.KindEtcd), func(h *component) error { return h.Stop(ctx, 10*time.Second) }); err != nil {
		return err
	}
	key := c.goldenKey()
	if err := c.copyData(ctx, filepath.Join(c.o.Dir, "data"), c.goldenDir(key)); err != nil {
		return err
	}
	c.golden[key], c.pristine = true, false
	return nil
}

func (c *Cluster) goldenDir(key string) string { return filepath.Join(c.o.Dir, "golden", key) }

// putBack replaces the data by the golden copy, and has it on the disk before
// anything starts: the first fsyncs of a trial must not pay for the copy.
func (c *Cluster) putBack(ctx context.Context, key string) error {
	data := filepath.Join(c.o.Dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := c.copyData(ctx, c.goldenDir(key), data); err != nil {
		return err
	}
	d, err := os.Open(data)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// copyData copies every member's directory.
func (c *Cluster) copyData(ctx context.Context, from, to string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range c.handles(clusters.KindEtcd) {
		g.Go(func() error {
			return copyTree(ctx, filepath.Join(from, h.id.String()), filepath.Join(to, h.id.String()))
		})
	}
	return g.Wait()
}

// stopAll stops everything at once.
func (c *Cluster) stopAll(ctx context.Context, grace time.Duration) error {
	return each(ctx, c.handles(clusters.KindEtcd, clusters.KindAPIServer, clusters.KindControllerManager, clusters.KindScheduler),
		func(h *component) error { return h.Stop(ctx, grace) })
}

// each does the same to several components at once.
func each(ctx context.Context, handles []*component, do func(*component) error) error {
	g, _ := errgroup.WithContext(ctx)
	for _, h := range handles {
		g.Go(func() error {
			if err := do(h); err != nil {
				return fmt.Errorf("%s: %w", h.id, err)
			}
			return nil
		})
	}
	return g.Wait()
}
