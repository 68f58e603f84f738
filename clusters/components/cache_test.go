package components

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// later moves a file's modification time, as writing to it does.
func later(t *testing.T, path string) {
	t.Helper()
	at := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestCorruptedEntryIsDroppedAndFetchedAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(b Binary) error
		says  string
	}{
		{"other bytes of the same size", func(b Binary) error {
			data := script(APIServer, "v1.36.4")
			return os.WriteFile(b.Path, data, 0o755)
		}, "has the digest"},
		{"cut off", func(b Binary) error { return os.Truncate(b.Path, 3) }, "has the digest"},
		{"gone", func(b Binary) error { return os.Remove(b.Path) }, "is gone"},
		{"manifest gone", func(b Binary) error { return os.Remove(filepath.Join(filepath.Dir(b.Path), manifestName)) }, "has no manifest.json"},
		{"manifest cut off", func(b Binary) error { return os.Truncate(filepath.Join(filepath.Dir(b.Path), manifestName), 20) }, "unexpected end of JSON"},
		{"manifest of another", func(b Binary) error {
			return writeManifest(filepath.Dir(b.Path), manifest{Binary: Binary{Name: Scheduler, Version: b.Version}})
		}, "says that it is kube-scheduler v1.36.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMirror(t)
			path := m.kubernetes(APIServer, "v1.36.3")
			s := open(t, m.options())
			b := get(t, s, APIServer, "v1.36.3")
			if err := tt.spoil(b); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(b.Path); err == nil {
				later(t, b.Path)
			}
			var seen events
			again, err := s.Get(t.Context(), Request{Name: APIServer, Version: "v1.36.3"}, seen.sink)
			if err != nil {
				t.Fatal(err)
			}
			if again.SHA256 != b.SHA256 || content(t, again.Path) != string(script(APIServer, "v1.36.3")) {
				t.Errorf("got %+v back, of digest %s before", again, b.SHA256)
			}
			if !seen.have("warning: dropping v1.36.3 from the cache: corrupted: ") || !seen.have(tt.says) {
				t.Errorf("no warning that says %q in %+v", tt.says, seen.all)
			}
			if n := m.count(path); n != 2 {
				t.Errorf("downloaded %d times, want 2", n)
			}
		})
	}
}

// A file that was copied or touched, but is what it was, is served; and its
// digest is taken once, not every time.
func TestTouchedEntryIsServed(t *testing.T) {
	m := newMirror(t)
	path := m.kubernetes(APIServer, "v1.36.3")
	s := open(t, m.options())
	b := get(t, s, APIServer, "v1.36.3")
	later(t, b.Path)
	if again := get(t, s, APIServer, "v1.36.3"); again != b {
		t.Errorf("got %+v, want %+v", again, b)
	}
	if n := m.count(path); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
	m2, err := readManifest(filepath.Dir(b.Path))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !m2.ModTime.Equal(info.ModTime()) {
		t.Errorf("the manifest still has the time %s, the file %s", m2.ModTime, info.ModTime())
	}
}

func TestListIsSortedAndSkipsWhatIsNoEntry(t *testing.T) {
	m := newMirror(t)
	for _, v := range []string{"v1.36.10", "v1.36.9"} {
		m.kubernetes(APIServer, v)
	}
	m.etcd(t, "v3.6.16", Etcd, Etcdctl, Etcdutl)
	s := open(t, m.options())
	get(t, s, APIServer, "v1.36.10")
	get(t, s, APIServer, "v1.36.9")
	get(t, s, Etcd, "v3.6.16")
	if err := os.Mkdir(s.cache.entry(APIServer, "v1.36.11"), 0o755); err != nil {
		t.Fatal(err)
	}
	want := []string{"etcd v3.6.16", "etcdctl v3.6.16", "etcdutl v3.6.16", "kube-apiserver v1.36.9", "kube-apiserver v1.36.10"}
	if got := list(t, s); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A cache that cannot be written is the user's to repair: no source is to
// blame, and none would fare better.
func TestUnwritableCacheIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: filepath.Join(file, "components")})
	var local *cacheError
	if !errors.As(err, &local) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "set STORM_CACHE_DIR") {
		t.Errorf("got %v", err)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/home/u/.cache")
	t.Setenv("STORM_CACHE_DIR", "")
	if dir, err := DefaultDir(); err != nil || dir != "/home/u/.cache/storm/components" {
		t.Errorf("got %s, %v", dir, err)
	}
	t.Setenv("STORM_CACHE_DIR", "/var/cache/storm")
	if dir, err := DefaultDir(); err != nil || dir != "/var/cache/storm/components" {
		t.Errorf("got %s, %v", dir, err)
	}
}
