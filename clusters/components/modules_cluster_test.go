//go:build cluster

package components

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// The real components are built from their modules, where no release can be
// downloaded, and are what they say they are.
func TestBuildFromModules(t *testing.T) {
	nowhere := httptest.NewServer(http.NotFoundHandler())
	defer nowhere.Close()
	s := open(t, Options{KubernetesURL: nowhere.URL, EtcdURL: nowhere.URL, Go: "go"})
	for _, tt := range []struct{ name, version string }{{Etcd, "v3.6.16"}, {APIServer, "v1.36.3"}} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := projectOf(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			var seen progress
			first, err := s.Get(t.Context(), Request{Name: tt.name, Version: tt.version}, seen.sink(t))
			if err != nil {
				t.Fatal(err)
			}
			if first.Origin != OriginModules || !strings.Contains(first.Source, "@"+tt.version+" h1:") {
				t.Errorf("it is from %s, %s", first.Origin, first.Source)
			}
			if first.GoVersion != runtime.Version() {
				t.Errorf("built with %s, want %s", first.GoVersion, runtime.Version())
			}
			if seen.done != seen.total {
				t.Errorf("progress ended at %d of %d packages", seen.done, seen.total)
			}
			for _, name := range p.binaries {
				b := get(t, s, name, tt.version) // from the cache: the build made all of them
				given, err := s.Get(t.Context(), Request{Name: name, BinDir: filepath.Dir(b.Path)}, record(t))
				if err != nil {
					t.Fatal(err)
				}
				if given.Version != tt.version || given.SHA256 != b.SHA256 || given.GoVersion != b.GoVersion {
					t.Errorf("run, it is %+v; the cache says %+v", given, b)
				}
			}
		})
	}
	if got := leftovers(t, s); len(got) != 0 {
		t.Errorf("left behind: %s", got)
	}
}

// Which patch release is the newest, the modules can tell without an index.
func TestNewestOfModules(t *testing.T) {
	m := &modules{tool: goTool{"go"}}
	for _, tt := range []struct {
		project project
		minor   string
	}{{etcd, "v3.6"}, {kubernetes, "v1.36"}} {
		v, err := m.Newest(t.Context(), tt.project, tt.minor)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, minor, err := parseVersion(tt.project, v); err != nil || minor || !strings.HasPrefix(v, tt.minor+".") {
			t.Errorf("newest %s of %s is %q, %v", tt.minor, tt.project.name, v, err)
		}
	}
}

// progress checks that what is reported only grows, up to its total.
type progress struct{ done, total int }

func (p *progress) sink(t *testing.T) clusters.Sink {
	return func(e clusters.Event) {
		t.Logf("%s: %s (%d/%d)", e.Component, e.Text, e.Done, e.Total)
		if e.Total == 0 {
			return
		}
		if e.Done < p.done || e.Done > e.Total || p.total != 0 && e.Total != p.total {
			t.Errorf("%d/%d came after %d/%d", e.Done, e.Total, p.done, p.total)
		}
		p.done, p.total = e.Done, e.Total
	}
}
