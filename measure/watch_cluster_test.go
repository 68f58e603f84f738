//go:build cluster

package measure

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/internal/rundir"
)

func TestLeaderWatchSeesTheKillOfALeader(t *testing.T) {
	members := startEtcd(t, 3)
	clock := NewClock()
	var mu sync.Mutex
	var events []rundir.Event
	marks := NewMarks(clock, func(e rundir.Event) { mu.Lock(); defer mu.Unlock(); events = append(events, e) })
	find := func(kind, subject, text string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range events {
			if e.Kind == kind && e.Subject == subject && strings.Contains(e.Text, text) {
				return true
			}
		}
		return false
	}
	var targets []EtcdTarget
	for _, m := range members {
		targets = append(targets, m.target())
	}
	w, err := NewLeaderWatch(clock, marks, 0, targets)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	defer wg.Wait()
	defer cancel()

	old := leaderOf(ctx, t, members)
	until(t, "the first leader", func() bool { return find(rundir.EventNote, "main", old.name+" leads") })
	if find(rundir.EventLeaderChange, "main", "") {
		t.Error("the first leader counts as a change")
	}
	old.kill()
	until(t, "the loss", func() bool { return find(rundir.EventNote, "main", "the last to lead was "+old.name) })
	until(t, "another leader", func() bool { return find(rundir.EventLeaderChange, "main", old.name+" → ") })
	name, term, ok := w.Leader("main")
	if now := leaderOf(ctx, t, alive(members)); name != now.name || !ok || term < 2 {
		t.Errorf("leader %s in term %d (%v), by its own account %s", name, term, ok, now.name)
	}
}

func alive(members []*member) []*member {
	var out []*member
	for _, m := range members {
		if m.cmd != nil {
			out = append(out, m)
		}
	}
	return out
}

func TestLeaderWatchSeesAnAlarm(t *testing.T) {
	m := startEtcd(t, 1)[0]
	clock := NewClock()
	alarms := make(chan rundir.Event, 10)
	marks := NewMarks(clock, func(e rundir.Event) {
		if e.Kind == rundir.EventAlarm {
			alarms <- e
		}
	})
	w, err := NewLeaderWatch(clock, marks, 0, []EtcdTarget{m.target()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	defer wg.Wait()
	defer cancel()

	c, err := dialEtcd(m.target(), NewClock())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, step := range []struct {
		action pb.AlarmRequest_AlarmAction
		want   string
	}{{pb.AlarmRequest_ACTIVATE, "raised"}, {pb.AlarmRequest_DEACTIVATE, "cleared"}} {
		s, err := c.status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.calls.call(ctx, "/etcdserverpb.Maintenance/Alarm", &pb.AlarmRequest{Action: step.action, MemberID: s.Header.MemberId, Alarm: pb.AlarmType_NOSPACE}, &pb.AlarmResponse{}); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-alarms:
			if e.Text != "NOSPACE on "+m.name+" "+step.want || e.Subject != "main" {
				t.Errorf("%+v, want NOSPACE %s", e, step.want)
			}
		case <-ctx.Done():
			t.Fatalf("NOSPACE %s was not seen", step.want)
		}
	}
}

func TestScrapesOfARealEtcd(t *testing.T) {
	m := startEtcd(t, 1)[0]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got rundir.Scrape
	var down rundir.Scrape
	s := NewScraper(NewClock(), func(one rundir.Scrape) {
		if one.Err == "" && got.Samples == nil {
			got = one
			m.kill()
		} else if one.Err != "" {
			down = one
			cancel()
		}
	}, 50*time.Millisecond, []ScrapeTarget{{Component: m.name, URL: m.endpoint + "/metrics"}})
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for name, least := range map[string]float64{
		"etcd_server_has_leader":                                  1,
		"etcd_server_quota_backend_bytes":                         2 << 30,
		"etcd_mvcc_db_total_size_in_bytes":                        1,
		"etcd_disk_wal_fsync_duration_seconds_count":              1,
		`etcd_disk_wal_fsync_duration_seconds_bucket{le="1.024"}`: 1,
		"process_resident_memory_bytes":                           1 << 20,
	} {
		if v, ok := got.Samples[name]; !ok || v < least {
			t.Errorf("%s is %v (%v), want %v or more", name, v, ok, least)
		}
	}
	if len(got.Samples) > 200 {
		t.Errorf("%d samples are kept", len(got.Samples))
	}
	if down.Component != m.name || down.Samples != nil {
		t.Errorf("a scrape of a member that is down: %+v", down)
	}
}
