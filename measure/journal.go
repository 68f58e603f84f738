package measure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
)

// JournalOptions say where the witness writes.
type JournalOptions struct {
	Clock    *Clock
	Recorder *Recorder
	Sink     func(rundir.Write) // takes every write as it is done
	RunID    string             // in the keys
	Etcd     []EtcdTarget       // every member of every shard; none where etcd is not storm's to write to
	API      []APITarget
	// Namespace is an existing namespace that holds nothing but the witness's
	// ConfigMaps, and APIShard the shard that stores them: "main" if empty.
	Namespace string
	APIShard  string
	// Prefix is where apiservers keep their objects in etcd: "/registry" if empty.
	Prefix string

	Rate     float64       // writes a second on each path; 0 means 20
	Deadline time.Duration // after its intended time a write is given up; 0 means 2 s
}

// WitnessRate is how many writes the witness makes a second on each path where
// nothing else is said.
const WitnessRate = 20.0

// Journal is the witness: apart from the load and the probes it writes unique
// keys, to each etcd shard directly and through the apiservers, and remembers
// which of them were acknowledged. Audit then looks for them.
//
// Each write is tried once, so that an answer is about this write and no
// other. Where it fails for want of a server, the next write of the path goes
// to the next endpoint.
type Journal struct {
	o     JournalOptions
	paths []*path
	etcd  []*etcdConn
	api   []*apiConn
}

// path is one way of writing: to a shard of etcd, or through the apiservers.
type path struct {
	via, shard string
	rec        *Series
	prefix     string // of the keys in etcd
	name       func(n uint64) string
	endpoints  int
	write      func(ctx context.Context, endpoint int, name string) (revision int64, code string)
	notApplied func(code string) bool

	at atomic.Int64 // the endpoint in use, counted up without end

	mu     sync.Mutex
	writes []write
}

// write is what became of one write. There may be very many.
type write struct {
	n              uint64
	intended, done int64
	revision       int64 // of the acknowledgement; 0: none
	refused        bool  // certainly not applied
}

// NewJournal opens nothing yet: connections are made by the first writes.
// Call Run once, and Close after the last Audit.
func NewJournal(o JournalOptions) (*Journal, error) {
	o.APIShard = cmp.Or(o.APIShard, "main")
	o.Prefix = cmp.Or(o.Prefix, "/registry")
	o.Rate = cmp.Or(o.Rate, WitnessRate)
	o.Deadline = cmp.Or(o.Deadline, 2*time.Second)
	j := &Journal{o: o}
	for _, t := range o.Etcd {
		conn, err := dialEtcd(t, o.Clock)
		if err != nil {
			j.Close()
			return nil, fmt.Errorf("journal: %w", err)
		}
		j.etcd = append(j.etcd, conn)
	}
	for _, t := range o.API {
		conn, err := dialAPI(t, o.RunID)
		if err != nil {
			j.Close()
			return nil, fmt.Errorf("journal: %w", err)
		}
		j.api = append(j.api, conn)
	}
	var shards []string
	for _, c := range j.etcd {
		if !slices.Contains(shards, c.target.Shard) {
			shards = append(shards, c.target.Shard)
		}
	}
	for _, s := range shards {
		j.paths = append(j.paths, j.etcdPath(s))
	}
	if len(j.api) > 0 {
		j.paths = append(j.paths, j.apiPath())
	}
	return j, nil
}

func (j *Journal) etcdPath(shard string) *path {
	conns := j.members(shard)
	prefix := "/storm/witness/" + j.o.RunID + "/" + shard + "/"
	return &path{
		via: LayerEtcd, shard: shard, prefix: prefix, endpoints: len(conns), notApplied: etcdNotApplied,
		rec:  j.o.Recorder.Series(rundir.Key{Workload: rundir.WorkloadWitness, Via: LayerEtcd, Verb: "put", Detail: shard}),
		name: func(n uint64) string { return fmt.Sprintf("%010d", n) },
		write: func(ctx context.Context, endpoint int, name string) (int64, string) {
			rev, err := conns[endpoint].put(ctx, prefix+name, name)
			return rev, EtcdCode(err)
		},
	}
}

func (j *Journal) apiPath() *path {
	first := objectName("witness-" + j.o.RunID + "-")
	return &path{
		via: LayerAPI, shard: j.o.APIShard, endpoints: len(j.api), notApplied: apiNotApplied,
		prefix: strings.TrimSuffix(j.o.Prefix, "/") + "/configmaps/" + j.o.Namespace + "/",
		rec:    j.o.Recorder.Series(rundir.Key{Workload: rundir.WorkloadWitness, Verb: "create", Resource: "configmaps", Scope: "resource"}),
		name:   func(n uint64) string { return fmt.Sprintf("%s%010d", first, n) },
		write: func(ctx context.Context, endpoint int, name string) (int64, string) {
			rev, err := j.api[endpoint].create(ctx, j.o.Namespace, name, name)
			return rev, APICode(err)
		},
	}
}

// members returns the connections to a shard's members.
func (j *Journal) members(shard string) []*etcdConn {
	var out []*etcdConn
	for _, c := range j.etcd {
		if c.target.Shard == shard {
			out = append(out, c)
		}
	}
	return out
}

// Run writes until ctx ends. It always returns nil: a write that fails is
// noted, and Audit draws the account.
func (j *Journal) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for i, p := range j.paths {
		start := j.o.Clock.Now() + int64(float64(i)*float64(time.Second)/j.o.Rate/float64(len(j.paths)))
		pacer := pace.Pacer{
			Clock: j.o.Clock, Start: start, Schedule: pace.Constant(j.o.Rate),
			InFlight: int(j.o.Rate*j.o.Deadline.Seconds()) + 8,
		}
		wg.Go(func() {
			pacer.Run(ctx, func(ctx context.Context, slot pace.Slot) { j.one(ctx, p, slot) }, func(slot pace.Slot) {
				p.rec.Record(slot.Intended, slot.Intended, j.o.Clock.Now(), CodeRefused, 0)
			})
		})
	}
	wg.Wait()
	return nil
}

// one makes one write. A write that is under way when ctx ends is seen
// through: what it did to the cluster is as real as that of any other.
func (j *Journal) one(ctx context.Context, p *path, slot pace.Slot) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), j.o.Clock.At(slot.Intended).Add(j.o.Deadline))
	defer cancel()
	name, at := p.name(slot.N), p.at.Load()
	sent := j.o.Clock.Now()
	rev, code := p.write(ctx, int(at%int64(p.endpoints)), name)
	w := write{n: slot.N, intended: slot.Intended, done: j.o.Clock.Now(), revision: rev, refused: code != "" && p.notApplied(code)}
	if code != "" && !blameless(code) {
		p.at.CompareAndSwap(at, at+1) // one failure moves on once, however many find it
	}
	p.rec.Record(w.intended, sent, w.done, code, 0)
	p.mu.Lock()
	p.writes = append(p.writes, w)
	p.mu.Unlock()
	j.o.Sink(rundir.Write{
		Intended: w.intended, Done: w.done, Via: p.via, Shard: p.shard,
		Key: p.prefix + name, Revision: rev, Err: code, Refused: w.refused,
	})
}

// blameless codes say nothing against the endpoint: another would answer alike.
func blameless(code string) bool {
	switch code {
	case CodeNoSpace, "too-many-requests", "too-large", "429":
		return true
	}
	return false
}

// Close closes the connections.
func (j *Journal) Close() {
	for _, c := range j.etcd {
		c.close()
	}
	for _, c := range j.api {
		c.close()
	}
}
