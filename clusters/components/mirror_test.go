package components

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// mirror is a web server of the layout of the official releases: those of
// Kubernetes below /k8s, those of etcd below /etcd.
type mirror struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	cut   map[string]bool          // paths whose transfer ends in the middle
	hold  map[string]chan struct{} // paths that wait in the middle for the channel to close
	asked map[string]int           // requests by path
	half  chan string              // told each path that waits
}

func newMirror(t *testing.T) *mirror {
	m := &mirror{
		files: map[string][]byte{}, cut: map[string]bool{}, hold: map[string]chan struct{}{}, asked: map[string]int{},
		half: make(chan string, 16),
	}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

// options are those of a store that knows no other place.
func (m *mirror) options() Options {
	return Options{KubernetesURL: m.URL + "/k8s", EtcdURL: m.URL + "/etcd"}
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	data, ok := m.files[r.URL.Path]
	cut, hold := m.cut[r.URL.Path], m.hold[r.URL.Path]
	m.asked[r.URL.Path]++
	m.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	half := len(data) / 2
	_, _ = w.Write(data[:half])
	if cut || hold != nil {
		_ = http.NewResponseController(w).Flush()
	}
	if cut {
		panic(http.ErrAbortHandler) // closes the connection
	}
	if hold != nil {
		m.half <- r.URL.Path
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = w.Write(data[half:])
}

// change changes what is published, or how.
func (m *mirror) change(f func(*mirror)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// holdAt makes the transfer of a path wait in the middle until the returned
// function is called. The channel half tells when it is there.
func (m *mirror) holdAt(path string) (resume func()) {
	gate := make(chan struct{})
	m.change(func(m *mirror) { m.hold[path] = gate })
	return func() { close(gate) }
}

func (m *mirror) count(path string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[path]
}

// script is the content of an executable that tells its version as the real
// one does.
func script(name, version string) []byte {
	says := "Kubernetes " + version
	if p, err := projectOf(name); err == nil && p.name == etcd.name {
		says = name + " version: " + version[1:]
	}
	return fmt.Appendf(nil, "#!/bin/sh\necho '%s'\n", says)
}

// kubernetes publishes a binary and returns its path on the server.
func (m *mirror) kubernetes(name, version string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := "/k8s/release/" + version + "/bin/linux/" + runtime.GOARCH + "/" + name
	m.files[path] = script(name, version)
	m.files[path+".sha512"] = fmt.Appendf(nil, "%x", sha512.Sum512(m.files[path]))
	return path
}

// etcd publishes an archive with the named binaries and returns its path.
func (m *mirror) etcd(t *testing.T, version string, names ...string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	top := "etcd-" + version + "-linux-" + runtime.GOARCH
	path := "/etcd/" + version + "/" + top + ".tar.gz"
	m.files[path] = archive(t, top, version, names...)
	m.files["/etcd/"+version+"/SHA256SUMS"] = fmt.Appendf(nil, "%064d  etcd-%s-darwin-%s.zip\n%x  %s.tar.gz\n",
		0, version, runtime.GOARCH, sha256.Sum256(m.files[path]), top)
	return path
}

// stable publishes the index of a minor version.
func (m *mirror) stable(minor, version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files["/k8s/release/stable-"+minor+".txt"] = []byte(version + "\n")
}

// archive makes an etcd release archive: documentation, and the binaries.
func archive(t testing.TB, top, version string, names ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	put := func(h tar.Header, data []byte) {
		h.Size = int64(len(data))
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	put(tar.Header{Name: top + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	put(tar.Header{Name: top + "/README.md", Mode: 0o644}, []byte("etcd\n"))
	put(tar.Header{Name: top + "/Documentation/etcd", Mode: 0o644}, []byte("not the binary\n"))
	for _, name := range names {
		put(tar.Header{Name: top + "/" + name, Mode: 0o755}, script(name, version))
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
