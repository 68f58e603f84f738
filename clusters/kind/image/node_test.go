package image

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/golden"
)

// spec is what `ctr oci spec` prints, shortened.
const spec = `{"ociVersion":"1.3.0","process":{"args":["sh"],"rlimits":[{"type":"RLIMIT_NOFILE","hard":1024}]},"linux":{"x":12345678901234567890}}`

// nodeParts are binaries that need not be there: a layout is not read here.
func nodeParts() parts {
	have := parts{}
	for _, name := range append(components.CNIPlugins(), components.KubernetesNode, components.Containerd, components.ContainerdShim, components.Ctr, components.Crictl) {
		have[name] = components.Binary{Name: name, Version: "v1.36.3", Path: "/cache/" + name, SHA256: "sum of " + name}
	}
	return have
}

// kind's source, of the version in go.mod, is as this follows it.
func TestKindAsItIsFollowed(t *testing.T) {
	k, err := findKind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "kind", strings.Join([]string{k.version, k.containerd, k.criTools, k.cniPlugins, k.balancer, k.pause}, "\n")+"\n")
	l, err := nodeLayout(k, nodeParts(), "v1.36.3", []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "node", l.String())
}

func TestBaseSpec(t *testing.T) {
	out, err := baseSpec([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "cri-base", string(out)+"\n")
	for _, odd := range []string{"", "[]", `{"process":[]}`, "{}"} {
		if _, err := baseSpec([]byte(odd)); err == nil {
			t.Errorf("%q was taken", odd)
		}
	}
	kept, err := baseSpec([]byte(`{"process":{},"hooks":{"createContainer":[{"path":"/first"}],"poststop":[]}}`))
	if err != nil || !strings.Contains(string(kept), "/first") || !strings.Contains(string(kept), "poststop") {
		t.Errorf("hooks were lost: %s, %v", kept, err)
	}
}

// What comes out is one JSON object with the hook in it, whatever went in.
func FuzzBaseSpec(f *testing.F) {
	f.Add([]byte(spec))
	f.Add([]byte(`{"process":{},"hooks":{"createContainer":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := baseSpec(data)
		if err != nil {
			return
		}
		var got struct {
			Process map[string]any
			Hooks   struct{ CreateContainer []any }
		}
		if err := json.Unmarshal(out, &got); err != nil || len(got.Hooks.CreateContainer) == 0 {
			t.Errorf("%q became %q: %v", data, out, err)
		}
	})
}

func TestAdjustContainerdRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, config := range []string{"", "restrict_oom_score_adj = true", "restrict_oom_score_adj = false\nrestrict_oom_score_adj = false"} {
		if _, err := adjustContainerd([]byte(config)); err == nil {
			t.Errorf("%q was taken", config)
		}
	}
}

func TestReadingKindsDockerfile(t *testing.T) {
	const file = "ARG A=\"v1\"\nRUN echo\nARG B=v2\n  ARG C=\"v3\"\nARG D\nARG AB=\"v4\"\n"
	for name, want := range map[string]string{"A": "v1", "B": "v2", "C": "", "D": "", "AB": "v4", ".": ""} {
		if got := buildArg([]byte(file), name); got != want {
			t.Errorf("ARG %s is %q, want %q", name, got, want)
		}
	}
}
