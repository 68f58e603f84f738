package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/storm-harness/storm/clusters/components"
)

// keyLabel is the label of what is made here: the digest of all that it is made of.
const keyLabel = "storm.kind-image.key"

// The names of the images; a version is their tag.
const (
	baseImage     = "storm/kind-base:" + suite
	nodeImage     = "storm/node"
	etcdImage     = "storm/etcd"
	balancerImage = "storm/kind-loadbalancer"
)

// recipe is how an image is made of the base.
type recipe struct {
	tag    string
	files  layout
	load   []podImage // into containerd's store
	config []string   // of the container that it is made in: arguments of docker create
	change []string   // of the image's configuration: of docker commit
}

// form is how images are made (make.go). A change of that gives another number.
const form = 1

// key is the digest of all that the image is made of.
func (r recipe) key(base debian) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s\n%s\n%s\n%q\n%q\n", form, base.sum, r.files.key(), archiveKey(r.load), r.config, r.change)
	return hex.EncodeToString(h.Sum(nil))
}

// recipes are the images that are wanted, the node's first.
func (m materials) recipes() ([]recipe, error) {
	node, err := nodeLayout(m.kind, m.node, m.kubernetes, m.spec)
	if err != nil {
		return nil, err
	}
	all := []recipe{{
		tag: nodeImage + ":" + m.kubernetes, files: node,
		load: podImages(m.wanted, m.node, m.nodeEtcd, m.kind.pause, m.pause),
		// systemd ends on SIGRTMIN+3, and looks for the variable container.
		config: []string{"--stop-signal=SIGRTMIN+3", "--env=container=docker"},
		change: []string{
			`ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]`, "CMD []",
			label("storm.kubernetes", m.kubernetes), label("storm.etcd", m.nodeEtcd[components.Etcd].Version), label("storm.kind", m.kind.version),
		},
	}}
	for _, p := range m.shards {
		var l layout
		l.etcd(p)
		version := p[components.Etcd].Version
		all = append(all, recipe{tag: etcdImage + ":" + version, files: l, change: []string{`CMD ["etcd"]`, label("storm.etcd", version)}})
	}
	var l layout
	l.binary("/usr/local/bin/envoy", m.balancer)
	return append(all, recipe{tag: balancerTag(m.kind.balancer), files: l, change: []string{`CMD ["envoy"]`}}), nil
}

// balancerTag is the name of the load balancer that stands in for kind's: of the
// same tag, as it follows the configuration that kind writes for that one.
func balancerTag(kinds string) string {
	return balancerImage + ":" + kinds[strings.LastIndex(kinds, ":")+1:]
}

func label(name, value string) string { return fmt.Sprintf("LABEL %s=%q", name, value) }
