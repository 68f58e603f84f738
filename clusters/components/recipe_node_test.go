package components

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
)

// What a node has beside the servers is built by plain recipes.
func TestPlainRecipes(t *testing.T) {
	var all strings.Builder
	for _, p := range []project{containerd, criTools, cniPlugins} {
		mod := filepath.Join(t.TempDir(), "go.mod")
		if err := os.WriteFile(mod, []byte("module "+p.modules[0]+"\n\ngo 1.25.0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		w := wanted{p, p.binaries[0], "v1.2.3"}
		r, err := plainRecipe(w, []module{{Path: p.modules[0], Version: w.version, GoMod: mod, Sum: "h1:sum="}})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.binaries {
			if made := r.outputs[name]; len(made) != 1 || made[0] != name {
				t.Errorf("%s: the recipe makes no %s: %q", p.name, name, r.outputs)
			}
		}
		all.WriteString(r.text())
	}
	golden.Check(t, "recipe-plain", all.String())
}

// A module that replaces others would be built of something else.
func TestPlainRecipeRefusesReplacements(t *testing.T) {
	mod := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(mod, []byte("module sigs.k8s.io/cri-tools\n\nreplace a.example/x => b.example/x v1.0.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := plainRecipe(wanted{criTools, Crictl, "v1.2.3"}, []module{{Path: "sigs.k8s.io/cri-tools", GoMod: mod}})
	if want := "sigs.k8s.io/cri-tools replaces a.example/x: the recipe of it has to say how"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A node's binaries are no release downloads: none is tried, nor told of.
func TestNodeBinariesAreBuiltOnly(t *testing.T) {
	m := newMirror(t)
	s := open(t, m.options())
	var seen events
	_, err := s.Get(t.Context(), Request{Name: Containerd, Version: "v2.3.4"}, seen.sink)
	if err == nil || !strings.Contains(err.Error(), "build from Go modules: no ") {
		t.Errorf("got %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "release download") || seen.have("release download") {
		t.Errorf("a release was tried: %v, %+v", err, seen.all)
	}
}

func TestAsLibrary(t *testing.T) {
	const source = "// Command main.\n//line other.go:1\npackage main // main\n\nimport \"os\"\n\nfunc (t) main() {}\n\nfunc main() { os.Exit(main2()) }\n"
	const want = "// Command main.\n//line other.go:1\npackage tool // main\n\nimport \"os\"\n\nfunc (t) main() {}\n\nfunc Main() { os.Exit(main2()) }\n"
	out, mains, err := asLibrary([]byte(source), "tool")
	if err != nil || mains != 1 || string(out) != want {
		t.Errorf("got %d, %v\n%s", mains, err, out)
	}
	if _, _, err := asLibrary([]byte("package app\n"), "tool"); err == nil || err.Error() != "it is of package app, not main" {
		t.Errorf("got %v", err)
	}
}

// What is a Go file stays one, of the wanted package.
func FuzzAsLibrary(f *testing.F) {
	f.Add("package main\nfunc main() {}\n")
	f.Add("//line x:9\npackage main; func main() {}; func main() {}")
	f.Fuzz(func(t *testing.T, source string) {
		out, _, err := asLibrary([]byte(source), "tool")
		if err != nil {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), "", out, parser.SkipObjectResolution)
		if err != nil || parsed.Name.Name != "tool" {
			t.Errorf("%q became %q: %v", source, out, err)
		}
	})
}
