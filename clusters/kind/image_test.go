package kind

import (
	"errors"
	"strings"
	"testing"
)

func TestTheNodeImageOfAVersion(t *testing.T) {
	const usual = "kindest/node:v1.37.0@sha256:abc"
	for name, c := range map[string]struct {
		version string
		there   map[string][]string
		want    string
		is      string
	}{
		"nothing is there":         {"v1.36.3", nil, "kindest/node:v1.36.3", "v1.36.3"},
		"nothing of a minor":       {"v1.36", nil, "kindest/node:v1.36", "v1.36"},
		"kind's own":               {"v1.37", nil, usual, "v1.37.0"},
		"storm's first":            {"v1.36.3", map[string][]string{ownNodes: {"v1.36.3"}, kindNodes: {"v1.36.3"}}, "storm/node:v1.36.3", "v1.36.3"},
		"the newest of a minor":    {"v1.36", map[string][]string{ownNodes: {"v1.36.3", "latest", "v1.36.10", "v1.35.4"}}, "storm/node:v1.36.10", "v1.36.10"},
		"kind's where storm's not": {"v1.35", map[string][]string{ownNodes: {"v1.36.3"}, kindNodes: {"v1.35.4"}}, "kindest/node:v1.35.4", "v1.35.4"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := chosen(c.version, c.there, usual); got.name != c.want || got.version != c.is {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

// Kind publishes images of some patch releases: they are asked for from the newest down.
func TestPatchReleases(t *testing.T) {
	var names []string
	for _, i := range patches("v1.36.3") {
		names = append(names, i.name)
	}
	if got := strings.Join(names, " "); got != "kindest/node:v1.36.3 kindest/node:v1.36.2 kindest/node:v1.36.1 kindest/node:v1.36.0" {
		t.Error(got)
	}
	if got := patches("devel"); got != nil {
		t.Error(got)
	}
}

func TestWhichImagesAreOpen(t *testing.T) {
	for _, c := range []struct {
		image
		want bool
	}{
		{image{name: "kindest/node:v1.36", version: "v1.36"}, true}, {image{name: "kindest/node:v1.36.3", version: "v1.36.3"}, false},
		{image{name: "registry.example.com/node:v1.36", version: "v1.36"}, false}, {image{name: "me/node:latest", version: "v1.36"}, false},
	} {
		if c.open() != c.want {
			t.Errorf("%s, of %s: %v", c.name, c.version, !c.want)
		}
	}
}

func TestVersionInAName(t *testing.T) {
	for name, want := range map[string]string{
		"kindest/node:v1.36.3@sha256:0a": "v1.36.3", "localhost:5000/node": "", "me/node:latest": "", "me/node:v1.37.0-rc.1": "v1.37.0-rc.1",
	} {
		if got := versionIn(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestErrorsHaveANextStep(t *testing.T) {
	for said, want := range map[string]string{
		"write /var/lib: no space left on device":                                                               "docker system prune",
		"Error starting userland proxy: listen tcp4 127.0.0.1:18999: bind: address already in use":              "a port is taken",
		"Bind for 127.0.0.1:6443 failed: port is already allocated":                                             "a port is taken",
		`node(s) already exist for a cluster with the name "storm-x"`:                                           "storm cleanup",
		"failed to pull image \"kindest/node:v1\"":                                                              "make kind-image",
		`your configuration file uses an old API spec: "kubeadm.k8s.io/v1beta2" (kind: "ClusterConfiguration")`: "--node-image",
		"this version of kubeadm only supports deploying clusters with the control plane version >= 1.35.0":     "--node-image",
	} {
		err := errors.New(said)
		if got := explained(err); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%q: %v, want %q", said, got, want)
		}
	}
	if err := errors.New("quite another"); explained(err).Error() != err.Error() {
		t.Errorf("got %v", explained(err))
	}
}

func TestStepsOfKind(t *testing.T) {
	for said, want := range map[string]string{
		" • Preparing nodes 📦  ...\n":             "kind: Preparing nodes",
		" ✓ Starting control-plane 🕹️\n":          "kind: Starting control-plane: done",
		" ✗ Joining more control-plane nodes 🎮\n": "kind: Joining more control-plane nodes: failed",
		"Creating cluster \"x\" ...\n":            "",
	} {
		if got := stepOf(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func TestExitText(t *testing.T) {
	for how, want := range map[string]string{
		"exit status 137": "signal: killed", "exit status 143": "signal: terminated", "exit status 1": "exit status 1", "signal: killed": "signal: killed",
	} {
		if got := exitText(how); got != want {
			t.Errorf("%s: %s, want %s", how, got, want)
		}
	}
}
