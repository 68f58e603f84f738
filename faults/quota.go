package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// QuotaBreach fills a shard through the apiserver until etcd raises NOSPACE
// and refuses writes: large objects, updated again and again, so that the
// space is held by history, as it is when a controller runs wild. Compaction,
// defragmentation and disarming repair it.
type QuotaBreach struct {
	Shard      string    `yaml:"shard" doc:"the shard to fill; main by default; it must hold configmaps or events"`
	ObjectSize unit.Size `yaml:"objectSize" doc:"how large each written object is; 400KiB by default"`
	AtMost     unit.Size `yaml:"atMost" doc:"give up after writing that much; 1GiB by default"`
}

const (
	quotaWriters       = 4
	quotaDefaultObject = 400 << 10
	quotaDefaultBound  = 1 << 30
	quotaPatience      = time.Minute // without a write of any writer's that is taken
	quotaPause         = 100 * time.Millisecond
)

// Check implements acts.Act.
func (f *QuotaBreach) Check() []string {
	var problems []string
	if s := f.ObjectSize.Bytes(); s != 0 && (s < 1<<10 || s > 1<<20) {
		problems = append(problems, fmt.Sprintf("objectSize: must lie between 1KiB and 1MiB (etcd takes at most 1.5 MiB a request), is %s", f.ObjectSize))
	}
	return problems
}

// Describe implements acts.Act.
func (f *QuotaBreach) Describe() string {
	return fmt.Sprintf("fill shard %s through the apiserver until etcd raises NOSPACE and refuses writes", f.Shard)
}

// BuildsUp implements acts.Gradual.
func (f *QuotaBreach) BuildsUp() {}

// Needs implements acts.Act.
func (f *QuotaBreach) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanEtcd} }

// Aim implements acts.Act.
func (f *QuotaBreach) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	shard, err := acts.OpenShard(env.Cluster, f.Shard)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(env.Cluster.Access().REST)
	config.UserAgent = "storm/quota-breach"
	config.Timeout = 10 * time.Second
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		shard.Close()
		return nil, err
	}
	b := &breached{shard: shard, env: env, object: int(f.ObjectSize), bound: f.AtMost.Bytes()}
	if b.object == 0 {
		b.object = quotaDefaultObject
	}
	if b.bound == 0 {
		b.bound = quotaDefaultBound
	}
	if b.filler, err = fillerFor(env.Cluster.Spec(), shard.Name, client, env.RunID); err != nil {
		shard.Close()
		return nil, err
	}
	return b, nil
}

// breached is a shard whose quota is breached.
type breached struct {
	shard   *acts.Shard
	env     *acts.Env
	filler  *filler
	object  int
	bound   int64
	written atomic.Int64
	refused atomic.Int64
	healed  bool
	proven  bool         // that it is healed
	began   atomic.Int64 // when the first write was refused, by the trial's clock
	took    time.Duration
}

// Target implements acts.Aimed.
func (b *breached) Target() acts.Target {
	return acts.Target{Shard: b.shard.Name, Name: "shard " + b.shard.Name, Began: b.began.Load(), Facts: map[string]float64{
		"writtenBytes": float64(b.written.Load()), "fillSeconds": b.took.Seconds(), "refusedWrites": float64(b.refused.Load()),
	}}
}

