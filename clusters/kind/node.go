package kind

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/procfs"
)

// node is one of kind's: a container with a kubelet. One of the control plane keeps
// the static pods of one apiserver, controller manager and scheduler, and of the
// stacked etcd members, one of each such shard; a worker keeps none.
type node struct {
	cluster *Cluster
	name    string
	index   int
	logName string        // what its logs are told by: 0, worker-0
	ids     []clusters.ID // of its components
	addr    netip.Addr
	base    map[string]manifest // by the component's name: as kubeadm wrote them
	alive   context.Context     // ends when storm lets go of the node
	end     context.CancelFunc

	mu        sync.Mutex
	agent     *agent           // nil while the node does not answer
	parts     map[string]*part // by the component's name
	restarted time.Time        // when its kubelet was, because it hung

	bringing sync.Mutex // of binaries into it: several of its members may want the same one at once
}

func (n *node) url(port int) string { return fmt.Sprintf("https://%s:%d", n.addr, port) }

// besideEtcd are the kinds of component that every node has, in start order.
var besideEtcd = []clusters.Kind{clusters.KindAPIServer, clusters.KindControllerManager, clusters.KindScheduler}

// inNode are the components that the cluster's i-th node has, in start order.
func (c *Cluster) inNode(i int) []clusters.ID {
	var out []clusters.ID
	for _, s := range c.Spec().AllShards() {
		if s.Stacked() {
			out = append(out, clusters.ID{Kind: clusters.KindEtcd, Shard: s.Name, Index: i})
		}
	}
	for _, kind := range besideEtcd {
		out = append(out, clusters.ID{Kind: kind, Index: i})
	}
	return out
}

// nameIn is what a component is called in its node: its manifest, its container, and
// the beginning of its pod. They are kubeadm's names, and a further shard's has its own.
func nameIn(id clusters.ID) string {
	if byKubeadm(id) {
		return string(id.Kind)
	}
	return string(id.Kind) + "-" + id.Shard
}

// byKubeadm says whether kubeadm makes a component: of etcd it knows one shard.
func byKubeadm(id clusters.ID) bool { return id.Shard == "" || id.Shard == clusters.MainShard }

// openControlPlane opens the i-th node that has a control plane.
func (c *Cluster) openControlPlane(ctx context.Context, i int) (*node, error) {
	return c.openNode(ctx, &node{name: nodeName(c.name, "control-plane", i), index: i, logName: strconv.Itoa(i), ids: c.inNode(i)})
}

// openWorker opens the i-th node that has none.
func (c *Cluster) openWorker(ctx context.Context, i int) (*node, error) {
	return c.openNode(ctx, &node{name: nodeName(c.name, "worker", i), index: i, logName: "worker-" + strconv.Itoa(i)})
}

// openNode finds a node's address, connects to it, and reads the manifests.
func (c *Cluster) openNode(ctx context.Context, n *node) (*node, error) {
	n.cluster, n.base, n.parts = c, map[string]manifest{}, map[string]*part{}
	n.alive, n.end = context.WithCancel(c.alive)
	var err error
	if n.addr, err = c.nodeAddr(ctx, n.name); err != nil {
		return nil, err
	}
	if err := n.makeLogs(); err != nil {
		return nil, err
	}
	if err := n.connect(ctx); err != nil {
		return nil, err
	}
	if err := n.readManifests(ctx); err != nil {
		n.end()
		n.agent.close()
		return nil, err
	}
	go n.keepConnected()
	return n, nil
}

// nodeAddr is a node's address on the cluster's network.
func (c *Cluster) nodeAddr(ctx context.Context, name string) (netip.Addr, error) {
	text, err := docker.Run(ctx, "inspect", "--format", fmt.Sprintf(`{{(index .NetworkSettings.Networks %q).IPAddress}}`, c.name), name)
	if err != nil {
		return netip.Addr{}, err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("node %s: %w", name, err)
	}
	return addr, nil
}

// addresses are those of nodes.
func addresses(nodes []*node) []netip.Addr {
	var out []netip.Addr
	for _, n := range nodes {
		out = append(out, n.addr)
	}
	return out
}

