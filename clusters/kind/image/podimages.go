package image

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/storm-harness/storm/clusters/components"
)

// etcdTag is kubeadm's tag of an etcd image: 3.6.8-0.
var etcdTag = regexp.MustCompile(`^v?([0-9]+\.[0-9]+\.[0-9]+)(-[0-9]+)?$`)

// wantedImages is what kubeadm asks for on a node of the control plane, of what
// `kubeadm config images list` prints: the servers, and etcd.
type wantedImages struct {
	servers     []string // kube-apiserver, kube-controller-manager, kube-scheduler
	etcd        string
	etcdVersion string // v3.6.8
}

// readWanted reads kubeadm's list. CoreDNS and kube-proxy are left out: a cluster
// of storm's runs neither (docs/kind.md).
func readWanted(lines []string) (wantedImages, error) {
	var w wantedImages
	for _, name := range lines {
		repository, tag, ok := strings.Cut(path.Base(name), ":")
		switch {
		case !ok:
		case slices.Contains([]string{components.APIServer, components.ControllerManager, components.Scheduler}, repository):
			w.servers = append(w.servers, name)
		case repository == components.Etcd:
			m := etcdTag.FindStringSubmatch(tag)
			if m == nil {
				return w, fmt.Errorf("kubeadm's image %s is of no version of etcd", name)
			}
			w.etcd, w.etcdVersion = name, "v"+m[1]
		}
	}
	if len(w.servers) != 3 || w.etcd == "" {
		return w, fmt.Errorf("kubeadm lists the images %q, not three servers and etcd", lines)
	}
	return w, nil
}

// podImages are the images of a node's static pods. The servers' images are of
// one layer, so that it is stored and unpacked once.
func podImages(w wantedImages, have parts, etcd parts, pause string, pauseBinary components.Binary) []podImage {
	var servers layout
	servers.dir("/usr")
	servers.dir("/usr/local")
	servers.dir("/usr/local/bin")
	servers.binary("/usr/local/bin/"+components.KubernetesNode, have[components.KubernetesNode])
	for _, name := range components.NodeCommands() {
		servers.symlink("/usr/local/bin/"+name, components.KubernetesNode)
	}
	var images []podImage
	for _, name := range w.servers {
		repository, _, _ := strings.Cut(path.Base(name), ":")
		images = append(images, podImage{name: name, files: servers, entrypoint: []string{repository}})
	}
	var members layout
	members.dir("/usr")
	members.dir("/usr/local")
	members.dir("/usr/local/bin")
	members.etcd(etcd)
	var sandbox layout
	sandbox.binary("/pause", pauseBinary)
	return append(images,
		podImage{name: w.etcd, files: members, entrypoint: []string{components.Etcd}},
		podImage{name: pause, files: sandbox, entrypoint: []string{"/pause"}})
}

// etcd puts etcd and its tools in place.
func (l *layout) etcd(have parts) {
	for _, name := range []string{components.Etcd, components.Etcdctl, components.Etcdutl} {
		l.binary("/usr/local/bin/"+name, have[name])
	}
}
