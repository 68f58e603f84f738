package operations

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// Restore takes every shard of a backup back to its snapshot: all members from
// one file. The revision is bumped above what any client has seen, and the
// history below marked as compacted, so that watchers relist instead of
// silently missing events; `bump: none` is the plain way, which does not.
// Apiservers are down meanwhile, and start again with empty caches.
type Restore struct {
	From string `yaml:"from" doc:"the backup, by the name of its step; the last one by default"`
	Bump string `yaml:"bump" doc:"auto: above everything seen; none: the plain way, for showing what it breaks; or a number to add to the revision"`
}

// bumpMargin is added to what auto finds necessary: writes that were in flight
// when the revision was read.
const bumpMargin = 1_000_000

// Check implements acts.Act.
func (o *Restore) Check() []string {
	if o.Bump == "auto" || o.Bump == "none" {
		return nil
	}
	if n, err := strconv.ParseInt(o.Bump, 10, 64); err != nil || n < 1 {
		return []string{fmt.Sprintf("bump: %q is neither auto, none, nor a number above 0", o.Bump)}
	}
	return nil
}

// Describe implements acts.Act.
func (o *Restore) Describe() string {
	how := "the revision bumped above everything seen and marked compacted"
	switch o.Bump {
	case "auto":
	case "none":
		how = "the plain way: the revision is not bumped"
	default:
		how = "the revision bumped by " + o.Bump + " and marked compacted"
	}
	return "restore all members of every shard from the snapshot of the backup (" + how + "), then start the apiservers again"
}

// Needs implements acts.Act.
func (o *Restore) Needs() []clusters.Capability {
	return []clusters.Capability{clusters.CanData, clusters.CanRestart}
}

// restored is what a restore did to one shard.
type restored struct {
	snapshot int64 // revision of the snapshot
	seen     int64 // revision that clients had seen before
	bump     int64
}

// Aim implements acts.Act.
func (o *Restore) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	restorer, ok := env.Cluster.(clusters.Restorer)
	if !ok {
		return nil, errors.New("this cluster's data cannot be replaced")
	}
	bundle, err := o.bundle(env)
	if err != nil {
		return nil, err
	}
	return &restoring{env: env, restorer: restorer, bundle: bundle, bump: o.bump, shards: map[string]*restored{}, took: map[string]time.Duration{}}, nil
}

func (o *Restore) bundle(env *acts.Env) (acts.Backup, error) {
	if len(env.Backups) == 0 {
		return acts.Backup{}, errors.New("there is no backup to restore: put a backup operation before it")
	}
	if o.From != "" {
		b, ok := env.Backups[o.From]
		if !ok {
			return acts.Backup{}, fmt.Errorf("there is no backup %q, only %s", o.From, strings.Join(slices.Sorted(maps.Keys(env.Backups)), ", "))
		}
		return b, nil
	}
	return env.Backups[env.LastBackup], nil
}

func (o *Restore) bump(r *restored) int64 {
	switch o.Bump {
	case "none":
		return 0
	case "auto":
		return r.seen - r.snapshot + bumpMargin
	}
	n, _ := strconv.ParseInt(o.Bump, 10, 64) // Check has seen it
	return n
}

// restoring is a restore under way or done.
type restoring struct {
	env      *acts.Env
	restorer clusters.Restorer
	bundle   acts.Backup
	bump     func(*restored) int64
	shards   map[string]*restored
	took     map[string]time.Duration
}

// note keeps what clients have seen of a shard, from its leader.
func (r *restoring) note(ctx context.Context, name string, snapshot int64) error {
	return onShard(r.env, name, func(s *acts.Shard) error {
		leader, _, err := s.Led(ctx)
		if err != nil {
			return err
		}
		st, err := s.Status(ctx, leader)
		if err != nil {
			return err
		}
		r.shards[name] = &restored{snapshot: snapshot, seen: st.Revision}
		r.shards[name].bump = r.bump(r.shards[name])
		return nil
	})
}

