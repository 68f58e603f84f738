package components

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
)

func TestReleaseOfKubernetes(t *testing.T) {
	m := newMirror(t)
	path := m.kubernetes(APIServer, "v1.36.3")
	s := open(t, m.options())
	b := get(t, s, APIServer, "v1.36.3")
	if b.Origin != OriginRelease || b.Source != m.URL+path || b.Version != "v1.36.3" || b.Built.IsZero() {
		t.Errorf("got %+v", b)
	}
	if got := content(t, b.Path); got != string(script(APIServer, "v1.36.3")) {
		t.Errorf("the binary holds %q", got)
	}
	if sum, err := Digest(b.Path); err != nil || sum != b.SHA256 {
		t.Errorf("digest %s, %v; said %s", sum, err, b.SHA256)
	}
	if v, err := askVersion(t.Context(), APIServer, b.Path); err != nil || v != "v1.36.3" {
		t.Errorf("run, it says %s, %v", v, err)
	}
	if again := get(t, s, APIServer, "v1.36.3"); again != b {
		t.Errorf("the cache gives %+v, not %+v", again, b)
	}
	if n := m.count(path); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
}

func TestReleaseOfEtcdBringsItsTools(t *testing.T) {
	m := newMirror(t)
	path := m.etcd(t, "v3.6.16", Etcd, Etcdctl, Etcdutl)
	s := open(t, m.options())
	for _, name := range etcd.binaries {
		b := get(t, s, name, "v3.6.16")
		if v, err := askVersion(t.Context(), name, b.Path); err != nil || v != "v3.6.16" {
			t.Errorf("run, %s says %s, %v", name, v, err)
		}
	}
	if n := m.count(path); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
	if got := leftovers(t, s); len(got) != 0 {
		t.Errorf("left behind: %s", got)
	}
}

// What is wrong with a download must be said, and must not get into the cache;
// and the next try, from a server in order, must not suffer from it.
func TestBadReleaseNeverEntersTheCache(t *testing.T) {
	kube := "/k8s/release/v1.36.3/bin/linux/" + runtime.GOARCH + "/kube-apiserver"
	tar := "/etcd/v3.6.16/etcd-v3.6.16-linux-" + runtime.GOARCH + ".tar.gz"
	for _, tt := range []struct {
		name  string
		spoil func(*mirror)
		want  string
		what  string
	}{
		{"kubernetes altered", func(m *mirror) { m.files[kube][5] ^= 1 }, APIServer, "wrong checksum: got "},
		{"kubernetes cut off", func(m *mirror) { m.cut[kube] = true }, APIServer, "cut off after 18 of 36 bytes: unexpected EOF"},
		{"kubernetes not there", func(m *mirror) { delete(m.files, kube) }, APIServer, kube + ": 404 Not Found"},
		{"kubernetes without checksum", func(m *mirror) { delete(m.files, kube+".sha512") }, APIServer, kube + ".sha512: 404 Not Found"},
		{"kubernetes checksum of the wrong kind", func(m *mirror) { m.files[kube+".sha512"] = []byte("abcd") }, APIServer, "is no digest of 64 bytes"},
		{"kubernetes page in place of a checksum", func(m *mirror) { m.files[kube+".sha512"] = []byte("<html>log in</html>") }, APIServer, "has no checksum of kube-apiserver"},
		{"etcd altered", func(m *mirror) { m.files[tar][40] ^= 1 }, Etcdutl, "wrong checksum: got "},
		{"etcd cut off", func(m *mirror) { m.cut[tar] = true }, Etcdutl, "cut off after "},
		{"etcd not there", func(m *mirror) { delete(m.files, tar) }, Etcdutl, ".tar.gz: 404 Not Found"},
		{"etcd not among the checksums", func(m *mirror) { m.files["/etcd/v3.6.16/SHA256SUMS"] = []byte("00  other\n") }, Etcdutl, "has no checksum of etcd-v3.6.16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMirror(t)
			m.kubernetes(APIServer, "v1.36.3")
			m.etcd(t, "v3.6.16", Etcd, Etcdctl, Etcdutl)
			m.change(tt.spoil)
			o := m.options()
			o.Dir = t.TempDir()
			s := open(t, o)
			version := "v3.6.16"
			if tt.want == APIServer {
				version = "v1.36.3"
			}
			_, err := s.Get(t.Context(), Request{Name: tt.want, Version: version}, record(t))
			var unavailable *UnavailableError
			if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), tt.what) {
				t.Fatalf("error %v, want one that says %q", err, tt.what)
			}
			if got := list(t, s); len(got) != 0 {
				t.Errorf("in the cache: %s", got)
			}
			if got := leftovers(t, s); len(got) != 0 {
				t.Errorf("left behind: %s", got)
			}

			good := newMirror(t)
			good.kubernetes(APIServer, "v1.36.3")
			good.etcd(t, "v3.6.16", Etcd, Etcdctl, Etcdutl)
			o = good.options()
			o.Dir = s.Dir()
			get(t, open(t, o), tt.want, version)
		})
	}
}

