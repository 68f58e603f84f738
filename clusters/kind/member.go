package kind

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/procfs"
)

// Where things are in a member's container.
const (
	memberBinary = "/etcd"
	memberPKI    = "/pki"
	memberData   = "/data"
)

// etcdMember is a member's handle, wherever it runs.
type etcdMember interface {
	clusters.Component
	clusters.Restarter
	home() home
}

// home is where a member runs, and as what.
type home struct {
	place
	box    string // the container it is in
	change clusters.Change
}

// member is the handle of an etcd member on a host of its own: a container whose only process it is.
// The supervisor keeps a `docker start --attach` of it, which ends when it does
// and brings its log; so the end is known as soon as Docker knows it.
type member struct {
	cluster *Cluster
	place
	log    string
	within string // the container whose network it has; empty for one of its own

	mu     sync.Mutex
	change clusters.Change
	state  clusters.State
	logged int64            // size of the log when the present process was started
	epoch  int              // counts the starts
	made   []string         // what the container was made with
	who    *procfs.Identity // its process, if it is one of this machine
}

var (
	_ etcdMember        = (*member)(nil)
	_ clusters.Signaler = (*member)(nil)
)

// ID implements clusters.Component.
func (m *member) ID() clusters.ID { return m.id }

// Endpoints implements clusters.Component.
func (m *member) Endpoints() clusters.Endpoints {
	return clusters.Endpoints{Client: m.clientURL(), Peer: m.peerURL(), Metrics: m.clientURL() + "/metrics", Host: m.addr.String()}
}

// Log implements clusters.Component.
func (m *member) Log() string { return m.log }

// State implements clusters.Component.
func (m *member) State() clusters.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// home implements etcdMember.
func (m *member) home() home {
	m.mu.Lock()
	defer m.mu.Unlock()
	return home{m.place, m.container(), m.change}
}

// container is its container's name.
func (m *member) container() string { return m.cluster.name + "-" + m.id.String() }

// Signal implements clusters.Signaler. Where its process is this machine's and
// storm may, it gets the signal itself; Docker takes a while over it.
func (m *member) Signal(ctx context.Context, sig syscall.Signal) error {
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM || sig == syscall.SIGINT {
		m.asked()
	}
	m.mu.Lock()
	who := m.who
	m.mu.Unlock()
	if who != nil && signalled(*who, sig) {
		return nil
	}
	_, err := docker.Run(ctx, "kill", "--signal", strings.TrimPrefix(unix.SignalName(sig), "SIG"), m.container())
	if err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	return nil
}

// signalled sends a signal to a process of this machine; it says whether it could.
func signalled(who procfs.Identity, sig syscall.Signal) bool {
	h, err := procfs.Open(who)
	if err != nil {
		return false
	}
	defer h.Close()
	return h.Signal(sig) == nil
}

func (m *member) asked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Asked = true
}

// Stop implements clusters.Restarter.
func (m *member) Stop(ctx context.Context, grace time.Duration) error {
	m.mu.Lock()
	running, epoch := m.state.Running, m.epoch
	m.mu.Unlock()
	if !running {
		return nil
	}
	ended := func(ctx context.Context) error {
		_, err := m.cluster.supervisor.Wait(ctx, m.process(epoch))
		return err
	}
	if grace > 0 {
		if err := m.Signal(ctx, syscall.SIGTERM); err != nil && !docker.Says(err, "is not running") {
			return err
		}
		gctx, cancel := context.WithTimeout(ctx, grace)
		err := ended(gctx)
		cancel()
		if err == nil {
			return m.gone(ctx, epoch)
		}
	}
	if err := m.Signal(ctx, syscall.SIGKILL); err != nil && !docker.Says(err, "is not running") {
		return err
	}
	if err := ended(ctx); err != nil {
		return err
	}
	return m.gone(ctx, epoch)
}

// gone takes the end of a process over before watch comes to it.
func (m *member) gone(ctx context.Context, epoch int) error {
	status, err := m.cluster.supervisor.Wait(ctx, m.process(epoch))
	if err == nil {
		m.ended(epoch, status.Exit)
	}
	return err
}

// process is what the supervisor knows the process of a start by.
func (m *member) process(epoch int) string { return fmt.Sprintf("%s.%d", m.id, epoch) }

