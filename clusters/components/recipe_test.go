package components

import (
	"fmt"
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/storm-harness/storm/internal/golden"
)

// extract writes an archive of testdata to a directory.
func extract(t *testing.T, name string) string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// text shows a recipe.
func (r recipe) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# go.mod\n%s\n", r.goMod)
	for _, path := range slices.Sorted(maps.Keys(r.files)) {
		fmt.Fprintf(&b, "# %s\n%s\n", path, r.files[path])
	}
	fmt.Fprintf(&b, "# go build -tags\n%s\n# go build -ldflags\n%s\n# packages\n%s\n# outputs\n", r.tags,
		strings.ReplaceAll(r.ldflags, " -X", "\n-X"), strings.Join(r.packages, "\n"))
	for _, name := range slices.Sorted(maps.Keys(r.outputs)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.outputs[name], " "))
	}
	fmt.Fprintf(&b, "# source\n%s\n", r.source)
	return b.String()
}

func TestKubernetesRecipe(t *testing.T) {
	dir := extract(t, "kubernetes.txtar")
	w := wanted{kubernetes, APIServer, "v1.33.13"}
	r, err := kubernetesRecipe(w, []module{{
		Path: "k8s.io/kubernetes", Version: w.version, GoMod: filepath.Join(dir, "go.mod"), Dir: dir, Sum: "h1:sum=",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for path, source := range r.files {
		if formatted, err := format.Source(source); err != nil || string(formatted) != string(source) {
			t.Errorf("%s is not as gofmt would have it: %v", path, err)
		}
	}
	golden.Check(t, "recipe-kubernetes", r.text())
}

// A folder that upstream replaces a module by, and does not publish, would
// make a build of something else.
func TestKubernetesRecipeRefusesWhatItCannotReplace(t *testing.T) {
	dir := extract(t, "kubernetes.txtar")
	path := filepath.Join(dir, "go.mod")
	if err := os.WriteFile(path, []byte("module k8s.io/kubernetes\n\nreplace k8s.io/odd => ./odd\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := kubernetesRecipe(wanted{kubernetes, APIServer, "v1.40.0"}, []module{{Path: "k8s.io/kubernetes", GoMod: path, Dir: dir}})
	const want = "go.mod of Kubernetes replaces k8s.io/odd by the folder ./odd, which is not published"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestEtcdRecipe(t *testing.T) {
	dir := t.TempDir()
	var found []module
	for i, path := range etcd.modules[:2] { // etcdutl was not found
		mod := filepath.Join(dir, fmt.Sprintf("%d.mod", i))
		if err := os.WriteFile(mod, fmt.Appendf(nil, "module %s\n\ngo 1.2%d.0\n\ntoolchain go1.26.10\n", path, 4-i), 0o644); err != nil {
			t.Fatal(err)
		}
		found = append(found, module{Path: path, Version: "v3.5.12", GoMod: mod, Sum: fmt.Sprintf("h1:%d=", i)})
	}
	r, err := etcdRecipe(wanted{etcd, Etcd, "v3.5.12"}, found)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "recipe-etcd", r.text())
}

func TestGoFits(t *testing.T) {
	for _, tt := range []struct {
		need, have, toolchain string
		ok                    bool
	}{
		{"1.26.0", "go1.26.8", "local", true},
		{"1.26.0", "go1.26.0", "local", true},
		{"1.26.0", "go1.25.9", "local", false},
		{"1.26.0", "go1.26rc1", "local", false},
		{"1.26.0", "go1.25.9", "go1.25.9", false},
		{"1.26.0", "go1.25.9", "auto", true}, // it fetches what it needs
		{"1.26.0", "go1.25.9", "go1.24.0+auto", true},
		{"1.9", "go1.10", "local", true},
	} {
		err := goFits("k8s.io/kubernetes@v1.36.3", tt.need, tt.have, tt.toolchain)
		if (err == nil) != tt.ok {
			t.Errorf("needs %s, has %s, GOTOOLCHAIN=%s: %v", tt.need, tt.have, tt.toolchain, err)
		}
	}
	err := goFits("k8s.io/kubernetes@v1.36.3", "1.26.0", "go1.25.9", "local")
	const want = "k8s.io/kubernetes@v1.36.3 needs Go 1.26.0, this is go1.25.9: install a newer Go (https://go.dev/dl), or set GOTOOLCHAIN=auto"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
