package components

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/storm-harness/storm/clusters"
)

// releases is the source of the official release downloads.
type releases struct {
	kubernetes, etcd string // base URLs
	get              downloader
}

func (r *releases) String() string { return "release download" }

// Newest asks the index of Kubernetes releases. etcd publishes none.
func (r *releases) Newest(ctx context.Context, p project, minor string) (string, error) {
	if p.name != kubernetes.name {
		return "", errors.New(p.name + " publishes no index of its patch releases")
	}
	url := r.kubernetes + "/release/stable-" + strings.TrimPrefix(minor, "v") + ".txt"
	v, err := r.get.text(ctx, url)
	if err != nil {
		return "", err
	}
	if !semver.IsValid(v) || semver.MajorMinor(v) != minor {
		return "", fmt.Errorf("GET %s: %.40q is no patch release of %s", url, v, minor)
	}
	return v, nil
}

// Fetch downloads one Kubernetes binary, or etcd's archive with its tools.
func (r *releases) Fetch(ctx context.Context, w wanted, dir string, sink clusters.Sink) ([]Binary, error) {
	if w.project.name == kubernetes.name {
		return r.fetchKubernetes(ctx, w, dir, sink)
	}
	return r.fetchEtcd(ctx, w, dir, sink)
}

// fetchKubernetes gets release/v1.36.3/bin/linux/amd64/kube-apiserver, checked
// against the file of that name and .sha512.
func (r *releases) fetchKubernetes(ctx context.Context, w wanted, dir string, sink clusters.Sink) ([]Binary, error) {
	url := r.kubernetes + "/release/" + w.version + "/bin/" + runtime.GOOS + "/" + runtime.GOARCH + "/" + w.name
	text, err := r.get.text(ctx, url+".sha512")
	if err != nil {
		return nil, err
	}
	want, err := checksum(text, w.name, sha512.Size)
	if err != nil {
		return nil, fmt.Errorf("GET %s.sha512: %w", url, err)
	}
	b := Binary{Name: w.name, Path: filepath.Join(dir, w.name), Origin: OriginRelease, Source: url}
	report := parts(sink, w.name, "downloading "+w.version+", MiB")
	if err := r.get.file(ctx, url, b.Path, sha512.New(), want, report); err != nil {
		return nil, err
	}
	return []Binary{b}, nil
}

// fetchEtcd gets v3.6.16/etcd-v3.6.16-linux-amd64.tar.gz, checked against the
// SHA256SUMS beside it.
func (r *releases) fetchEtcd(ctx context.Context, w wanted, dir string, sink clusters.Sink) ([]Binary, error) {
	base := r.etcd + "/" + w.version + "/"
	name := "etcd-" + w.version + "-" + runtime.GOOS + "-" + runtime.GOARCH
	text, err := r.get.text(ctx, base+"SHA256SUMS")
	if err != nil {
		return nil, err
	}
	want, err := checksum(text, name+".tar.gz", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("GET %sSHA256SUMS: %w", base, err)
	}
	archive := filepath.Join(dir, name+".tar.gz")
	report := parts(sink, w.name, "downloading "+w.version+", MiB")
	if err := r.get.file(ctx, base+name+".tar.gz", archive, sha256.New(), want, report); err != nil {
		return nil, err
	}
	made, err := unpack(archive, name, w.project.binaries, dir)
	if err != nil {
		return nil, fmt.Errorf("%s%s.tar.gz: %w", base, name, err)
	}
	for i := range made {
		made[i].Origin, made[i].Source = OriginRelease, base+name+".tar.gz"
	}
	if !slices.ContainsFunc(made, func(b Binary) bool { return b.Name == w.name }) {
		return nil, fmt.Errorf("%s%s.tar.gz has no %s", base, name, w.name)
	}
	return made, nil
}

// checksum finds a file's digest in a checksum file: "digest  name" a line, or
// the digest alone.
func checksum(text, name string, size int) (string, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 1 && strings.TrimSpace(text) == fields[0]:
		case len(fields) == 2 && path.Base(strings.TrimPrefix(fields[1], "*")) == name:
		default:
			continue
		}
		if raw, err := hex.DecodeString(fields[0]); err != nil || len(raw) != size {
			return "", fmt.Errorf("%.40q is no digest of %d bytes", fields[0], size)
		}
		return fields[0], nil
	}
	return "", fmt.Errorf("it has no checksum of %s", name)
}

// maxBinary bounds what is unpacked: the largest binary is some 120 MB.
const maxBinary = 1 << 30

// unpack takes the named files, in the folder top of a .tar.gz, into dir.
func unpack(archive, top string, names []string, dir string) (made []Binary, err error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	zr, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return made, nil
		}
		if err != nil {
			return nil, err
		}
		folder, name := path.Split(path.Clean(h.Name))
		if h.Typeflag != tar.TypeReg || path.Clean(folder) != top || !slices.Contains(names, name) {
			continue
		}
		if h.Size > maxBinary {
			return nil, fmt.Errorf("%s claims %d bytes", h.Name, h.Size)
		}
		b := Binary{Name: name, Path: filepath.Join(dir, name)}
		if err := writeFile(b.Path, tr); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", h.Name, err)
		}
		made = append(made, b)
	}
}

// writeFile writes a new executable file.
func writeFile(path string, r io.Reader) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, r)
	return err
}