// makeLogs makes the files that the node's logs go to, so that they are storm's own
// and not those of the node's root.
func (n *node) makeLogs() error {
	names := []string{n.kubelet(), "containerd-" + n.logName}
	for _, id := range n.ids {
		names = append(names, id.String())
	}
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(n.cluster.o.LogDir, name+".log"), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// kubelet is what the log of its kubelet is called.
func (n *node) kubelet() string { return "kubelet-" + n.logName }

// readManifests reads what kubeadm wrote for the node's components.
func (n *node) readManifests(ctx context.Context) error {
	for _, id := range n.ids {
		if !byKubeadm(id) {
			continue
		}
		name := nameIn(id)
		text, err := n.run(ctx, fmt.Sprintf("cat %s/%s.yaml", manifestsDir, name))
		if err != nil {
			return err
		}
		if n.base[name], err = readManifest(text); err != nil {
			return fmt.Errorf("node %s: %w", n.name, err)
		}
	}
	return nil
}

// connect opens the connection to the node.
func (n *node) connect(ctx context.Context) error {
	var names []string
	for _, id := range n.ids {
		names = append(names, nameIn(id))
	}
	a, err := openAgent(ctx, n.name, n.logName, names, n.hear)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.agent = a
	return nil
}

// reconnectEvery is how often a node that does not answer is tried.
const reconnectEvery = 200 * time.Millisecond

// keepConnected connects again whenever the connection ends, as it does where a
// node's container is killed and started again, until the cluster is closed.
func (n *node) keepConnected() {
	for {
		n.mu.Lock()
		a := n.agent
		n.mu.Unlock()
		select {
		case <-a.gone:
		case <-n.alive.Done():
		}
		if n.alive.Err() != nil {
			a.close()
			return
		}
		n.lost()
		for n.alive.Err() == nil && n.connect(n.alive) != nil {
			select {
			case <-time.After(reconnectEvery):
			case <-n.alive.Done():
			}
		}
	}
}

// run runs a script in the node.
func (n *node) run(ctx context.Context, script string) (string, error) {
	n.mu.Lock()
	a := n.agent
	n.mu.Unlock()
	return a.run(ctx, script)
}

// hear takes over what the node says of its processes.
func (n *node) hear(words []string) {
	n.mu.Lock()
	p := n.parts[words[1]]
	n.mu.Unlock()
	switch {
	case p == nil:
	case words[0] == "runs" && len(words) == 6:
		inner, _ := strconv.Atoi(words[2])
		ticks, _ := strconv.ParseUint(words[3], 10, 64)
		p.runs(process{inner, ticks, words[4], words[5]})
	case words[0] == "ends":
		p.ends("")
	}
}

// lost notes that nothing of the node can be seen: its container has stopped.
func (n *node) lost() {
	for _, p := range n.allParts() {
		p.ends("its node " + n.name + " ended")
	}
}

// allParts are the handles of what runs in it.
func (n *node) allParts() []*part {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.parts))
}

// tellAgain has the node tell of all its processes, also those that it told of.
func (n *node) tellAgain(ctx context.Context) error {
	_, err := n.run(ctx, "again")
	return err
}

// closeNodes lets go of the nodes.
func (c *Cluster) closeNodes() {
	for _, n := range c.everyNode() {
		n.end()
		n.mu.Lock()
		a := n.agent
		n.mu.Unlock()
		a.close()
	}
}

// onHost finds which process of this machine a node's is: they share the kernel's
// clock of starts, and the kernel lists a process's numbers in every namespace
// that it is seen from. 0 where the daemon runs in a machine of its own.
func onHost(inner int, ticks uint64) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		st, err := procfs.ReadStat(pid)
		if err != nil || st.StartTicks != ticks {
			continue
		}
		if seenAs(pid, inner) {
			return pid
		}
	}
	return 0
}

// seenAs says whether one of the numbers of a process is inner.
func seenAs(pid, inner int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			numbers := strings.Fields(rest)
			for _, n := range numbers[min(1, len(numbers)):] {
				if n == strconv.Itoa(inner) {
					return true
				}
			}
		}
	}
	return false
}

// sinceBoot is when a process started that the kernel counts from the boot, in
// hundredths of a second.
func sinceBoot(ticks uint64) (time.Time, error) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}, err
	}
	first, _, ok := strings.Cut(string(b), " ")
	up, err := strconv.ParseFloat(first, 64)
	if !ok || err != nil {
		return time.Time{}, fmt.Errorf("/proc/uptime: %w", fs.ErrInvalid)
	}
	const perSecond = 100 // USER_HZ, on every platform of Linux that Go knows
	ago := time.Duration((up - float64(ticks)/perSecond) * float64(time.Second))
	return time.Now().Add(-ago), nil
}
