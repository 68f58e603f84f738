package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/storm-harness/storm/clusters/components"
)

// containerdConfig is where containerd's configuration is, among kind's files
// and in the image.
const containerdConfig = "/etc/containerd/config.toml"

// parts are the binaries of a node, by their name.
type parts map[string]components.Binary

// nodeLayout is what makes a node of a Debian file system: kind's own files, the
// binaries where kind looks for them, and what kind's build writes.
func nodeLayout(k kindModule, have parts, version string, spec []byte) (layout, error) {
	l, err := kindFiles(k.filesDir())
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"/kind/manifests", "/etc/kubernetes", "/etc/kubernetes/manifests", "/opt/cni", "/opt/cni/bin", "/etc/cni", "/etc/cni/net.d"} {
		l.dir(dir)
	}
	for _, name := range []string{components.Containerd, components.ContainerdShim, components.Ctr, components.Crictl} {
		l.binary("/usr/local/bin/"+name, have[name])
	}
	for _, name := range components.CNIPlugins() {
		l.binary("/opt/cni/bin/"+name, have[name])
	}
	l.binary("/usr/bin/"+components.KubernetesNode, have[components.KubernetesNode])
	for _, name := range []string{"kubelet", "kubeadm", "kubectl", "kube-proxy"} {
		l.symlink("/usr/bin/"+name, components.KubernetesNode)
	}
	for _, unit := range []string{"containerd", "kubelet", "undo-mount-hacks"} {
		l.symlink("/etc/systemd/system/multi-user.target.wants/"+unit+".service", "/etc/systemd/system/"+unit+".service")
	}
	l.symlink("/etc/systemd/system/systemd-binfmt.service", "/dev/null") // what it registers is the whole kernel's
	l.text("/kind/version", version)
	l.text("/kind/manifests/default-cni.yaml", cniNote)
	l.text("/kind/manifests/default-storage.yaml", storageClass)
	l.text("/etc/cni/net.d/20-storm.conflist", podNetwork)
	base, err := baseSpec(spec)
	if err != nil {
		return nil, err
	}
	l.put("/etc/containerd/cri-base.json", 0o644, base)
	return l, nil
}

// kindFiles are kind's files, where its Dockerfile copies them to. A module has
// no file modes: what is a program is told by its place. The snapshotter for
// rootless containers is left out, with its unit.
func kindFiles(dir string) (layout, error) {
	var l layout
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "containerd-fuse-overlayfs") {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := "/" + filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(file, dir), string(filepath.Separator)))
		mode := fs.FileMode(0o644)
		if in := path.Dir(name); in == "/usr/local/bin" || in == "/kind/bin" {
			mode = 0o755
		}
		if name == containerdConfig {
			if data, err = adjustContainerd(data); err != nil {
				return err
			}
		}
		l.put(name, mode, data)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kind's files: %w", err)
	}
	l.dir("/kind")
	l.dir("/kind/bin")
	return l, nil
}

// adjustContainerd lets containerd start pods where it may not lower a score of
// the out-of-memory killer: without CAP_SYS_RESOURCE. Elsewhere this changes
// nothing, as containerd's own score is lower than any that a pod asks for.
func adjustContainerd(config []byte) ([]byte, error) {
	before, after := []byte("restrict_oom_score_adj = false"), []byte("restrict_oom_score_adj = true")
	if bytes.Count(config, before) != 1 {
		return nil, errors.New("kind's configuration of containerd says restrict_oom_score_adj otherwise than this follows it")
	}
	return bytes.Replace(config, before, after, 1), nil
}

// baseSpec makes what kind's Dockerfile makes of the output of `ctr oci spec`:
// the specification that every container on a node begins from.
func baseSpec(data []byte) ([]byte, error) {
	var spec map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&spec); err != nil {
		return nil, fmt.Errorf("output of ctr oci spec: %w", err)
	}
	process, ok := spec["process"].(map[string]any)
	if !ok {
		return nil, errors.New("output of ctr oci spec: there is no process in it")
	}
	delete(process, "rlimits")
	hooks, _ := spec["hooks"].(map[string]any)
	if hooks == nil {
		hooks = map[string]any{}
	}
	create, _ := hooks["createContainer"].([]any)
	hooks["createContainer"] = append(slices.Clone(create), map[string]any{"path": "/kind/bin/mount-product-files.sh"})
	spec["hooks"] = hooks
	return json.MarshalIndent(spec, "", "  ")
}
