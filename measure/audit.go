package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// Restore says that a shard's data went back to a snapshot.
type Restore struct {
	Shard    string
	Revision int64 // of the snapshot: acknowledged writes above it must be gone
	At       int64 // ns since the clock's origin, when the old members were stopped
}

// Audit draws the account of all writes done so far: it reads every key back
// from etcd itself, linearizably, and the ConfigMaps through every apiserver
// as well, and returns an entry a path: Via says how the keys were written.
// after names the act before it, or "end". restores lists all restores of the
// trial so far.
//
// Every acknowledged write is counted once, as Found, Lost, Restored or
// Mismatch. It is found where etcd holds its key at the revision of the
// acknowledgement: revisions are compared, never values, and each key is
// written once. What counts is what etcd holds. Keys on which the apiservers'
// answers differ from it count as Disagree: after a restore a LIST may well be
// wrong. Where no etcd is shown to the journal, what counts is a consistent list
// of one apiserver, which asks etcd; Disagree is then about the others.
//
// An etcd member that fails is passed over for the next. A path that could not
// be read back before ctx ended has no entry, and the error says so: what was
// not measured is not passed.
func (j *Journal) Audit(ctx context.Context, after string, restores []Restore) ([]rundir.Audit, error) {
	var out []rundir.Audit
	var errs []error
	for _, p := range j.paths {
		a, err := j.auditPath(ctx, p, restores)
		if err != nil {
			errs = append(errs, fmt.Errorf("audit after %s: %w", after, err))
			continue
		}
		a.After = after
		out = append(out, a)
	}
	return out, errors.Join(errs...)
}

func (j *Journal) auditPath(ctx context.Context, p *path, restores []Restore) (rundir.Audit, error) {
	p.mu.Lock()
	writes := slices.Clone(p.writes)
	p.mu.Unlock()
	stored, holder, err := j.stored(ctx, p)
	if err != nil {
		return rundir.Audit{}, err
	}
	b := account(p, writes, stored, restores)
	b.holder = holder
	if p.via == LayerAPI {
		for _, c := range j.api {
			if err := b.compare(ctx, c, j.o.Namespace, writes, stored); err != nil {
				return rundir.Audit{}, fmt.Errorf("read back through %s: %w", c.target.Component, err)
			}
		}
	}
	return b.audit(), nil
}

// stored returns what is held of a path's keys, and who says so: the shard, or
// where etcd is not shown the first apiserver that answers a consistent list.
func (j *Journal) stored(ctx context.Context, p *path) (held map[string]int64, holder string, err error) {
	members := j.members(p.shard)
	if p.via == LayerAPI && len(j.etcd) == 0 {
		return j.listed(ctx, p)
	}
	if held, err = readKeys(ctx, members, p.prefix); err != nil {
		return nil, "", fmt.Errorf("read %s back from shard %s: %w", p.prefix, p.shard, err)
	}
	return held, "etcd", nil
}

// listed is stored where only apiservers can be asked.
func (j *Journal) listed(ctx context.Context, p *path) (held map[string]int64, holder string, err error) {
	attempt := 0
	held, err = eventually(ctx, func(ctx context.Context) (map[string]int64, error) {
		c := j.api[attempt%len(j.api)]
		attempt++
		holder = c.target.Component
		out := map[string]int64{}
		return out, c.list(ctx, j.o.Namespace, func(name string, revision int64) { out[p.prefix+name] = revision })
	})
	if err != nil {
		return nil, "", fmt.Errorf("list the ConfigMaps of %s: %w", j.o.Namespace, err)
	}
	return held, holder, nil
}

// fate is what the restores so far must have made of an acknowledged write.
type fate int

const (
	standing  fate = iota // no restore came after it
	kept                  // it was in each snapshot
	maybeGone             // it was under way while the old members were stopped
	gone                  // a restore took it back
)

func fateOf(shard string, w write, restores []Restore) fate {
	f := standing
	for _, r := range restores {
		switch {
		case r.Shard != shard || w.intended >= r.At:
		case w.revision <= r.Revision:
			f = max(f, kept)
		case w.done > r.At:
			f = max(f, maybeGone)
		default:
			f = gone
		}
	}
	return f
}

// maxExamples is how many keys of each kind an audit names.
const maxExamples = 5

// books is an audit as it is drawn up.
type books struct {
	rundir.Audit
	path     *path
	holder   string // who says what is held
	examples map[string][]string
	disagree map[string]bool // keys, by name
}

// account compares what was acknowledged with what is stored: by key, the
// revision at which etcd holds it.
func account(p *path, writes []write, stored map[string]int64, restores []Restore) *books {
	b := &books{Audit: rundir.Audit{Via: p.via, Shard: p.shard}, path: p, examples: map[string][]string{}, disagree: map[string]bool{}}
	for _, w := range writes {
		switch {
		case w.refused:
		case w.revision == 0:
			b.Unknown++
		default:
			b.Acked++
			key := p.prefix + p.name(w.n)
			b.judge(key, w, stored[key], fateOf(p.shard, w, restores))
		}
	}
	return b
}

// judge counts one acknowledged write; at is the revision that etcd holds the
// key at, 0 where it is not there.
func (b *books) judge(key string, w write, at int64, f fate) {
	acked := fmt.Sprintf("%s, acknowledged at revision %d, %v into the trial,", key, w.revision, time.Duration(w.done).Round(time.Millisecond))
	switch {
	case at != 0 && at != w.revision:
		b.Lost++
		b.example("lost", acked+fmt.Sprintf(" is there at revision %d", at))
	case at != 0 && f == gone:
		b.Mismatch++
		b.example("mismatch", acked+" is newer than the snapshot, and there")
	case at != 0:
		b.Found++
	case f == gone || f == maybeGone:
		b.Restored++
	case f == kept:
		b.Mismatch++
		b.example("mismatch", acked+" is older than the snapshot, and not there")
	default:
		b.Lost++
		b.example("lost", acked+" is not there")
	}
}

func (b *books) example(kind, text string) {
	if len(b.examples[kind]) < maxExamples {
		b.examples[kind] = append(b.examples[kind], kind+": "+text)
	}
}

func (b *books) audit() rundir.Audit {
	b.Disagree = len(b.disagree)
	for _, kind := range []string{"lost", "mismatch", "disagree"} {
		b.Examples = append(b.Examples, b.examples[kind]...)
	}
	return b.Audit
}

// compare lists the ConfigMaps through one apiserver, and asks for those that
// the list lacks or shows at another revision than etcd holds one by one.
func (b *books) compare(ctx context.Context, c *apiConn, namespace string, writes []write, stored map[string]int64) error {
	listed, err := eventually(ctx, func(ctx context.Context) (map[string]int64, error) {
		m := map[string]int64{}
		return m, c.list(ctx, namespace, func(name string, revision int64) { m[name] = revision })
	})
	if err != nil {
		return err
	}
	for _, w := range writes {
		name := b.path.name(w.n)
		at := stored[b.path.prefix+name]
		if w.revision == 0 || listed[name] == at {
			continue
		}
		b.disagree[name] = true
		if len(b.examples["disagree"]) >= maxExamples {
			continue
		}
		got, err := eventually(ctx, func(ctx context.Context) (int64, error) { return c.get(ctx, namespace, name) })
		if err != nil {
			return err
		}
		b.example("disagree", fmt.Sprintf("%s: %s has it at revision %d, %s lists it at %d and gets it at %d (0: not at all)",
			name, b.holder, at, c.target.Component, listed[name], got))
	}
	return nil
}
