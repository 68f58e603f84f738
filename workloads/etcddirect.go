package workloads

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// EtcdDirect is the load of an API server, put on etcd without one: the
// transactions, ranges, leases and watches of k8s.io/apiserver's storage/etcd3,
// on keys of storm's own. It shows what of a latency is etcd's, and takes an
// etcd further than API servers on the same machine could.
type EtcdDirect struct {
	OpenLoop `yaml:",inline"`
	Shard    string        `yaml:"shard" doc:"the etcd shard to load; main by default"`
	Mix      EtcdMix       `yaml:"mix" doc:"what the requests are, in shares that make 100%; by default 10% create, 40% update, 10% delete, 20% get, 5% list, 15% event"`
	Keys     int           `yaml:"keys" min:"2" max:"1000000" doc:"keys that are created, updated and deleted; half of them are there at the start; 1000 by default"`
	Size     unit.Sizes    `yaml:"size" doc:"bytes of a value; 1KiB by default"`
	Limit    int           `yaml:"limit" min:"1" max:"100000" doc:"keys a range of a list asks for, which follows the pages to the end at one revision; 500 by default"`
	TTL      unit.Duration `yaml:"ttl" min:"1s" doc:"time to live of events, in whole seconds; 1h by default, as an API server's"`
	Watches  int           `yaml:"watches" min:"0" max:"10000" doc:"watches of all of these keys, with previous values and progress notifications, as an API server's watch cache has one a resource; 1 by default"`

	members []*etcd.Client // opened by Prepare, closed by Run or Release
	keys    *keyspace
	from    int64 // the revision from which on the watches see everything
}

// EtcdMix is the mix of requests.
type EtcdMix struct {
	Create unit.Percent `yaml:"create" doc:"puts of a key that is not there: a transaction that compares its revision with 0"`
	Update unit.Percent `yaml:"update" doc:"puts of a key that is there: a transaction that compares its revision with the one known, and else reads it"`
	Delete unit.Percent `yaml:"delete" doc:"deletions, by a transaction like an update's"`
	Get    unit.Percent `yaml:"get" doc:"ranges of one key"`
	List   unit.Percent `yaml:"list" doc:"ranges of all keys, page by page"`
	Event  unit.Percent `yaml:"event" doc:"creations of a new key with a lease, which many share as in an API server; such a key is never touched again"`
	Put    unit.Percent `yaml:"put" doc:"plain puts, which an API server never makes and benchmarks of etcd do"`
}

// stockMix is what a scenario gets that names none.
var stockMix = EtcdMix{Create: .1, Update: .4, Delete: .1, Get: .2, List: .05, Event: .15}

// shares returns the mix in the order of the operations.
func (m EtcdMix) shares() [operations]unit.Percent {
	return [operations]unit.Percent{opCreate: m.Create, opUpdate: m.Update, opDelete: m.Delete, opGet: m.Get, opList: m.List, opEvent: m.Event, opPut: m.Put}
}

// mix is the mix that holds.
func (e *EtcdDirect) mix() EtcdMix {
	if e.Mix == (EtcdMix{}) {
		return stockMix
	}
	return e.Mix
}

func newEtcdDirect() Workload {
	return &EtcdDirect{
		OpenLoop: OpenLoop{InFlight: 1000, Timeout: unit.Duration(client.DefaultTimeout)},
		Shard:    "main", Keys: 1000, Size: unit.OneSize(1 << 10), Limit: 500, TTL: unit.Duration(time.Hour), Watches: 1,
	}
}

// Limits of the load on etcd. maxValue leaves room for the key.
const (
	maxKeys        = 1_000_000
	maxValue       = int64(requestLimit)
	maxLimit       = 100_000
	maxEtcdWatches = 10_000
	maxTTL         = 24 * time.Hour
)

// Check implements Workload.
func (e *EtcdDirect) Check() []string {
	problems := e.check()
	if e.Shard == "" {
		problems = append(problems, "shard: must be named, such as main")
	}
	sum := 0.0
	for _, share := range e.mix().shares() {
		sum += share.Fraction()
	}
	if sum < .9999 || sum > 1.0001 {
		problems = append(problems, fmt.Sprintf("mix: the shares make %s and not 100%%", unit.Percent(sum)))
	}
	if e.Keys < 2 || e.Keys > maxKeys {
		problems = append(problems, fmt.Sprintf("keys: %d is not between 2 and %d", e.Keys, maxKeys))
	}
	if e.Size.Most() > maxValue {
		problems = append(problems, fmt.Sprintf("size: %s is above the limit of %s, which is what etcd takes in one request", e.Size, unit.Size(maxValue)))
	}
	if e.Limit < 1 || e.Limit > maxLimit {
		problems = append(problems, fmt.Sprintf("limit: %d is not between 1 and %d", e.Limit, maxLimit))
	}
	switch ttl := e.TTL.D(); {
	case ttl < time.Second || ttl > maxTTL:
		problems = append(problems, fmt.Sprintf("ttl: %s is not between 1s and %s", e.TTL, unit.Duration(maxTTL)))
	case ttl%time.Second != 0:
		problems = append(problems, fmt.Sprintf("ttl: %s is not a whole number of seconds, which is all that a lease can hold", e.TTL))
	}
	if e.Watches < 0 || e.Watches > maxEtcdWatches {
		problems = append(problems, fmt.Sprintf("watches: %d is not between 0 and %d", e.Watches, maxEtcdWatches))
	}
	return problems
}