// Inject implements acts.Aimed: it stops the apiservers and the members,
// replaces the data, and starts all.
func (r *restoring) Inject(ctx context.Context) error {
	c, bundle := r.env.Cluster, r.bundle
	for name, rev := range bundle.Revisions {
		if err := r.note(ctx, name, rev); err != nil {
			return fmt.Errorf("shard %s: %w", name, err)
		}
	}
	apiservers := clusters.OfKind(c, clusters.KindAPIServer, "")
	var members []clusters.Component
	for _, name := range slices.Sorted(maps.Keys(bundle.Snapshots)) {
		members = append(members, clusters.OfKind(c, clusters.KindEtcd, name)...)
	}
	// An apiserver with open watches takes a minute to stop in good order, and
	// nothing of its state is kept: it is killed. A member is stopped in good
	// order, though its data is thrown away: the witness may still be told of
	// writes until it is gone.
	stopped := time.Now()
	if err := each(ctx, apiservers, func(ctx context.Context, h clusters.Restarter) error { return h.Stop(ctx, 0) }); err != nil {
		return fmt.Errorf("stopping the apiservers: %w", err)
	}
	if err := each(ctx, members, func(ctx context.Context, h clusters.Restarter) error { return h.Stop(ctx, 5*time.Second) }); err != nil {
		return fmt.Errorf("stopping the members: %w", err)
	}
	for name, s := range r.shards {
		r.env.Restored(acts.Restore{Act: r.env.Act, Shard: name, Revision: s.snapshot, At: r.env.Clock.Now()})
	}
	r.took["stop"] = time.Since(stopped)

	start := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for _, m := range members {
		g.Go(func() error {
			shard := m.ID().Shard
			if err := r.restorer.RestoreMember(gctx, m.ID(), bundle.Snapshots[shard], r.shards[shard].bump); err != nil {
				return fmt.Errorf("%s: %w", m.ID(), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("restoring the data: %w", err)
	}
	r.took["restore"] = time.Since(start)

	start = time.Now()
	if err := startAll(ctx, members); err != nil {
		return fmt.Errorf("starting the members: %w", err)
	}
	r.took["etcd"] = time.Since(start)
	start = time.Now()
	if err := startAll(ctx, apiservers); err != nil {
		return fmt.Errorf("starting the apiservers: %w", err)
	}
	r.took["apiserver"] = time.Since(start)
	return nil
}

// Target implements acts.Aimed. Nothing counts as down: a restore is over
// when everything answers again.
func (r *restoring) Target() acts.Target {
	facts := map[string]float64{}
	for step, d := range r.took {
		facts["seconds."+step] = d.Seconds()
	}
	for name, s := range r.shards {
		facts["snapshotRevision."+name], facts["seenRevision."+name], facts["bump."+name] = float64(s.snapshot), float64(s.seen), float64(s.bump)
	}
	return acts.Target{Shard: clusters.EveryShard, Name: "every member of " + strings.Join(slices.Sorted(maps.Keys(r.shards)), ", "), Facts: facts}
}

// Prove implements acts.Aimed: every member's revision is where the restore
// puts it, and what clients had seen is answered with "compacted" (bumped), or
// lies in the future (plain).
func (r *restoring) Prove(ctx context.Context) (string, error) {
	var said []string
	for _, name := range slices.Sorted(maps.Keys(r.shards)) {
		s := r.shards[name]
		err := onShard(r.env, name, func(sh *acts.Shard) error {
			return acts.Until(ctx, func(ctx context.Context) error { return r.look(ctx, sh, s) })
		})
		if err != nil {
			return "", fmt.Errorf("shard %s: %w", name, err)
		}
		text := fmt.Sprintf("%s went back to revision %d", name, s.snapshot)
		if s.bump > 0 {
			text += fmt.Sprintf(", counted from %d on; revision %d, which clients had seen, is answered with \"compacted\"", s.snapshot+s.bump, s.seen)
		} else {
			text += fmt.Sprintf(", while clients had seen %d", s.seen)
		}
		said = append(said, text)
	}
	return strings.Join(said, "; "), nil
}

func (r *restoring) look(ctx context.Context, sh *acts.Shard, s *restored) error {
	for _, m := range sh.Members() {
		st, err := sh.Status(ctx, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.ID(), err)
		}
		if st.Revision < s.snapshot+s.bump {
			return fmt.Errorf("%s is at revision %d, want %d or more", m.ID(), st.Revision, s.snapshot+s.bump)
		}
		if s.bump == 0 {
			continue
		}
		gone, err := sh.Client(m).Compacted(ctx, s.seen)
		if err != nil {
			return fmt.Errorf("%s: %w", m.ID(), err)
		}
		if !gone {
			return fmt.Errorf("%s does not call revision %d compacted", m.ID(), s.seen)
		}
	}
	return nil
}

// Heal implements acts.Aimed: whatever is stopped is started, so that a
// restore that failed half-way leaves running processes.
func (r *restoring) Heal(ctx context.Context) error {
	var stopped []clusters.Component
	for _, c := range r.env.Cluster.Components() {
		if !c.State().Running {
			stopped = append(stopped, c)
		}
	}
	return startAll(ctx, stopped)
}

// ProveHealed implements acts.Aimed.
func (r *restoring) ProveHealed(ctx context.Context) (string, error) {
	if err := acts.AwaitHealthy(ctx, r.env.Cluster); err != nil {
		return "", err
	}
	return "every member answers a linearizable read, every apiserver a consistent one", nil
}

// each does the same to all components at once.
func each(ctx context.Context, components []clusters.Component, do func(context.Context, clusters.Restarter) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range components {
		h, ok := c.(clusters.Restarter)
		if !ok {
			return fmt.Errorf("%s cannot be restarted on this cluster", c.ID())
		}
		g.Go(func() error {
			if err := do(ctx, h); err != nil {
				return fmt.Errorf("%s: %w", c.ID(), err)
			}
			return nil
		})
	}
	return g.Wait()
}

// startAll starts all components at once and waits until each is ready:
// members of a shard get ready only together.
func startAll(ctx context.Context, components []clusters.Component) error {
	if err := each(ctx, components, func(ctx context.Context, h clusters.Restarter) error {
		return h.Start(ctx, clusters.Change{})
	}); err != nil {
		return err
	}
	return each(ctx, components, func(ctx context.Context, h clusters.Restarter) error { return h.Ready(ctx) })
}
