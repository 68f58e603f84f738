package components

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// binDirs remembers the binaries of the user's own directories, so that a
// trial does not ask and digest again what has not changed.
type binDirs struct {
	mu    sync.Mutex
	known map[string]known
}

type known struct {
	binary Binary
	size   int64
	mtime  time.Time
}

// get returns the binary of that name in dir.
func (d *binDirs) get(ctx context.Context, name, dir string) (Binary, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binary{}, fmt.Errorf("binDir of %s: %w", name, err)
	}
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Binary{}, fmt.Errorf("no %s at %s: build it there, or name another binDir", name, path)
	case err != nil:
		return Binary{}, fmt.Errorf("binDir of %s: %w", name, err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return Binary{}, fmt.Errorf("%s is no executable file: its mode is %s", path, info.Mode())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if k, ok := d.known[path]; ok && k.size == info.Size() && k.mtime.Equal(info.ModTime()) {
		return k.binary, nil
	}
	version, err := askVersion(ctx, name, path)
	if err != nil {
		return Binary{}, err
	}
	sum, err := Digest(path)
	if err != nil {
		return Binary{}, fmt.Errorf("digest of %s: %w", path, err)
	}
	b := Binary{
		Name: name, Version: version, Path: path, SHA256: sum, GoVersion: goVersionOf(path),
		Origin: "binDir " + dir, Source: path,
	}
	if d.known == nil {
		d.known = map[string]known{}
	}
	d.known[path] = known{b, info.Size(), info.ModTime()}
	return b, nil
}

// askTimeout bounds how long a binary may take to tell its version.
const askTimeout = 20 * time.Second

// askVersion runs a binary to have its version, with the leading v.
func askVersion(ctx context.Context, name, path string) (string, error) {
	arg := "--version"
	if name == Etcdctl || name == Etcdutl {
		arg = "version"
	}
	out, err := ask(ctx, path, arg)
	if err != nil {
		return "", err
	}
	version, ok := readVersion(name, out)
	if !ok {
		return "", fmt.Errorf("%s %s does not tell the version of %s; it says %q", path, arg, name, firstLine(out))
	}
	return version, nil
}

// etcdVersion matches what etcd and its tools print first: "etcd Version:
// 3.6.16", "etcdctl version: 3.6.16". The Kubernetes servers print "Kubernetes
// v1.36.3".
var (
	etcdVersion       = regexp.MustCompile(`(?m)^(etcd|etcdctl|etcdutl) [Vv]ersion: v?([0-9]+\.[0-9]+\.\S+)`)
	kubernetesVersion = regexp.MustCompile(`(?m)^Kubernetes v([0-9]+\.[0-9]+\.\S+)`)
)

// readVersion finds the version in what a binary printed.
func readVersion(name, out string) (string, bool) {
	if m := etcdVersion.FindStringSubmatch(out); m != nil && m[1] == name {
		return "v" + m[2], true
	}
	if p, err := projectOf(name); err == nil && p.name == kubernetes.name {
		if m := kubernetesVersion.FindStringSubmatch(out); m != nil {
			return "v" + m[1], true
		}
	}
	return "", false
}

// stderrOf returns what a failed command said, to be put behind its error.
func stderrOf(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return ""
	}
	return ": " + strings.TrimSpace(string(exit.Stderr))
}