// Describe implements Workload.
func (e *EtcdDirect) Describe() string {
	var parts string
	for op, share := range e.mix().shares() {
		if share > 0 {
			if parts != "" {
				parts += ", "
			}
			parts += share.String() + " " + opNames[op].detail
		}
	}
	return fmt.Sprintf("Asks the members of etcd shard %s themselves, at %s, as an API server would: %s; values of %s, %s, watched %s.",
		e.Shard, e.Rate.Phrase(), parts, e.Size, unit.Count(e.Keys, "key"), unit.Count(e.Watches, "time"))
}

// etcdPrefix is where a load's keys are. No API server looks there.
func etcdPrefix(workload string) string { return "/storm/load/" + workload + "/" }

// Needs implements Needy.
func (e *EtcdDirect) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanEtcd} }

// Prepare implements Workload: it connects to every member and puts half of the
// keys there.
func (e *EtcdDirect) Prepare(ctx context.Context, env *Env) error {
	if env.Etcd == nil || env.Access.EtcdTLS == nil {
		return fmt.Errorf("workload %s: this cluster does not show its etcd to storm", env.Name)
	}
	urls, err := env.Etcd(e.Shard)
	if err != nil {
		return fmt.Errorf("workload %s: shard: %w", env.Name, err)
	}
	for _, url := range urls {
		m, err := etcd.Open(url, env.Access.EtcdTLS)
		if err != nil {
			return fmt.Errorf("workload %s: %w", env.Name, err)
		}
		e.members = append(e.members, m)
	}
	e.keys = newKeyspace(e.Keys)
	d := e.direct(env)
	var next atomic.Int64
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range 16 {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(e.Keys/2) && ctx.Err() == nil; n = next.Add(1) - 1 {
				slot := pace.Slot{N: uint64(n)}
				within, done := context.WithTimeout(ctx, e.Timeout.D())
				res := d.create(within, slot, d.draw(slot))
				done()
				if res.code != "" {
					cancel(fmt.Errorf("workload %s: its first keys: etcd answers %s", env.Name, res.code))
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	resp, err := e.members[0].KV().Range(ctx, &pb.RangeRequest{Key: []byte(d.prefix), CountOnly: true})
	if err != nil {
		return fmt.Errorf("workload %s: the revision of its first keys: %w", env.Name, err)
	}
	e.from = resp.Header.Revision + 1
	return nil
}

// Release implements Releaser.
func (e *EtcdDirect) Release() {
	for _, m := range e.members {
		m.Close()
	}
	e.members = nil
}

// direct makes what the requests of one run share.
func (e *EtcdDirect) direct(env *Env) *direct {
	d := &direct{EtcdDirect: e, env: env, prefix: etcdPrefix(env.Name), noise: make([]byte, max(e.Size.Most(), stampSize))}
	_, _ = rand.Read(d.noise) // never fails
	sum := 0.0
	for op, share := range e.mix().shares() {
		sum += share.Fraction()
		d.upTo[op] = sum
	}
	d.granted.ttl = int64(e.TTL.D() / time.Second)
	return d
}

// Run implements Workload.
func (e *EtcdDirect) Run(ctx context.Context, env *Env) error {
	if len(e.members) == 0 {
		return errors.New("workload " + env.Name + ": it has no connection to etcd: call Prepare first")
	}
	defer e.Release()
	d := e.direct(env)
	for op, n := range opNames {
		d.series[op] = env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: n.verb, Via: measure.LayerEtcd, Detail: n.detail})
	}
	d.grants = env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: "grant", Via: measure.LayerEtcd})
	var watches sync.WaitGroup
	for i := range e.Watches {
		w := newEtcdWatch(d, e.members[i%len(e.members)])
		watches.Go(func() { w.run(ctx) })
	}
	e.run(ctx, env, e.schedule(env.Seed), d.slot, func(s pace.Slot) *measure.Series { return d.series[d.draw(s).op] })
	watches.Wait()
	if n := d.cut.Load(); n > 0 {
		env.Log.Debug("requests cut off by the end of the load", "workload", env.Name, "cut", n)
	}
	return nil
}
