package kind

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// Where things of stacked members are in a node.
const (
	nodeData      = "/storm/data" // all members' data directories
	nodeBinaries  = "/storm/bin"
	kubeadmData   = "/var/lib/etcd" // where kubeadm has a member's data
	kubeadmVolume = "etcd-data"     // the volume of that in its manifest
)

// stacked is the handle of a member that runs beside the apiserver which asks it
// alone, as a static pod of their node. kubeadm makes the members of the main shard and
// their certificates, storm those of the others; each runs with the flags and the binary
// that the spec has for its shard.
type stacked struct {
	*part
	at place
}

var (
	_ etcdMember        = (*stacked)(nil)
	_ clusters.Signaler = (*stacked)(nil)
)

// newStacked makes the handle of the node's member.
func (n *node) newStacked(at place) *stacked {
	m := &stacked{n.partOf(at.id), at}
	m.endpoints = clusters.Endpoints{Client: at.clientURL(), Peer: at.peerURL(), Metrics: at.clientURL() + "/metrics", Host: at.addr.String()}
	m.write = m.manifest
	return m
}

// stackedMembers makes the handles of a shard's members in the nodes, and has the nodes
// tell them which processes they are. There are none before there are nodes that are
// made for them.
func stackedMembers(s shardPlaces, nodes []*node) []etcdMember {
	var out []etcdMember
	for i, n := range nodes[:min(len(nodes), len(s.members))] {
		if at := s.members[i]; slices.Contains(n.ids, at.id) {
			out = append(out, n.newStacked(at))
		}
	}
	return out
}

// stackedParts are the members in nodes, as what their kubelets run.
func (c *Cluster) stackedParts() []*part {
	var out []*part
	for _, m := range c.allMembers() {
		if s, ok := m.(*stacked); ok {
			out = append(out, s.part)
		}
	}
	return out
}

// home implements etcdMember.
func (m *stacked) home() home {
	m.mu.Lock()
	defer m.mu.Unlock()
	return home{m.at, m.node.name, m.change}
}

// Ready implements clusters.Restarter.
func (m *stacked) Ready(ctx context.Context) error {
	p, err := ready.Member(m.at.clientURL(), m.node.cluster.Access().EtcdTLS)
	if err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	defer p.Close()
	return m.serves(ctx, p)
}

// besideServer are the flags by which a member's apiserver and kubelet find it on
// their node.
func besideServer(at place) map[string]string {
	return map[string]string{"listen-client-urls": at.ownURL() + "," + at.clientURL(), "listen-metrics-urls": at.metricsURL()}
}

// identity are the files of the node by which a member knows others and is known.
func (m *stacked) identity() flags.Member {
	crt := func(name string) string { return path.Join(nodePKI, name+".crt") }
	pair := "etcd/server" // kubeadm's
	if !byKubeadm(m.id) {
		pair = pairOf(m.id)
	}
	return flags.Member{CA: crt(pki.ShardClients(m.id.Shard)), PeerCA: crt(pki.ShardCA(m.id.Shard)), Cert: crt(pair), Key: path.Join(nodePKI, pair+".key")}
}

// manifest writes the member's manifest: kubeadm's, or one like it, with the binary,
// the flags and the environment that its shard and a change have.
func (m *stacked) manifest(ctx context.Context, change clusters.Change, start string) (string, error) {
	c := m.node.cluster
	b, err := c.etcdBinary(ctx, components.Etcd, m.id.Shard, change)
	if err != nil {
		return "", err
	}
	binary, err := m.node.bring(ctx, b)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	shard := shardOf(c.shards, m.id.Shard)
	c.mu.Unlock()
	member := m.identity()
	member.Name, member.Dir, member.ClientURL, member.PeerURL = m.id.String(), kubeadmData, m.at.clientURL(), m.at.peerURL()
	member.InitialCluster, member.Token = initialCluster(shard), c.token(m.id.Shard)
	fs := flags.Etcd(member, shard.Shard, b.Version, change.Flags).With(besideServer(m.at))
	base := m.node.base[m.name()]
	if !byKubeadm(m.id) {
		base = shardPod(m.at, m.node.base[string(clusters.KindAPIServer)])
	}
	pod := base.pod.DeepCopy()
	pod.Name += "-" + start
	one := &pod.Spec.Containers[0]
	one.Command = append([]string{binary}, fs.Argv()...)
	one.VolumeMounts = append(one.VolumeMounts, corev1.VolumeMount{Name: "binaries", MountPath: nodeBinaries, ReadOnly: true})
	for _, variable := range flags.Environ(clusters.Change{Env: shard.Env}.With(change).Env) {
		name, value, _ := strings.Cut(variable, "=")
		one.Env = append(one.Env, corev1.EnvVar{Name: name, Value: value})
	}
	moved := false
	for i, v := range pod.Spec.Volumes {
		if v.Name == kubeadmVolume && v.HostPath != nil {
			// By the way that shows a directory which takes another's place.
			pod.Spec.Volumes[i].HostPath = &corev1.HostPathVolumeSource{Path: path.Join(nodeData, m.id.String()), Type: v.HostPath.Type}
			moved = true
		}
	}
	if !moved {
		return "", fmt.Errorf("kubeadm's manifest of etcd has no volume %s", kubeadmVolume)
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "binaries", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: nodeBinaries}}})
	return manifest{*pod}.text()
}

// bring has a binary in the node, and returns where it is there.
func (n *node) bring(ctx context.Context, b components.Binary) (string, error) {
	n.bringing.Lock()
	defer n.bringing.Unlock()
	to := path.Join(nodeBinaries, components.Etcd+"-"+b.SHA256[:min(8, len(b.SHA256))])
	said, err := n.run(ctx, fmt.Sprintf("mkdir -p %s && { [ ! -x %s ] || echo there; }", nodeBinaries, to))
	if err != nil || strings.TrimSpace(said) == "there" {
		return to, err
	}
	// Under another name until it is whole.
	if _, err := docker.Run(ctx, "cp", b.Path, n.name+":"+to+".part"); err != nil {
		return "", fmt.Errorf("node %s: %w", n.name, explained(err))
	}
	_, err = n.run(ctx, fmt.Sprintf("chmod 755 %[1]s.part && mv -f %[1]s.part %[1]s", to))
	return to, err
}

// memberMounts are the directories of this machine that a node with stacked members
// has: all data, and that of the main shard's member, if it is one, where kubeadm looks
// for it.
func (d design) memberMounts(i int) []v1alpha4.Mount {
	if !anyStacked(d.shards) {
		return nil
	}
	all := filepath.Join(d.dir, dataFolder)
	var mounts []v1alpha4.Mount
	if main := d.shards[0]; main.Stacked() {
		mounts = append(mounts, v1alpha4.Mount{HostPath: filepath.Join(all, main.members[i].id.String()), ContainerPath: kubeadmData})
	}
	return append(mounts, v1alpha4.Mount{HostPath: all, ContainerPath: nodeData})
}
