package measure

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/internal/rundir"
)

// LeaderWatch asks every etcd member for its own status at an interval, and
// marks what changes: a shard's leader, and its alarms.
//
// A change of leader is an event of its own kind: a member leads that did not
// lead before, or the same one in a later term. That a shard has no leader is a
// note beside it, so that the events of that kind are the changes.
type LeaderWatch struct {
	marks    *Marks
	clock    *Clock
	interval time.Duration
	conns    []*etcdConn

	mu     sync.Mutex
	shards map[string]*shardView
}

// shardView is what is known of a shard from its members' statuses.
type shardView struct {
	size    int                   // members there are
	members map[string]memberView // by component: those that answer
	names   map[uint64]string     // component by member id, as the members named themselves
	leader  uint64                // the last that was seen to lead; 0: none yet
	term    uint64                // in which it was
	lost    bool                  // a loss was marked since
	alarms  map[string]bool       // as etcd writes them
}

func newShardView() *shardView {
	return &shardView{members: map[string]memberView{}, names: map[uint64]string{}, alarms: map[string]bool{}}
}

// memberView is what a member said last.
type memberView struct {
	at     int64  // when; a member that does not answer is silent after a while
	id     uint64 // its own
	term   uint64
	leader uint64
	alarms []string // as etcd writes them: "memberID:123 alarm:NOSPACE "
}

// silentAfter is how many intervals an answer is believed.
const silentAfter = 5

// NewLeaderWatch watches the members; an interval of 0 means 100 ms.
func NewLeaderWatch(clock *Clock, marks *Marks, interval time.Duration, members []EtcdTarget) (*LeaderWatch, error) {
	w := &LeaderWatch{clock: clock, marks: marks, interval: cmp.Or(interval, 100*time.Millisecond), shards: map[string]*shardView{}}
	for _, t := range members {
		conn, err := dialEtcd(t, clock)
		if err != nil {
			w.close()
			return nil, fmt.Errorf("leader watch: %w", err)
		}
		w.conns = append(w.conns, conn)
		if w.shards[t.Shard] == nil {
			w.shards[t.Shard] = newShardView()
		}
		w.shards[t.Shard].size++
	}
	return w, nil
}

// Run watches until ctx ends, and returns nil.
func (w *LeaderWatch) Run(ctx context.Context) error {
	defer w.close()
	var wg sync.WaitGroup
	for _, c := range w.conns {
		wg.Go(func() { w.poll(ctx, c) })
	}
	wg.Wait()
	return nil
}

// Leader returns the component that was last seen to lead the shard and its
// term; ok is false while no member that answers leads.
func (w *LeaderWatch) Leader(shard string) (component string, term uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.shards[shard]
	if v == nil || v.leader == 0 {
		return "", 0, false
	}
	return v.name(v.leader), v.term, !v.lost
}

func (w *LeaderWatch) poll(ctx context.Context, c *etcdConn) {
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, silentAfter*w.interval)
		s, err := c.status(once)
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.take(c.target, s, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// take notes what a member said, or that it said nothing, and marks what that
// changes.
func (w *LeaderWatch) take(t EtcdTarget, s *pb.StatusResponse, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	v := w.shards[t.Shard]
	if err == nil {
		v.names[s.Header.GetMemberId()] = t.Component
		v.members[t.Component] = memberView{at: now, id: s.Header.GetMemberId(), term: s.RaftTerm, leader: s.Leader, alarms: s.Errors}
	} else {
		delete(v.members, t.Component)
	}
	for _, e := range v.update(t.Shard, now, silentAfter*int64(w.interval)) {
		w.marks.Mark(e)
	}
}

// update works the events out that the members' last words amount to.
func (v *shardView) update(shard string, now, silent int64) []rundir.Event {
	maps.DeleteFunc(v.members, func(_ string, m memberView) bool { return now-m.at > silent })
	if len(v.members) == 0 {
		// Nobody answers, so nobody leads; of the alarms nothing is known.
		return v.leaderEvents(shard, 0, 0, now)
	}
	// The leader is who says so of itself, in the latest term that anybody
	// knows: a leader that is cut off goes on in its old term, and followers
	// believe in a leader that is dead until they miss its heartbeats.
	var term, leader uint64
	for _, m := range v.members {
		if m.term > term {
			term, leader = m.term, 0
		}
		if m.term == term && m.leader == m.id {
			leader = m.id
		}
	}
	return append(v.leaderEvents(shard, term, leader, now), v.alarmEvents(shard, now)...)
}

func (v *shardView) leaderEvents(shard string, term, leader uint64, now int64) []rundir.Event {
	note := func(text string) []rundir.Event {
		return []rundir.Event{{At: now, Kind: rundir.EventNote, Subject: shard, Text: text}}
	}
	switch {
	case leader == 0 && (v.leader == 0 || v.lost):
		return nil
	case leader == 0:
		v.lost = true
		return note("no member that answers leads; the last to lead was " + v.name(v.leader))
	case v.leader == 0:
		v.leader, v.term = leader, term
		return note(fmt.Sprintf("%s leads, in term %d", v.name(leader), term))
	case leader == v.leader && term == v.term && v.lost:
		v.lost = false
		return note(v.name(leader) + " still leads")
	case leader == v.leader && term == v.term:
		return nil
	case term < v.term && len(v.members) < v.size:
		return nil // those who know better are silent; a restore, though, begins anew with all
	}
	text := v.name(v.leader) + " → " + v.name(leader)
	if leader == v.leader || v.name(leader) == v.name(v.leader) {
		text = v.name(leader) + " again"
	}
	e := rundir.Event{
		At: now, Kind: rundir.EventLeaderChange, Subject: shard, Text: text,
		Data: map[string]string{"term": strconv.FormatUint(term, 10), "oldTerm": strconv.FormatUint(v.term, 10)},
	}
	v.leader, v.term, v.lost = leader, term, false
	return []rundir.Event{e}
}

// name returns the component of a member id.
func (v *shardView) name(id uint64) string {
	return cmp.Or(v.names[id], "member "+strconv.FormatUint(id, 16))
}

func (v *shardView) alarmEvents(shard string, now int64) []rundir.Event {
	seen := map[string]bool{}
	for _, m := range v.members {
		for _, text := range m.alarms {
			if _, ok := v.alarm(text); ok {
				seen[text] = true
			}
		}
	}
	var out []rundir.Event
	changed := func(from, to map[string]bool, state string) {
		for _, text := range slices.Sorted(maps.Keys(to)) {
			if name, _ := v.alarm(text); !from[text] {
				out = append(out, rundir.Event{At: now, Kind: rundir.EventAlarm, Subject: shard, Text: name + " " + state, Data: map[string]string{"state": state}})
			}
		}
	}
	changed(v.alarms, seen, "raised")
	changed(seen, v.alarms, "cleared")
	v.alarms = seen
	return out
}

// alarm reads an error of a status, "memberID:123 alarm:NOSPACE ", and returns
// "NOSPACE on etcd-main-0". Others, such as that there is no leader, are no
// alarms.
func (v *shardView) alarm(text string) (string, bool) {
	words := strings.Fields(text)
	if len(words) != 2 {
		return "", false
	}
	member, ok1 := strings.CutPrefix(words[0], "memberID:")
	kind, ok2 := strings.CutPrefix(words[1], "alarm:")
	id, err := strconv.ParseUint(member, 10, 64)
	if !ok1 || !ok2 || err != nil {
		return "", false
	}
	return kind + " on " + v.name(id), true
}

func (w *LeaderWatch) close() {
	for _, c := range w.conns {
		c.close()
	}
}
