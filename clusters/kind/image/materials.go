package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/child"
)

// materials are what images are made of, beside the Debian file system.
type materials struct {
	kind       kindModule
	kubernetes string // its version: v1.36.3
	node       parts
	spec       []byte // what `ctr oci spec` prints
	wanted     wantedImages
	nodeEtcd   parts
	shards     []parts // of each version of Options.Etcd
	pause      components.Binary
	balancer   components.Binary
}

// nodeBinaries gets the binaries of a node, in the versions of kind's own image,
// and asks them what else a node needs.
func (b *builder) nodeBinaries(ctx context.Context, m *materials) error {
	m.node = parts{}
	versions := map[string]string{
		components.KubernetesNode: b.Kubernetes, components.Crictl: m.kind.criTools,
		components.Containerd: m.kind.containerd, components.ContainerdShim: m.kind.containerd, components.Ctr: m.kind.containerd,
	}
	for _, name := range components.CNIPlugins() {
		versions[name] = m.kind.cniPlugins
	}
	if err := b.get(ctx, m.node, versions); err != nil {
		return err
	}
	m.kubernetes = m.node[components.KubernetesNode].Version
	spec, err := child.Command{Path: m.node[components.Ctr].Path, Args: []string{"oci", "spec"}}.Lines(ctx)
	if err != nil {
		return err
	}
	for _, line := range spec {
		m.spec = append(append(m.spec, line...), '\n')
	}
	kubeadm := filepath.Join(b.aside, "kubeadm") // it is told what it is by its name
	if err := os.Symlink(m.node[components.KubernetesNode].Path, kubeadm); err != nil {
		return err
	}
	lines, err := child.Command{Path: kubeadm, Args: []string{"config", "images", "list", "--kubernetes-version", m.kubernetes}}.Lines(ctx)
	if err != nil {
		return err
	}
	m.wanted, err = readWanted(lines)
	return err
}

// etcdBinaries gets etcd for the node and for each image of shards.
func (b *builder) etcdBinaries(ctx context.Context, m *materials) (err error) {
	version := m.wanted.etcdVersion
	if b.NodeEtcd != "" {
		version = b.NodeEtcd
		b.say("the node's etcd is %s, under the name that kubeadm asks for, %s", version, m.wanted.etcd)
	}
	if m.nodeEtcd, err = b.getEtcd(ctx, version); err != nil {
		return fmt.Errorf("%w\nto have another etcd on the node, name it: -node-etcd v3.6.16 (KIND_NODE_ETCD=v3.6.16)", err)
	}
	for _, version := range b.Etcd {
		p, err := b.getEtcd(ctx, version)
		if err != nil {
			return err
		}
		m.shards = append(m.shards, p)
	}
	return nil
}

func (b *builder) getEtcd(ctx context.Context, version string) (parts, error) {
	p := parts{}
	return p, b.get(ctx, p, map[string]string{components.Etcd: version, components.Etcdctl: version, components.Etcdutl: version})
}

// get gets binaries by their versions.
func (b *builder) get(ctx context.Context, p parts, versions map[string]string) (err error) {
	for name, version := range versions {
		if p[name], err = b.store.Get(ctx, components.Request{Name: name, Version: version}, b.sink); err != nil {
			return err
		}
	}
	return nil
}

// ownBinaries builds what comes from storm's own repository.
func (b *builder) ownBinaries(ctx context.Context, m *materials) error {
	for _, own := range []struct {
		pkg string
		put *components.Binary
	}{
		{"clusters/kind/image/pause", &m.pause},
		{"clusters/kind/image/balancer", &m.balancer},
	} {
		name := filepath.Base(own.pkg)
		file := filepath.Join(b.aside, name)
		if err := components.BuildOwn(ctx, own.pkg, file); err != nil {
			return err
		}
		sum, err := components.Digest(file)
		if err != nil {
			return err
		}
		*own.put = components.Binary{Name: name, Path: file, SHA256: sum}
	}
	return nil
}