// Inject implements acts.Aimed: it writes until a write is refused for want of
// space.
func (b *breached) Inject(ctx context.Context) error {
	if err := b.filler.prepare(ctx); err != nil {
		return fmt.Errorf("namespace for the filling objects: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	errs := make([]error, quotaWriters)
	var full atomic.Bool
	var tried, good atomic.Int64 // bytes, those whose writes had no answer included; when the last one was taken, ns since the start
	var wg sync.WaitGroup
	for w := range quotaWriters {
		wg.Go(func() {
			defer stop() // the first to end ends the others
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for ctx.Err() == nil && tried.Add(int64(b.object)) <= b.bound {
				err := b.filler.write(ctx, w, text(random, b.object))
				switch {
				case acts.IsNoSpace(err):
					if b.began.CompareAndSwap(0, b.env.Clock.Now()) && b.env.Bites != nil {
						b.env.Bites()
					}
					b.refused.Add(1)
					full.Store(true)
					return
				case err == nil:
					b.written.Add(int64(b.object))
					good.Store(time.Since(start).Nanoseconds())
				case ctx.Err() != nil:
					return
				case hopeless(err), time.Since(start)-time.Duration(good.Load()) > quotaPatience:
					errs[w] = err
					return
				default: // large writes are slow, and some too slow
					select {
					case <-time.After(quotaPause):
					case <-ctx.Done():
					}
				}
			}
		})
	}
	wg.Wait()
	b.took = time.Since(start)
	if full.Load() {
		return nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("after %s: %w", unit.Size(b.written.Load()), err)
	}
	return fmt.Errorf("wrote %s and no write was refused: set a smaller quota (cluster.etcd.quota)", unit.Size(b.written.Load()))
}

// hopeless says whether a write that failed would fail again.
func hopeless(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsRequestEntityTooLargeError(err)
}

// Prove implements acts.Aimed: etcd's alarm list has NOSPACE, and a write
// through the apiserver is refused for it.
func (b *breached) Prove(ctx context.Context) (string, error) {
	err := acts.Until(ctx, func(ctx context.Context) error {
		alarms, err := b.shard.Alarms(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(alarms, acts.NoSpace) {
			return errors.New("the alarm list does not have NOSPACE")
		}
		switch err := b.filler.write(ctx, 0, "x"); {
		case err == nil:
			return errors.New("a write through the apiserver was taken")
		case !acts.IsNoSpace(err):
			return fmt.Errorf("a write through the apiserver was refused, but not for want of space: %w", err)
		}
		b.refused.Add(1)
		return nil
	})
	return fmt.Sprintf("after %s in %s the alarm list has NOSPACE, and the apiserver's writes are refused: database space exceeded",
		unit.Size(b.written.Load()), b.took.Round(100*time.Millisecond)), err
}

// Heal implements acts.Aimed: it removes the objects, and repairs the shard
// where no operation has.
func (b *breached) Heal(ctx context.Context) error {
	removed := b.filler.remove(ctx)
	if err := errors.Join(removed, b.repair(ctx)); err != nil {
		return err
	}
	b.healed = true
	b.close()
	return nil
}

// repair makes room in the shard, unless the alarm is gone.
func (b *breached) repair(ctx context.Context) error {
	alarms, err := b.shard.Alarms(ctx)
	if err != nil || !slices.Contains(alarms, acts.NoSpace) {
		return err
	}
	if _, err := b.shard.Compact(ctx); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if _, err := b.shard.Defrag(ctx); err != nil {
		return fmt.Errorf("defrag: %w", err)
	}
	_, err = b.shard.Disarm(ctx)
	return err
}

// close closes the connections once nothing is left to do on them: where the
// timeline heals, the proof comes before the objects are removed.
func (b *breached) close() {
	if b.healed && b.proven {
		b.shard.Close()
	}
}

// ProveHealed implements acts.Aimed: the alarm list is empty, and a write
// through the apiserver is taken.
func (b *breached) ProveHealed(ctx context.Context) (string, error) {
	err := acts.Until(ctx, func(ctx context.Context) error {
		alarms, err := b.shard.Alarms(ctx)
		if err != nil {
			return err
		}
		if len(alarms) > 0 {
			return fmt.Errorf("the alarm list still has %v", alarms)
		}
		return b.filler.write(ctx, 0, "repaired")
	})
	if err == nil {
		b.proven = true
		b.close()
	}
	return "the alarm list is empty, and a write through the apiserver is taken", err
}

// text returns n letters; random, so that nothing on the way can shrink them.
func text(random *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(random.UintN(26))
	}
	return string(b)
}
