//go:build cluster

package measure

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
)

// member is a real etcd process of a test.
type member struct {
	t        *testing.T
	name     string
	argv     []string
	log      string
	endpoint string
	cmd      *exec.Cmd
}

// startEtcd starts a real etcd cluster on loopback and waits until each member
// answers; it ends with the test.
func startEtcd(t *testing.T, members int) []*member {
	t.Helper()
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bin, err := store.Get(t.Context(), components.Request{Name: components.Etcd, Version: "v3.6"}, func(e clusters.Event) { t.Log(e.Text) })
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out []*member
	var initial []string
	ports := freePorts(t, 2*members)
	for i := range members {
		name := fmt.Sprintf("etcd-main-%d", i)
		initial = append(initial, fmt.Sprintf("%s=http://127.0.0.1:%d", name, ports[2*i+1]))
	}
	for i := range members {
		name := fmt.Sprintf("etcd-main-%d", i)
		client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[2*i]), fmt.Sprintf("http://127.0.0.1:%d", ports[2*i+1])
		m := &member{t: t, name: name, endpoint: client, log: filepath.Join(dir, name+".log"), argv: []string{
			bin.Path, "--name=" + name, "--data-dir=" + filepath.Join(dir, name),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + strings.Join(initial, ","), "--unsafe-no-fsync",
		}}
		m.start()
		out = append(out, m)
		t.Cleanup(func() {
			if m.cmd != nil {
				m.kill()
			}
			if t.Failed() {
				text, _ := os.ReadFile(m.log)
				t.Logf("%s, the end of its log:\n%s", m.name, text[max(0, len(text)-2000):])
			}
		})
	}
	for _, m := range out {
		m.ready(t.Context())
	}
	return out
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // all at the end, so that no port comes twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (m *member) target() EtcdTarget {
	return EtcdTarget{Component: m.name, Shard: clusters.MainShard, Endpoint: m.endpoint}
}

func (m *member) start() {
	m.t.Helper()
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	m.cmd = exec.Command(m.argv[0], m.argv[1:]...)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// kill kills the process and returns when it is gone.
func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	_, _ = m.cmd.Process.Wait()
	m.cmd = nil
}

func (m *member) signal(sig syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(sig); err != nil {
		m.t.Fatal(err)
	}
}

// ready returns when the member answers a linearizable read.
func (m *member) ready(ctx context.Context) {
	m.t.Helper()
	c, err := dialEtcd(m.target(), NewClock())
	if err != nil {
		m.t.Fatal(err)
	}
	defer c.close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, err := c.get(once, &pb.RangeRequest{Key: []byte("ready")})
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			m.t.Fatalf("%s was not ready in time: %v", m.name, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const (
	stopSignal     = syscall.SIGSTOP
	continueSignal = syscall.SIGCONT
)

// leaderOf asks each member who leads, until one says that it does itself.
func leaderOf(ctx context.Context, t *testing.T, members []*member) *member {
	t.Helper()
	for ctx.Err() == nil {
		for _, m := range members {
			c, err := dialEtcd(m.target(), NewClock())
			if err != nil {
				t.Fatal(err)
			}
			once, cancel := context.WithTimeout(ctx, time.Second)
			s, err := c.status(once)
			cancel()
			c.close()
			if err == nil && s.Leader == s.Header.MemberId {
				return m
			}
		}
	}
	t.Fatal("no leader")
	return nil
}