// etcd 3.4 has no etcdutl: the archive is good, but of no use for that.
func TestReleaseWithoutTheWantedBinary(t *testing.T) {
	m := newMirror(t)
	m.etcd(t, "v3.4.32", Etcd, Etcdctl)
	s := open(t, m.options())
	_, err := s.Get(t.Context(), Request{Name: Etcdutl, Version: "v3.4.32"}, record(t))
	if err == nil || !strings.Contains(err.Error(), ".tar.gz has no etcdutl") {
		t.Errorf("got %v", err)
	}
	get(t, s, Etcd, "v3.4.32")
	if got, want := list(t, s), []string{"etcd v3.4.32", "etcdctl v3.4.32"}; !slices.Equal(got, want) {
		t.Errorf("in the cache %q, want %q", got, want)
	}
}

// A server that stands still in the middle is given up.
func TestStalledDownloadIsGivenUp(t *testing.T) {
	m := newMirror(t)
	path := m.kubernetes(APIServer, "v1.36.3")
	m.holdAt(path) // for ever
	o := m.options()
	o.StallTimeout = 300 * time.Millisecond
	_, err := open(t, o).Get(t.Context(), Request{Name: APIServer, Version: "v1.36.3"}, record(t))
	if err == nil || !strings.Contains(err.Error(), "nothing came for 300ms") {
		t.Errorf("got %v", err)
	}
}

// A network without a way out drops what is sent to it. Here that is a full
// backlog: connections to it are never answered.
func TestClosedNetworkIsGivenUp(t *testing.T) {
	address := unanswered(t)
	o := Options{KubernetesURL: "http://" + address, ConnectTimeout: 50 * time.Millisecond}
	_, err := open(t, o).Get(t.Context(), Request{Name: APIServer, Version: "v1.36.3"}, record(t))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("want a timeout, got %v", err)
	}
}

func TestInterruptedDownloadSaysSo(t *testing.T) {
	m := newMirror(t)
	path := m.kubernetes(APIServer, "v1.36.3")
	m.holdAt(path)
	s := open(t, m.options())
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-m.half
		cancel(errors.New("interrupted by the user"))
	}()
	_, err := s.Get(ctx, Request{Name: APIServer, Version: "v1.36.3"}, clusters.Discard)
	if err == nil || err.Error() != "getting kube-apiserver v1.36.3: interrupted by the user" {
		t.Errorf("got %v", err)
	}
	if got := leftovers(t, s); len(got) != 0 {
		t.Errorf("left behind: %s", got)
	}
}

// An archive may not put a file anywhere else, nor a link in a binary's place.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("not gzip"))
	f.Add(archive(f, "top", "v3.6.16", Etcd, Etcdctl))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		out := filepath.Join(dir, "out")
		if err := os.Mkdir(out, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "x.tar.gz")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		made, err := unpack(file, "top", etcd.binaries, out)
		if err != nil {
			return
		}
		for _, b := range made {
			info, err := os.Lstat(b.Path)
			if err != nil || !info.Mode().IsRegular() || filepath.Dir(b.Path) != out || !slices.Contains(etcd.binaries, b.Name) {
				t.Errorf("unpacked %+v: %v, %v", b, info, err)
			}
		}
	})
}

func FuzzChecksum(f *testing.F) {
	f.Add(strings.Repeat("ab", 32), "x")
	f.Add(strings.Repeat("ab", 32)+"  x\n"+strings.Repeat("cd", 32)+"  y\n", "y")
	f.Fuzz(func(t *testing.T, text, name string) {
		sum, err := checksum(text, name, 32)
		if err == nil && (len(sum) != 64 || !strings.Contains(text, sum)) {
			t.Errorf("%q is no checksum of %q", sum, text)
		}
	})
}
