package acts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
)

// pollEvery is how often an observation is repeated until it shows what is
// waited for. It bounds how late a proof is noticed, not what is measured.
const pollEvery = 20 * time.Millisecond

// askFor bounds one question to one member, so that a dead one cannot hold up
// the others' answers for ever; on a busy machine the first, with its TLS
// handshake, takes a while.
const askFor = 2 * time.Second

// Shard watches the members of one etcd cluster, each over a connection of its
// own: what they say of themselves is what counts.
type Shard struct {
	Name    string
	members []clusters.Component
	clients map[clusters.ID]*etcd.Client
}

// OpenShard connects to the members of a shard. Close it after use.
func OpenShard(c clusters.Cluster, name string) (*Shard, error) {
	if name == "" {
		name = clusters.MainShard
	}
	s := &Shard{Name: name, members: clusters.OfKind(c, clusters.KindEtcd, name), clients: map[clusters.ID]*etcd.Client{}}
	if len(s.members) == 0 {
		return nil, fmt.Errorf("there is no shard %q", name)
	}
	for _, m := range s.members {
		client, err := etcd.Open(m.Endpoints().Client, c.Access().EtcdTLS)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("%s: %w", m.ID(), err)
		}
		s.clients[m.ID()] = client
	}
	return s, nil
}

// Close ends the connections.
func (s *Shard) Close() {
	for _, c := range s.clients {
		c.Close()
	}
}

// Members are the shard's components, in order.
func (s *Shard) Members() []clusters.Component { return s.members }

// Client is the connection to one member.
func (s *Shard) Client(m clusters.Component) *etcd.Client { return s.clients[m.ID()] }

// Others are the members but one.
func (s *Shard) Others(not clusters.Component) []clusters.Component {
	var out []clusters.Component
	for _, m := range s.members {
		if m.ID() != not.ID() {
			out = append(out, m)
		}
	}
	return out
}

// Status asks one member about itself, briefly.
func (s *Shard) Status(ctx context.Context, m clusters.Component) (etcd.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	return s.clients[m.ID()].Status(ctx)
}

// Leader returns the member that says of itself that it leads, and is
// believed: the one of the highest term.
func (s *Shard) Leader(ctx context.Context) (clusters.Component, uint64, error) {
	var leader clusters.Component
	var term uint64
	var errs []error
	for _, m := range s.members {
		st, err := s.Status(ctx, m)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.ID(), err))
			continue
		}
		if st.Leader != 0 && st.Leader == st.MemberID && st.Term > term {
			leader, term = m, st.Term
		}
	}
	if leader == nil {
		return nil, 0, fmt.Errorf("no member of shard %s says that it leads%w", s.Name, joined(errs))
	}
	return leader, term, nil
}

// Led is Leader, asked until a member says that it leads: a busy one may take its time,
// or an election be under way.
func (s *Shard) Led(ctx context.Context) (leader clusters.Component, term uint64, err error) {
	err = patiently(ctx, func(ctx context.Context) (err error) {
		leader, term, err = s.Leader(ctx)
		return err
	})
	return leader, term, err
}

// patientStatus is Status, asked until the member answers.
func (s *Shard) patientStatus(ctx context.Context, m clusters.Component) (st etcd.Status, err error) {
	err = patiently(ctx, func(ctx context.Context) (err error) {
		st, err = s.Status(ctx, m)
		return err
	})
	return st, err
}

// patiently is Until, for a minute at most.
func patiently(ctx context.Context, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return Until(ctx, look)
}

// AwaitLeader waits until a member other than not leads with a term above the
// given one, and a majority of the shard follows it.
func (s *Shard) AwaitLeader(ctx context.Context, not clusters.Component, above uint64) (clusters.Component, uint64, error) {
	var leader clusters.Component
	var term uint64
	err := Until(ctx, func(ctx context.Context) error {
		follows := map[uint64]int{}
		ids := map[uint64]clusters.Component{}
		for _, m := range s.Others(not) {
			st, err := s.Status(ctx, m)
			if err != nil {
				continue
			}
			ids[st.MemberID] = m
			if st.Term > above {
				follows[st.Leader]++
				term = max(term, st.Term)
			}
		}
		for id, n := range follows {
			if m, known := ids[id]; known && n > len(s.members)/2 {
				leader = m
				return nil
			}
		}
		return fmt.Errorf("no new leader that a majority follows (term above %d)", above)
	})
	return leader, term, err
}

// AwaitJoined waits until every member follows one leader, has applied what
// the leader had committed when it was asked, and answers a linearizable read.
func (s *Shard) AwaitJoined(ctx context.Context) (string, error) {
	var said string
	err := Until(ctx, func(ctx context.Context) error {
		leader, term, err := s.Leader(ctx)
		if err != nil {
			return err
		}
		lead, err := s.Status(ctx, leader)
		if err != nil {
			return fmt.Errorf("%s: %w", leader.ID(), err)
		}
		for _, m := range s.members {
			st, err := s.Status(ctx, m)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", m.ID(), err)
			case st.Leader != lead.MemberID:
				return fmt.Errorf("%s does not follow %s", m.ID(), leader.ID())
			case st.AppliedIndex < lead.Committed:
				return fmt.Errorf("%s has applied %d of %d entries", m.ID(), st.AppliedIndex, lead.Committed)
			}
			rctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			err = s.clients[m.ID()].Health(rctx)
			cancel()
			if err != nil {
				return fmt.Errorf("%s: linearizable read: %w", m.ID(), err)
			}
		}
		said = fmt.Sprintf("all %d members follow %s in term %d and have applied its log", len(s.members), leader.ID(), term)
		return nil
	})
	return said, err
}

// Until repeats look until it returns nil; when ctx ends first, it returns the
// last thing that look complained of.
func Until(ctx context.Context, look func(context.Context) error) error {
	return UntilEvery(ctx, pollEvery, look)
}

// UntilEvery is Until for a look that costs something: it is repeated no more
// often than that.
func UntilEvery(ctx context.Context, every time.Duration, look func(context.Context) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var last error
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", last, ctx.Err())
		case <-ticker.C:
		}
	}
}

// joined returns the errors as one, behind a colon, or an empty error.
func joined(errs []error) error {
	if len(errs) == 0 {
		return errors.New("")
	}
	return fmt.Errorf(": %w", errors.Join(errs...))
}
