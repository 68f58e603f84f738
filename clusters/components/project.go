package components

import (
	"fmt"
	"slices"
	"strings"
)

// project is what is released together under one version.
type project struct {
	name     string
	major    string   // of its versions, "v3"
	example  string   // of a version, as a user may write it
	binaries []string // the server first
	// modules are what the binaries are built from; the first is the one whose
	// versions are listed. Each binary's is the one in its place, or the last.
	modules []string
	// released says that there are release downloads to be tried first.
	released bool
	// commands are the Kubernetes commands of the one executable that is built
	// for all binaries, each run by its name.
	commands []string
	// packages are the main packages in the module, and tags what they are built
	// with, where the recipe of plain modules serves.
	packages []string
	tags     string
	// versionIn is the variable that they tell their version from.
	versionIn string
}

// The projects that a cluster is made of.
var (
	etcd = project{
		name: "etcd", major: "v3", example: "v3.6 or v3.6.16", released: true,
		binaries: []string{Etcd, Etcdctl, Etcdutl},
		modules:  []string{"go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3", "go.etcd.io/etcd/etcdutl/v3"},
	}
	kubernetes = project{
		name: "kubernetes", major: "v1", example: "v1.36 or v1.36.3", released: true,
		binaries: []string{APIServer, ControllerManager, Scheduler},
		commands: []string{APIServer, ControllerManager, Scheduler},
		modules:  []string{"k8s.io/kubernetes"},
	}
)

// The projects that a node image has beside these (clusters/kind/image). They
// are built only: who can download a release can pull kind's own node image.
var (
	node = project{
		name: "kubernetes-node", major: "v1", example: "v1.36 or v1.36.3",
		binaries: []string{KubernetesNode},
		commands: NodeCommands(),
		modules:  []string{"k8s.io/kubernetes"},
	}
	containerd = project{
		name: "containerd", major: "v2", example: "v2.3.4",
		binaries:  []string{Containerd, ContainerdShim, Ctr},
		modules:   []string{"github.com/containerd/containerd/v2"},
		packages:  []string{"cmd/containerd", "cmd/containerd-shim-runc-v2", "cmd/ctr"},
		tags:      "no_btrfs,no_devmapper,no_aufs,no_zfs,urfave_cli_no_docs,osusergo,netgo,static_build",
		versionIn: "github.com/containerd/containerd/v2/version.Version",
	}
	criTools = project{
		name: "cri-tools", major: "v1", example: "v1.36.0",
		binaries:  []string{Crictl},
		modules:   []string{"sigs.k8s.io/cri-tools"},
		packages:  []string{"cmd/crictl"},
		versionIn: "sigs.k8s.io/cri-tools/pkg/version.Version",
	}
	cniPlugins = project{
		name: "cni-plugins", major: "v1", example: "v1.9.1",
		binaries:  CNIPlugins(),
		modules:   []string{"github.com/containernetworking/plugins"},
		packages:  []string{"plugins/main/ptp", "plugins/ipam/host-local", "plugins/main/loopback", "plugins/meta/portmap"},
		versionIn: "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion",
	}
)

// projects are all of them.
func projects() []project {
	return []project{etcd, kubernetes, node, containerd, criTools, cniPlugins}
}

// projectOf returns the project that a binary belongs to.
func projectOf(name string) (project, error) {
	for _, p := range projects() {
		if slices.Contains(p.binaries, name) {
			return p, nil
		}
	}
	return project{}, fmt.Errorf("no component is called %q: there are %s", name, strings.Join(Names(), ", "))
}

// moduleOf is the module that the wanted binary comes from.
func moduleOf(w wanted) string {
	paths := w.project.modules
	return paths[min(slices.Index(w.project.binaries, w.name), len(paths)-1)]
}
