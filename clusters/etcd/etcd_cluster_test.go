//go:build cluster

package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/ledger"
)

func TestMain(m *testing.M) {
	supervise.RunIfAsked()
	os.Exit(m.Run())
}

// members starts a cluster of three members with a small quota, and opens each.
func members(t *testing.T) (*local.Cluster, []*etcd.Client) {
	t.Helper()
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	book, err := ledger.Create(fmt.Sprintf("test-etcd-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	none := 0
	c, err := local.Up(t.Context(), local.Options{
		Spec: clusters.Spec{
			Network:    "loopback",
			Kubernetes: clusters.Kubernetes{ControllerManager: clusters.Deployment{Replicas: &none}, Scheduler: clusters.Deployment{Replicas: &none}},
			Etcd:       clusters.Etcd{Members: 3, Quota: 32 << 20},
		},
		Dir: filepath.Join(t.TempDir(), "cluster"), LogDir: t.TempDir(), Store: store, Ledger: book,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(context.Background()), book.Finish()); err != nil {
			t.Error(err)
		}
	})
	var out []*etcd.Client
	for _, m := range clusters.OfKind(c, clusters.KindEtcd, "") {
		client, err := etcd.Open(m.Endpoints().Client, c.Access().EtcdTLS)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		out = append(out, client)
	}
	return c, out
}

func TestPrimitives(t *testing.T) {
	c, all := members(t)
	t.Run("status", func(t *testing.T) { statusOfEach(t, all) })
	t.Run("hash", func(t *testing.T) { membersAgree(t, all) })
	t.Run("snapshot", func(t *testing.T) { snapshot(t, c, all[0]) })
	t.Run("quota", func(t *testing.T) { quota(t, all) })
	t.Run("dead member", func(t *testing.T) { deadMember(t, c, all) })
}

func statusOfEach(t *testing.T, all []*etcd.Client) {
	leads, ids := 0, map[uint64]bool{}
	for _, m := range all {
		if err := m.Health(t.Context()); err != nil {
			t.Error(err)
		}
		st, err := m.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Leads() {
			leads++
		}
		ids[st.MemberID] = true
		if st.Leader == 0 || st.Term == 0 || st.Revision == 0 || st.DBSize == 0 || !strings.HasPrefix(st.Version, "3.") {
			t.Errorf("a member says %+v", st)
		}
	}
	if leads != 1 || len(ids) != len(all) {
		t.Errorf("%d of %d different members lead", leads, len(ids))
	}
	list, err := all[0].Members(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if !ids[m.ID] || m.Name == "" || len(m.PeerURLs) != 1 || len(m.ClientURLs) != 1 {
			t.Errorf("the membership has %+v", m)
		}
	}
	if len(list) != len(all) {
		t.Errorf("the membership has %d members", len(list))
	}
}

func membersAgree(t *testing.T, all []*etcd.Client) {
	at, err := all[0].Put(t.Context(), "/test/hashed", "x")
	if err != nil {
		t.Fatal(err)
	}
	var first etcd.Hash
	for i, m := range all {
		if err := m.Health(t.Context()); err != nil { // it has applied the put
			t.Fatal(err)
		}
		h, err := m.HashKV(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = h
		}
		if h != first || h.Hash == 0 || h.Revision != at {
			t.Errorf("member %d hashes %+v, the first %+v", i, h, first)
		}
	}
	if _, err := all[0].HashKV(t.Context(), at+1_000_000); err == nil || !strings.Contains(err.Error(), "future revision") {
		t.Errorf("a hash of the future: %v", err)
	}
}

func snapshot(t *testing.T, c *local.Cluster, m *etcd.Client) {
	ctx := t.Context()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.db")
	if err := m.Save(ctx, file); err != nil {
		t.Fatal(err)
	}
	tool, err := c.Etcdutl("main")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := etcd.Verify(ctx, tool, file)
	if err != nil {
		t.Fatal(err)
	}
	st, err := m.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Revision > st.Revision || sum.Revision < 2 || sum.Keys < 100 || sum.Hash == 0 || sum.Size == 0 {
		t.Errorf("it holds %+v, the member is at revision %d", sum, st.Revision)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	bad := filepath.Join(t.TempDir(), "bad.db")
	if err := os.WriteFile(bad, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := etcd.Verify(ctx, tool, bad); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("with one bit flipped: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := m.Save(ended, filepath.Join(dir, "y.db")); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode: %v, %v", info.Mode(), err)
	}
}

// quota fills the members until NOSPACE, and repairs them.
func quota(t *testing.T, all []*etcd.Client) {
	ctx := t.Context()
	big := strings.Repeat("x", 1<<20)
	var full error
	var last int64
	for range 64 {
		rev, err := all[0].Put(ctx, "/test/big", big)
		if full = err; err != nil {
			break
		}
		last = rev
	}
	if full == nil || !strings.Contains(full.Error(), "database space exceeded") {
		t.Fatalf("the members never filled: %v", full)
	}
	alarms, err := all[1].Alarms(ctx)
	if err != nil || len(alarms) == 0 || alarms[0].Type != "NOSPACE" {
		t.Fatalf("the alarms are %v, %v", alarms, err)
	}
	if keys, err := all[2].Keys(ctx, "/test/"); err != nil || len(keys) != 2 {
		t.Errorf("reads under the alarm: %q, %v", keys, err)
	}
	if gone, err := all[0].Compacted(ctx, last-1); err != nil || gone {
		t.Errorf("revision %d is compacted before it was: %v", last-1, err)
	}
	for range 2 { // the second finds it compacted, and that is fine
		if err := all[0].Compact(ctx, last); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := all[0].Compacted(ctx, last-1); err != nil || !gone {
		t.Errorf("revision %d is still there: %v", last-1, err)
	}
	for i, m := range all {
		before, err := m.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Defrag(ctx); err != nil {
			t.Fatal(err)
		}
		after, err := m.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if after.DBSize >= before.DBSize/2 {
			t.Errorf("member %d went from %d to %d bytes", i, before.DBSize, after.DBSize)
		}
	}
	if err := all[0].Disarm(ctx); err != nil {
		t.Fatal(err)
	}
	if alarms, err := all[0].Alarms(ctx); err != nil || len(alarms) != 0 {
		t.Errorf("after disarm the alarms are %v, %v", alarms, err)
	}
	if _, err := all[0].Put(ctx, "/test/big", "small"); err != nil {
		t.Error(err)
	}
}

// deadMember proves that a call on a member that is gone fails at once, not
// when its context ends, and that the same client finds it again.
func deadMember(t *testing.T, c *local.Cluster, all []*etcd.Client) {
	handle := clusters.OfKind(c, clusters.KindEtcd, "")[2].(clusters.Restarter)
	if err := handle.Stop(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := all[2].Health(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("of a dead member: %v; its context: %v", err, ctx.Err())
	}
	if err := handle.Start(t.Context(), clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	if err := handle.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for all[2].Health(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("the client never found the member again")
		}
	}
}
