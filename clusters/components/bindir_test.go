package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bin makes a directory with one executable.
func bin(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBinDir(t *testing.T) {
	for _, tt := range []struct{ name, says, version string }{
		{APIServer, "Kubernetes v1.37.0-alpha.0.123+3f2a5b-dirty", "v1.37.0-alpha.0.123+3f2a5b-dirty"},
		{Etcd, "etcd Version: 3.6.16\nGit SHA: abc\nGo Version: go1.26.8", "v3.6.16"},
		{Etcdctl, "etcdctl version: 3.7.0-alpha.0\nAPI version: 3.7", "v3.7.0-alpha.0"},
	} {
		dir := bin(t, tt.name, "#!/bin/sh\ncat <<E\n"+tt.says+"\nE\n", 0o755)
		s := open(t, Options{})
		b, err := s.Get(t.Context(), Request{Name: tt.name, Version: "v1.36", BinDir: dir}, record(t))
		if err != nil {
			t.Fatal(err)
		}
		if b.Version != tt.version || b.Path != filepath.Join(dir, tt.name) || b.Origin != "binDir "+dir || len(b.SHA256) != 64 {
			t.Errorf("%s: got %+v", tt.name, b)
		}
		if got := list(t, s); len(got) != 0 {
			t.Errorf("a binDir's binary got into the cache: %s", got)
		}
	}
}

// A build between two trials is a new binary.
func TestBinDirThatChanged(t *testing.T) {
	dir := bin(t, APIServer, string(script(APIServer, "v1.36.3")), 0o755)
	s := open(t, Options{})
	r := Request{Name: APIServer, BinDir: dir}
	before, err := s.Get(t.Context(), r, record(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(before.Path, script(APIServer, "v1.37.0-rc.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	after, err := s.Get(t.Context(), r, record(t))
	if err != nil {
		t.Fatal(err)
	}
	if after.Version != "v1.37.0-rc.0" || after.SHA256 == before.SHA256 {
		t.Errorf("got %+v, before it was %+v", after, before)
	}
}

func TestBinDirErrorsNameThePath(t *testing.T) {
	for _, tt := range []struct{ why, file, content, want string }{
		{"missing", "other", "", "no etcd at DIR/etcd: build it there, or name another binDir"},
		{"says nothing of it", Etcd, "#!/bin/sh\necho hello\n", `DIR/etcd --version does not tell the version of etcd; it says "hello"`},
		{"is another component", Etcd, string(script(Etcdctl, "v3.6.16")), `DIR/etcd --version does not tell the version of etcd; it says "etcdctl version: 3.6.16"`},
		{"fails", Etcd, "#!/bin/sh\necho no such flag >&2\nexit 2\n", "asking DIR/etcd --version: exit status 2: no such flag"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			dir := bin(t, tt.file, tt.content, 0o755)
			_, err := open(t, Options{}).Get(t.Context(), Request{Name: Etcd, BinDir: dir}, record(t))
			if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	dir := bin(t, Etcd, "", 0o644)
	if _, err := open(t, Options{}).Get(t.Context(), Request{Name: Etcd, BinDir: dir}, record(t)); err == nil ||
		!strings.HasSuffix(err.Error(), "/etcd is no executable file: its mode is -rw-r--r--") {
		t.Errorf("got %v", err)
	}
}

func FuzzReadVersion(f *testing.F) {
	f.Add(Etcd, "etcd Version: 3.6.16\n")
	f.Add(Scheduler, "Kubernetes v1.36.3\n")
	f.Fuzz(func(t *testing.T, name, out string) {
		v, ok := readVersion(name, out)
		if ok && (!strings.HasPrefix(v, "v") || strings.ContainsAny(v, " \t\n") || !strings.Contains(out, v[1:])) {
			t.Errorf("read %q from %q", v, out)
		}
	})
}
