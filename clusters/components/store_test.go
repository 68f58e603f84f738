package components

import (
	"errors"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
)

func TestMinorVersion(t *testing.T) {
	m := newMirror(t)
	for _, v := range []string{"v1.36.2", "v1.36.3"} {
		m.kubernetes(APIServer, v)
		m.kubernetes(Scheduler, v)
	}
	m.stable("1.36", "v1.36.2")
	o := m.options()
	o.Dir = t.TempDir()
	want := func(s *Store, name, version, why string) {
		t.Helper()
		if b := get(t, s, name, "v1.36"); b.Version != version {
			t.Errorf("%s of v1.36 is %s, want %s: %s", name, b.Version, version, why)
		}
	}
	s := open(t, o)
	want(s, APIServer, "v1.36.2", "the index says so")
	m.stable("1.36", "v1.36.3")
	want(s, Scheduler, "v1.36.2", "one store means one version, whatever the index says later")
	want(open(t, o), Scheduler, "v1.36.2", "the cache has one")
	o.Refresh = true
	want(open(t, o), Scheduler, "v1.36.3", "it was asked to look")
	o.Refresh = false
	want(open(t, o), APIServer, "v1.36.3", "the cache has the scheduler of a newer one, and they belong together")
}

// What a server says in place of an index must not become a path or a version.
func TestIndexThatIsNoVersion(t *testing.T) {
	m := newMirror(t)
	for _, says := range []string{"v1.35.2", "<html>", "v1.36.3/../..", ""} {
		m.stable("1.36", says)
		_, err := open(t, m.options()).Get(t.Context(), Request{Name: APIServer, Version: "v1.36"}, record(t))
		if err == nil || !strings.Contains(err.Error(), "is no patch release of v1.36") {
			t.Errorf("%q: got %v", says, err)
		}
	}
}

// The error must say where storm looked, why that failed, and what to do.
func TestUnavailable(t *testing.T) {
	m := newMirror(t)
	m.etcd(t, "v3.6.16", Etcd)
	s := open(t, m.options())
	get(t, s, Etcd, "v3.6.16")
	var printed strings.Builder
	for _, r := range []Request{
		{Name: APIServer, Version: "v1.36.3"},
		{Name: APIServer, Version: "v1.36"},
		{Name: Etcd, Version: "v3.5"},
	} {
		_, err := s.Get(t.Context(), r, record(t))
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) {
			t.Fatalf("%+v: %v", r, err)
		}
		printed.WriteString(err.Error() + "\n\n")
	}
	golden.Check(t, "unavailable", strings.NewReplacer(m.URL, "http://mirror", s.Dir(), "CACHE").Replace(printed.String()))
}
