// Package components obtains the binaries of a control plane: etcd with its
// tools, and the Kubernetes servers, in a wanted version.
//
// They come from, in order: the cache in the user's cache directory, the
// official release download checked against its published checksum, and a
// build from the Go module proxy. Or they come from a directory that the user
// names, the build under test: then nothing is fetched and nothing is cached.
//
// The cache holds one directory a binary, beside its manifest:
//
//	linux-amd64/kube-apiserver/v1.36.3/kube-apiserver
//	linux-amd64/kube-apiserver/v1.36.3/manifest.json
//	aside/kubernetes-v1.36.3/        what is being fetched or built now
//	locks/kubernetes-v1.36.3         held while that happens; holds the pid
//
// An entry appears whole, by a rename, so whatever kills a download or a build
// leaves nothing but its directory aside, which the next one removes.
package components

import (
	"slices"
	"time"
)

// The names of the binaries of a cluster.
const (
	Etcd              = "etcd"
	Etcdctl           = "etcdctl"
	Etcdutl           = "etcdutl"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// The names of the binaries that a node has beside them.
const (
	KubernetesNode = "kubernetes-node" // NodeCommands in one
	Containerd     = "containerd"
	ContainerdShim = "containerd-shim-runc-v2"
	Ctr            = "ctr"
	Crictl         = "crictl"
)

// NodeCommands lists what KubernetesNode is, by the name that it is run by.
func NodeCommands() []string {
	return []string{APIServer, ControllerManager, Scheduler, "kubelet", "kubeadm", "kubectl", "kube-proxy"}
}

// CNIPlugins lists the plugins of container networking that a node has.
func CNIPlugins() []string { return []string{"ptp", "host-local", "loopback", "portmap"} }

// Names lists the binaries of a cluster, which is what most callers want all of.
func Names() []string {
	return slices.Concat(etcd.binaries, kubernetes.binaries)
}

// Request names a binary that is wanted.
type Request struct {
	Name string // one of Names, or of a node's binaries
	// Version is v1.36.3, or v1.36 for the newest patch release at hand: the
	// cache's if it has one, or else the newest that is published.
	Version string
	// BinDir is a directory to take the binary from. The binary is then asked
	// for its version; Version is not looked at.
	BinDir string
}

// Binary is a binary that is there to be run, and what is known of it.
type Binary struct {
	Name      string    `json:"component"`
	Version   string    `json:"version"`             // v1.36.3
	Path      string    `json:"path,omitempty"`      // absolute
	SHA256    string    `json:"sha256"`              // hexadecimal
	GoVersion string    `json:"goVersion,omitempty"` // go1.26.8; empty where the file does not say
	Origin    string    `json:"origin"`              // OriginRelease, OriginModules or "binDir /path"
	Source    string    `json:"source"`              // the URL, or the module with its version and sum
	Built     time.Time `json:"builtAt,omitzero"`    // when it entered the cache
}

// The origins of a cached binary.
const (
	OriginRelease = "release"
	OriginModules = "module build"
)

// wanted is a request whose version is settled.
type wanted struct {
	project project
	name    string
	version string // v1.36.3
}

func (w wanted) String() string { return w.name + " " + w.version }

// release names what is fetched or built in one go, and locked meanwhile.
func (w wanted) release() string { return w.project.name + "-" + w.version }
