package components

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What the two kinds of server print, in short.
const (
	etcdHelp = `Member:
  --name 'default'
    Human-readable name for this member.
  --experimental-corrupt-check-time '0s'
    Duration. Deprecated. Use '--corrupt-check-time' instead.
  --feature-gates ''
    A set of key=value pairs. Options are:
    CompactHashCheck=true|false (ALPHA - default=false)
`
	kubeHelp = `The Kubernetes API server validates data.

Generic flags:

      --event-ttl duration      Amount of time to retain events. (default 1h0m0s)
      --feature-gates colonSeparatedMultimapStringString   Options are:
                kube:APIResponseCompression=true|false (BETA - default=true)
                kube:WatchList=true|false (BETA - default=true)
                kube:WatchList=true|false (BETA - default=true)
  -h, --help                    help for kube-apiserver
`
)

func TestReadWords(t *testing.T) {
	for name, c := range map[string]struct {
		help         string
		flags, gates []string
	}{
		"etcd":       {etcdHelp, []string{"experimental-corrupt-check-time", "feature-gates", "name"}, []string{"CompactHashCheck"}},
		"kubernetes": {kubeHelp, []string{"event-ttl", "feature-gates", "help"}, []string{"APIResponseCompression", "WatchList"}},
		"nothing":    {"hello", []string{}, []string{}},
	} {
		if w := readWords(c.help); !slices.Equal(w.Flags, c.flags) || !slices.Equal(w.Gates, c.gates) {
			t.Errorf("%s: got %q", name, w)
		}
	}
}

// TestWordsAreKeptBesideTheBinary: a cached binary is asked once, also by the
// next storm; another binary in its place is asked again.
func TestWordsAreKeptBesideTheBinary(t *testing.T) {
	m := newMirror(t)
	m.kubernetes(APIServer, "v1.36.3")
	s := open(t, m.options())
	b := get(t, s, APIServer, "v1.36.3")
	says := func(help string) {
		t.Helper()
		if err := os.WriteFile(b.Path, []byte("#!/bin/sh\ncat <<'E'\n"+help+"E\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	words := func(b Binary) Words {
		t.Helper()
		// A new store has nothing in its memory.
		w, err := open(t, Options{Dir: s.Dir()}).Words(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	says(kubeHelp)
	if w := words(b); !slices.Contains(w.Flags, "event-ttl") {
		t.Fatalf("got %q", w)
	}
	says(etcdHelp)
	if w := words(b); !slices.Contains(w.Flags, "event-ttl") {
		t.Errorf("asked twice: %q", w)
	}
	b.SHA256 = "another"
	if w := words(b); !slices.Contains(w.Flags, "name") {
		t.Errorf("got the words of the binary before: %q", w)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(b.Path), wordsFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if w := words(b); !slices.Contains(w.Flags, "name") {
		t.Errorf("after a cut file: %q", w)
	}
}

// TestOneFileUnderTwoNames: one file that is several servers lists the words of
// the one that it is called as, also to a store that has asked it before.
func TestOneFileUnderTwoNames(t *testing.T) {
	const both = "#!/bin/sh\ncase \"$1 $0\" in --version*) echo Kubernetes v1.36.3;; *scheduler) echo '  --leader-elect bool';; *) echo '  --event-ttl duration';; esac\n"
	s := open(t, Options{})
	for name, want := range map[string]string{Scheduler: "leader-elect", APIServer: "event-ttl"} {
		b, ok, err := s.Have(t.Context(), Request{Name: name, BinDir: bin(t, name, both, 0o755)})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if w, err := s.Words(t.Context(), b); err != nil || !slices.Equal(w.Flags, []string{want}) {
			t.Errorf("%s: got %q, %v, want --%s", name, w.Flags, err, want)
		}
	}
}

func TestABinaryThatListsNothing(t *testing.T) {
	dir := bin(t, Etcd, "#!/bin/sh\necho etcd Version: 3.6.16\n", 0o755)
	s := open(t, Options{})
	b, ok, err := s.Have(t.Context(), Request{Name: Etcd, BinDir: dir})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := s.Words(t.Context(), b); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(filepath.Join(dir, wordsFile)); err == nil {
		t.Error("something was written to the user's directory")
	}
}

func TestHaveGetsNothing(t *testing.T) {
	s := open(t, Options{})
	for _, version := range []string{"v1.36", "v1.36.3"} {
		if _, ok, err := s.Have(t.Context(), Request{Name: APIServer, Version: version}); ok || err != nil {
			t.Errorf("%s: %t, %v", version, ok, err)
		}
	}
	if _, _, err := s.Have(t.Context(), Request{Name: APIServer, BinDir: t.TempDir()}); err == nil {
		t.Error("an empty binDir is no error")
	}
}

func TestTakes(t *testing.T) {
	for name, c := range map[string]struct{ script, refused string }{
		"takes":         {"echo Kubernetes v1.36.3", ""},
		"as etcd":       {"echo 'flag provided but not defined: -x' >&2; echo Usage: >&2; exit 2", "flag provided but not defined: -x"},
		"in the log":    {"echo 'I1125 a warning' >&2; echo 'E1125 1 run.go:72] \"command failed\" err=\"no \\\"x\\\"\"' >&2; exit 1", `no "x"`},
		"as kubernetes": {"echo 'W1125 a warning' >&2; echo 'Error: unknown flag: --x' >&2; exit 1", "unknown flag: --x"},
	} {
		dir := bin(t, APIServer, "#!/bin/sh\n"+c.script+"\n", 0o755)
		err := Binary{Path: filepath.Join(dir, APIServer)}.Takes(t.Context(), []string{"--x=1"})
		var refused *RefusedError
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.refused != "" && (!errors.As(err, &refused) || refused.Says != c.refused):
			t.Errorf("%s: got %v, want %s", name, err, c.refused)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var refused *RefusedError
	if err := (Binary{Path: "/bin/sh"}).Takes(ctx, nil); err == nil || errors.As(err, &refused) {
		t.Errorf("what could not be asked was not refused: %v", err)
	}
}
