// Package image builds the images that clusters in containers need, where no
// registry can be reached: kind's node image from Go modules and Debian packages,
// images of etcd for shards, and a load balancer for several control planes.
//
// Each step is resumed where it was cut off: binaries are in the cache of
// components, the Debian file system is a file of this package's cache, and an
// image has a label with the digest of all that it is made of. A step whose
// outcome is there is said to be, and costs nothing.
//
//	~/.cache/storm/kind-image/base-bookworm-KEY.tar   the Debian file system
//	~/.cache/storm/kind-image/base-bookworm-KEY.sum   its digest
//	~/.cache/storm/kind-image/aside/                  what is being made now
//	~/.cache/storm/kind-image/lock                    held while images are built
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/kind/machine"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/flock"
)

// Options say what is to be built.
type Options struct {
	Kubernetes string   // v1.36.3, or v1.36 for the newest at hand
	Etcd       []string // versions to have images of for shards, such as v3.6.16
	NodeEtcd   string   // the etcd on a node; by default the version that kubeadm asks for
	Mirror     string   // URL of a Debian mirror; mmdebstrap's own by default
}

// builder builds images.
type builder struct {
	Options
	store      *components.Store
	sink       clusters.Sink
	dir, aside string
}

// Build builds what is missing and returns the names of all images, the node's
// first.
func Build(ctx context.Context, o Options, sink clusters.Sink) (names []string, err error) {
	b := &builder{Options: o, sink: sink}
	if b.store, err = components.Open(components.Options{}); err != nil {
		return nil, err
	}
	b.dir = filepath.Join(filepath.Dir(b.store.Dir()), "kind-image")
	b.aside = filepath.Join(b.dir, "aside")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cache of images: %w: see to its directory, or set STORM_CACHE_DIR", err)
	}
	unlock, err := flock.Hold(ctx, filepath.Join(b.dir, "lock"), func(holder string) {
		b.say("waiting for %s, which is building images", holder)
	})
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := b.clear(ctx); err != nil {
		return nil, err
	}
	if err := os.Mkdir(b.aside, 0o755); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.aside)) }()
	return b.all(ctx)
}

// all runs the steps.
func (b *builder) all(ctx context.Context) (names []string, err error) {
	var m materials
	var base debian
	steps := []struct {
		name string
		run  func() error
	}{
		{"kind's source", func() error { m.kind, err = findKind(ctx); return err }},
		{"binaries of a node", func() error { return b.nodeBinaries(ctx, &m) }},
		{"binaries of etcd", func() error { return b.etcdBinaries(ctx, &m) }},
		{"storm's own binaries", func() error { return b.ownBinaries(ctx, &m) }},
		{"Debian file system", func() error { base, err = b.base(ctx); return err }},
		{"base image", func() error { return b.importBase(ctx, base) }},
		{"images", func() error {
			recipes, err := m.recipes()
			if err != nil {
				return err
			}
			for _, r := range recipes {
				if err := b.make(ctx, base, r); err != nil {
					return fmt.Errorf("%s: %w", r.tag, err)
				}
				names = append(names, r.tag)
			}
			return b.lendName(ctx, m.kind.balancer)
		}},
	}
	for _, s := range steps {
		began := time.Now()
		if err := s.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		b.say("%s: done in %.1fs", s.name, time.Since(began).Seconds())
	}
	return names, nil
}

// clear removes what a killed predecessor left. The cache is locked.
func (b *builder) clear(ctx context.Context) error {
	if err := os.RemoveAll(b.aside); err != nil {
		return err
	}
	left, err := docker.Lines(ctx, "ps", "--all", "--quiet", "--filter", "name=^/?"+b.workshop()+"$")
	if err != nil || len(left) == 0 {
		return err
	}
	b.say("removing the container %s, which a build left", b.workshop())
	_, err = docker.Lines(ctx, "rm", "--force", "--volumes", b.workshop())
	return err
}

// workshop is the name of the container that an image is made in. It is this
// cache's own, whose lock is held.
func (b *builder) workshop() string {
	sum := sha256.Sum256([]byte(b.dir))
	return "storm-kind-image-" + hex.EncodeToString(sum[:6])
}

// install installs a Debian package where the user allows that.
func (b *builder) install(ctx context.Context, program string) error {
	if os.Getenv(machine.OptIn) != "1" || os.Geteuid() != 0 {
		return fmt.Errorf("there is no %s: install it (Debian: apt-get install %s), or let storm do it, as root, on a machine that you can throw away: %s=1", program, program, machine.OptIn)
	}
	return machine.Install(ctx, b.say, program)
}

func (b *builder) say(format string, args ...any) {
	b.sink(clusters.Event{Component: "kind-image", Text: fmt.Sprintf(format, args...)})
}
