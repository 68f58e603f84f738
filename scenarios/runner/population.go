package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// reset brings the cluster back to where the trial begins. populated says that
// what lasting loads make is there already.
func (r *run) reset(ctx context.Context, spec scenarios.Trial, at Progress) (populated bool, err error) {
	c, keeps := r.cluster.(clusters.Populated)
	if !keeps {
		return false, r.cluster.Reset(ctx, spec.Cluster)
	}
	p, err := r.population(spec, at)
	if err != nil {
		return false, err
	}
	return true, c.ResetTo(ctx, spec.Cluster, p)
}

// population is what the lasting loads of a trial make. Its seed is the run's, so
// that it is the same in every block. Profiles with different clusters have it each
// of their own: how an object is stored, encrypted or snapshotted is the profile's.
func (r *run) population(spec scenarios.Trial, at Progress) (clusters.Population, error) {
	var lasting []scenarios.Workload
	key := sha256.New()
	for _, load := range spec.Workloads {
		l, ok := load.Load.(workloads.Lasting)
		if !ok {
			continue
		}
		text, err := l.Population()
		if err != nil {
			return clusters.Population{}, fmt.Errorf("load %s: %w", load.Name, err)
		}
		lasting = append(lasting, load)
		fmt.Fprintf(key, "%q %q\n", load.Name, text)
	}
	if len(lasting) == 0 {
		return clusters.Population{}, nil
	}
	on, err := json.Marshal(spec.Cluster)
	if err != nil {
		return clusters.Population{}, fmt.Errorf("the cluster of a population: %w", err)
	}
	key.Write(on)
	return clusters.Population{
		Key: hex.EncodeToString(key.Sum(nil)[:8]),
		Fill: func(ctx context.Context, settled func(context.Context) error) error {
			return r.fill(ctx, lasting, at, settled)
		},
	}, nil
}

// fill makes what lasting loads make, and waits until that is settled. Components must
// live through it, but for what loses its lease to a server with so much to write:
// that is started again.
func (r *run) fill(ctx context.Context, lasting []scenarios.Workload, at Progress, settled func(context.Context) error) error {
	ctx, end := context.WithCancel(ctx)
	f := &filling{alive: ctx, cluster: r.cluster}
	r.told(ctx)
	r.takeExits() // what the reset killed
	r.apart(func() { r.filling = f })
	defer func() {
		r.apart(func() { r.filling = nil })
		end()
		f.again.Wait()
	}()
	if err := r.write(ctx, lasting, at); err != nil {
		return err
	}
	r.o.Observe(at)
	if err := errors.Join(settled(ctx), f.err()); err != nil {
		return err
	}
	if ended := r.takeExits(); len(ended) > 0 {
		return fmt.Errorf("while the cluster was being filled %s", strings.Join(ended, "; "))
	}
	return nil
}

// write has lasting loads make what they make.
func (r *run) write(ctx context.Context, lasting []scenarios.Workload, at Progress) error {
	for i, load := range lasting {
		tell := func(text string) {
			filling := at
			filling.Phase = "filling the cluster: " + text
			r.o.Observe(filling)
		}
		tell(load.Name)
		env, err := r.env(load.Name, measure.NewClock(), 0, i, everySecond(func(done, total int) {
			tell(fmt.Sprintf("%s, %s of %s", load.Name, unit.Grouped(done), unit.Grouped(total)))
		}))
		if err != nil {
			return err
		}
		if err := prepare(ctx, load, env); err != nil {
			return err
		}
	}
	return nil
}

// filling is a population being made: it starts again what ends by itself meanwhile.
type filling struct {
	alive   context.Context // until it is made
	cluster clusters.Cluster
	again   sync.WaitGroup

	mu   sync.Mutex
	errs []error // of starts
}

// ended hears that a component has lost its lease.
func (f *filling) ended(id clusters.ID) {
	f.again.Go(func() {
		if _, err := startAgain(f.alive, f.cluster, id); err != nil && f.alive.Err() == nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.errs = append(f.errs, fmt.Errorf("%s ended by itself while the cluster was being filled, and could not be started again: %w", id, err))
		}
	})
}

// err is why something could not be started again.
func (f *filling) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.errs...)
}

// env is what a load works with, but for what only a trial has. index is its place
// among the loads: of several API servers they begin with one each, and in another
// block with the next, whatever the profile.
func (r *run) env(load string, clock *measure.Clock, block, index int, progress func(done, total int)) (*workloads.Env, error) {
	config := measure.Unthrottled(clusters.Balanced(r.cluster, uint64(block+index)))
	config.UserAgent = "storm/" + load
	if err := measure.CheckUnthrottled(config); err != nil {
		return nil, fmt.Errorf("load %s: %w", load, err)
	}
	return &workloads.Env{
		Name: load, Access: r.cluster.Access(), Admin: config, Clock: clock, Seed: seedOf(r.o.Seed, block, load),
		RunID: r.o.RunID, Log: r.o.Log, Progress: progress,
	}, nil
}

// prepare has a load make what it needs.
func prepare(ctx context.Context, load scenarios.Workload, env *workloads.Env) error {
	if err := workloads.Identify(ctx, env); err != nil {
		return err
	}
	if err := load.Load.Prepare(ctx, env); err != nil {
		return fmt.Errorf("preparing load %s: %w", load.Name, err)
	}
	return nil
}

// everySecond passes on how far something is, now and then.
func everySecond(tell func(done, total int)) func(done, total int) {
	told := time.Now()
	return func(done, total int) {
		if time.Since(told) > time.Second {
			told = time.Now()
			tell(done, total)
		}
	}
}