// Start implements clusters.Restarter: it makes the container anew where flags,
// version or binary are others than before.
func (m *member) Start(ctx context.Context, change clusters.Change) error {
	m.mu.Lock()
	m.change = m.change.With(change)
	change = m.change
	m.epoch++
	epoch := m.epoch
	m.mu.Unlock()
	args, err := m.createArgs(ctx, change)
	if err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	if err := os.MkdirAll(m.cluster.dataDir(m.id), 0o700); err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	if err := m.make(ctx, args); err != nil {
		return fmt.Errorf("%s: %w", m.id, explained(err))
	}
	var logged int64
	if info, err := os.Stat(m.log); err == nil {
		logged = info.Size()
	}
	m.mu.Lock()
	m.logged = logged
	m.mu.Unlock()
	status, err := m.cluster.supervisor.Spawn(ctx, supervise.Process{
		Name: m.process(epoch), Argv: []string{docker.Command(), "start", "--attach", m.container()},
		Env: dockerEnv(), Dir: m.cluster.o.Dir, Log: m.log,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	m.mu.Lock()
	m.state = clusters.State{Running: true, Started: status.Started}
	m.mu.Unlock()
	go m.watch(epoch)
	return m.observe(ctx, epoch)
}

// make makes the container, unless it is there as it is wanted.
func (m *member) make(ctx context.Context, args []string) error {
	m.mu.Lock()
	made := m.made
	m.made = nil
	m.mu.Unlock()
	if !slices.Equal(made, args) {
		if _, err := docker.Run(ctx, "rm", "-f", m.container()); err != nil && !docker.Says(err, "no such container") {
			return err
		}
		if _, err := docker.Run(ctx, args...); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.made = args
	m.mu.Unlock()
	return nil
}

// observe waits until Docker says that the container runs, and takes over who it
// is on this machine.
func (m *member) observe(ctx context.Context, epoch int) error {
	ticker := time.NewTicker(ready.Every)
	defer ticker.Stop()
	var running time.Time // since when Docker says so
	for {
		out, err := docker.Run(ctx, "inspect", "--format", "{{.State.Running}} {{.State.Pid}} {{.State.StartedAt}}", m.container())
		if err != nil {
			return fmt.Errorf("%s: %w", m.id, err)
		}
		words := strings.Fields(out)
		if len(words) == 3 && words[0] == "true" {
			pid, _ := strconv.Atoi(words[1]) // Docker's own number
			started, err := time.Parse(time.RFC3339Nano, words[2])
			if err != nil {
				return fmt.Errorf("%s: Docker says that it was started at %q", m.id, words[2])
			}
			if running.IsZero() {
				running = time.Now()
			}
			own, other := hostPID(pid, "etcd")
			if !other || time.Since(running) > becoming {
				m.identify(epoch, own, started)
				return nil
			}
		}
		if st := m.State(); !st.Running {
			return m.failed(fmt.Sprintf("ended as it was started (%s)", st.Exit))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: waiting for its container: %w", m.id, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// identify takes over who the process of a start is; pid is 0 where it is none of
// this machine's.
func (m *member) identify(epoch, pid int, started time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch || !m.state.Running {
		return
	}
	m.state.PID, m.state.Started, m.who = pid, started, nil
	if who, err := procfs.Identify(pid); pid != 0 && err == nil {
		m.who = &who
	}
}

// becoming is how long a process that Docker names may be the runtime's own, which
// is about to become the container's: Docker says that it runs before it is.
const becoming = 2 * time.Second

// hostPID is a process id that Docker names, if it is one of this machine, and 0
// where the daemon runs in a machine of its own, or the process is another's: the
// runtime's, for a moment.
func hostPID(pid int, comm string) (own int, other bool) {
	st, err := procfs.ReadStat(pid)
	switch {
	case err != nil:
		return 0, false
	case st.Comm == comm:
		return pid, false
	}
	return 0, true
}

// Ready implements clusters.Restarter.
func (m *member) Ready(ctx context.Context) error {
	p, err := ready.Member(m.clientURL(), m.cluster.Access().EtcdTLS)
	if err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	defer p.Close()
	return ready.Await(ctx, p, m.State, m.failed)
}

func (m *member) failed(how string) error {
	m.mu.Lock()
	from := m.logged
	m.mu.Unlock()
	return ready.Failed(m.id, how, m.log, from)
}

// watch notes the end of a process as soon as it comes, and reports one that
// nobody asked for.
func (m *member) watch(epoch int) {
	status, err := m.cluster.supervisor.Wait(m.cluster.alive, m.process(epoch))
	if m.cluster.alive.Err() != nil {
		return // the cluster is closed
	}
	how := status.Exit
	if err != nil {
		how = "lost with its supervisor: " + err.Error()
	}
	m.mu.Lock()
	from := m.logged
	m.mu.Unlock()
	if how, unasked := m.ended(epoch, how); unasked && m.cluster.o.Exited != nil {
		m.cluster.o.Exited(m.id, ready.LastWords(how, m.log, from))
	}
}

// ended takes over an end; it says whether that was news that nobody asked for.
func (m *member) ended(epoch int, how string) (said string, unasked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch || !m.state.Running {
		return "", false
	}
	m.state.Running, m.state.PID, m.state.Exit, m.who = false, 0, exitText(how), nil
	return m.state.Exit, !m.state.Asked
}

// exitText turns what the docker command ended with into how the container's
// process did: 128 and the signal's number, as shells have it.
func exitText(how string) string {
	code, err := strconv.Atoi(strings.TrimPrefix(how, "exit status "))
	if err == nil && code > 128 && code < 128+65 {
		return "signal: " + syscall.Signal(code-128).String()
	}
	return how
}

// createArgs are what docker makes the container with.
func (m *member) createArgs(ctx context.Context, change clusters.Change) ([]string, error) {
	c := m.cluster
	b, err := c.etcdBinary(ctx, components.Etcd, m.id.Shard, change)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	shard := shardOf(c.shards, m.id.Shard)
	c.mu.Unlock()
	// What opens the others, and signs for all, is none of a member's business.
	pair := pairOf(m.id)
	fs := flags.Etcd(flags.Member{
		Name: m.id.String(), Dir: memberData, ClientURL: m.clientURL(), PeerURL: m.peerURL(), InitialCluster: initialCluster(shard),
		Token: c.token(m.id.Shard), CA: memberPKI + "/clients.crt", PeerCA: memberPKI + "/ca.crt", Cert: memberPKI + "/" + m.id.String() + ".crt", Key: memberPKI + "/" + m.id.String() + ".key",
	}, shard.Shard, b.Version, change.Flags)
	if shard.Stacked() {
		fs = fs.With(besideServer(m.place))
	}
	args := append([]string{"create", "--name", m.container()}, m.network()...)
	args = append(args,
		"--label", docker.RunLabel+"="+c.o.Ledger.RunID(),
		"--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), "--cap-drop", "ALL", "--read-only",
		"--volume", b.Path+":"+memberBinary+":ro",
		"--volume", c.pki.Crt(pki.ShardClients(m.id.Shard))+":"+memberPKI+"/clients.crt:ro",
		"--volume", c.pki.Crt(pki.ShardCA(m.id.Shard))+":"+memberPKI+"/ca.crt:ro",
		"--volume", c.pki.Crt(pair)+":"+memberPKI+"/"+m.id.String()+".crt:ro",
		"--volume", c.pki.Key(pair)+":"+memberPKI+"/"+m.id.String()+".key:ro",
		"--volume", c.dataDir(m.id)+":"+memberData,
	)
	for _, variable := range flags.Environ(clusters.Change{Env: shard.Env}.With(change).Env) {
		args = append(args, "--env", variable)
	}
	return append(append(args, emptyImage, memberBinary), fs.Argv()...), nil
}

// network is where its container is: a host of its own, or one with another's network,
// which takes no name.
func (m *member) network() []string {
	if m.within != "" {
		return []string{"--network", "container:" + m.within}
	}
	return []string{"--hostname", m.id.String(), "--network", m.cluster.name, "--ip", m.addr.String()}
}

// loopback is where a member's connections to itself may come from, and where a
// stacked one's apiserver asks it.
var loopback = netip.MustParseAddr("127.0.0.1")

// pairOf is what a member's certificate is called.
func pairOf(id clusters.ID) string { return "etcd/" + id.String() }

// identify makes the certificates of a shard's members. Those of a stacked shard are
// made before their nodes have addresses, and hold for each that these can come to have.
func (c *Cluster) identify(s shardPlaces) error {
	for _, m := range s.members {
		addrs := []netip.Addr{m.addr, loopback}
		if s.Stacked() {
			addrs = append(nodeAddrs(c.slot), loopback)
		}
		if err := c.pki.Ensure(pairOf(m.id), pki.Certificate{CA: pki.ShardCA(m.id.Shard), Common: m.id.String(), Server: true, Addrs: addrs}); err != nil {
			return err
		}
	}
	return nil
}

// emptyImage has nothing in it: a member's binary is static, and mounted.
const emptyImage = "storm/empty:1"

// EmptyImage makes it, unless it is there, and returns its name.
func EmptyImage(ctx context.Context) (string, error) {
	if _, err := docker.Run(ctx, "image", "inspect", "--format", "{{.Id}}", emptyImage); err == nil {
		return emptyImage, nil
	}
	return emptyImage, docker.Feed(ctx, bytes.NewReader(make([]byte, 1024)), nil, "import", "-", emptyImage) // the end of an archive
}

// dockerEnv are the variables by which the docker command finds its daemon.
func dockerEnv() []string {
	var out []string
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "CONTAINER_HOST", "CONTAINER_CONNECTION", "XDG_RUNTIME_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+value)
		}
	}
	return out
}
