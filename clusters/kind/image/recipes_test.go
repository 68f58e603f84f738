package image

import (
	"fmt"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/golden"
)

// listed is what `kubeadm config images list` of v1.36.3 prints.
const listed = `registry.k8s.io/kube-apiserver:v1.36.3
registry.k8s.io/kube-controller-manager:v1.36.3
registry.k8s.io/kube-scheduler:v1.36.3
registry.k8s.io/kube-proxy:v1.36.3
registry.k8s.io/coredns/coredns:v1.14.2
registry.k8s.io/pause:3.10.2
registry.k8s.io/etcd:3.6.8-0`

func TestReadWanted(t *testing.T) {
	w, err := readWanted(strings.Split(listed, "\n"))
	if err != nil || len(w.servers) != 3 || w.etcd != "registry.k8s.io/etcd:3.6.8-0" || w.etcdVersion != "v3.6.8" {
		t.Errorf("got %+v, %v", w, err)
	}
	for _, odd := range []string{"", strings.ReplaceAll(listed, "kube-scheduler:", "kube-scheduling:"), strings.ReplaceAll(listed, "3.6.8-0", "latest")} {
		if w, err := readWanted(strings.Split(odd, "\n")); err == nil {
			t.Errorf("%q was taken: %+v", odd, w)
		}
	}
}

// Whatever kubeadm prints, what is taken is three servers and a version of etcd.
func FuzzReadWanted(f *testing.F) {
	f.Add(listed)
	f.Add("kube-apiserver:\nkube-apiserver:\nkube-apiserver:\netcd:1.2.3")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := readWanted(strings.Split(text, "\n"))
		if err == nil && (len(w.servers) != 3 || !strings.HasPrefix(w.etcdVersion, "v") || !strings.Contains(w.etcd, "etcd:")) {
			t.Errorf("%q: %+v", text, w)
		}
	})
}

func sampleMaterials(t *testing.T) materials {
	t.Helper()
	k, err := findKind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := readWanted(strings.Split(listed, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	etcd := func(version string) parts {
		p := parts{}
		for _, name := range []string{components.Etcd, components.Etcdctl, components.Etcdutl} {
			p[name] = components.Binary{Name: name, Version: version, Path: "/cache/" + name, SHA256: version}
		}
		return p
	}
	own := func(name string) components.Binary {
		return components.Binary{Name: name, Path: "/aside/" + name, SHA256: name}
	}
	return materials{
		kind: k, kubernetes: "v1.36.3", node: nodeParts(), spec: []byte(spec), wanted: w,
		nodeEtcd: etcd("v3.6.8"), shards: []parts{etcd("v3.6.16"), etcd("v3.5.35")}, pause: own("pause"), balancer: own("balancer"),
	}
}

func TestRecipes(t *testing.T) {
	recipes, err := sampleMaterials(t).recipes()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range recipes {
		fmt.Fprintf(&b, "%s\n  config %q\n  change %q\n  %d files\n", r.tag, r.config, r.change, len(r.files))
		for _, image := range r.load {
			fmt.Fprintf(&b, "  loads %s, which runs %q\n", image.name, image.entrypoint)
		}
	}
	golden.Check(t, "recipes", b.String())
}

// An image is made again when, and only when, what it is made of changes.
func TestKeysOfRecipes(t *testing.T) {
	keys := func(base string, change func(*materials)) (keys [4]string) {
		m := sampleMaterials(t)
		change(&m)
		recipes, err := m.recipes()
		if err != nil || len(recipes) != len(keys) {
			t.Fatal(len(recipes), err)
		}
		for i, r := range recipes {
			keys[i] = r.key(debian{sum: base})
		}
		return keys
	}
	before := keys("one", func(*materials) {})
	for _, tt := range []struct {
		what, base string
		change     func(*materials)
		differs    [4]bool // node, etcd, another etcd, balancer
	}{
		{"nothing", "one", func(*materials) {}, [4]bool{}},
		{"the file system", "two", func(*materials) {}, [4]bool{true, true, true, true}},
		{"Kubernetes", "one", func(m *materials) { m.node[components.KubernetesNode] = components.Binary{SHA256: "x"} }, [4]bool{0: true}},
		{"pause", "one", func(m *materials) { m.pause.SHA256 = "x" }, [4]bool{0: true}},
		{"etcd of a shard", "one", func(m *materials) { m.shards[1][components.Etcd] = components.Binary{SHA256: "x"} }, [4]bool{2: true}},
		{"the balancer", "one", func(m *materials) { m.balancer.SHA256 = "x" }, [4]bool{3: true}},
	} {
		after := keys(tt.base, tt.change)
		for i := range after {
			if (after[i] != before[i]) != tt.differs[i] {
				t.Errorf("with a change of %s, the key of image %d differs: %v", tt.what, i, after[i] != before[i])
			}
		}
	}
}

func TestBalancerTag(t *testing.T) {
	if got := balancerTag("docker.io/envoyproxy/envoy:v1.36.2"); got != "storm/kind-loadbalancer:v1.36.2" {
		t.Error(got)
	}
}
