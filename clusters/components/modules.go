package components

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/storm-harness/storm/clusters"
)

// modules is the source that builds a release from its Go modules, in a
// generated module of its own.
type modules struct {
	tool goTool
}

func (m *modules) String() string { return "build from Go modules" }

// module is what `go mod download -json` says of one.
type module struct {
	Path    string
	Version string
	Error   string
	GoMod   string // the path of its go.mod
	Dir     string
	Sum     string
}

// recipe is a generated module, and what to build in it.
type recipe struct {
	goMod    []byte
	files    map[string][]byte // the module's own source, by its path
	packages []string
	ldflags  string
	tags     string
	// outputs are the binaries' names by the name of the executable that the
	// go command makes.
	outputs map[string][]string
	source  string // the modules with their sums, for the manifest
}

// Newest asks the module proxy which versions there are.
func (m *modules) Newest(ctx context.Context, p project, minor string) (string, error) {
	dir, err := os.MkdirTemp("", "storm-components-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := p.modules[0]
	out, err := m.tool.lines(ctx, dir, "list", "-m", "-versions", path)
	if err != nil {
		return "", err
	}
	if len(out) == 0 {
		return "", fmt.Errorf("go list says nothing of %s", path)
	}
	return newest(strings.Fields(out[0])[1:], minor)
}

// Fetch builds every binary of the release.
func (m *modules) Fetch(ctx context.Context, w wanted, dir string, sink clusters.Sink) ([]Binary, error) {
	tell := func(text string) { sink(clusters.Event{Component: w.name, Text: text}) }
	tell("fetching the source of " + w.project.name + " " + w.version)
	found, err := m.download(ctx, w, dir)
	if err != nil {
		return nil, err
	}
	if err := m.newEnough(ctx, dir, found); err != nil {
		return nil, err
	}
	write := plainRecipe
	switch {
	case w.project.name == etcd.name:
		write = etcdRecipe
	case len(w.project.commands) > 0:
		write = kubernetesRecipe
	}
	r, err := write(w, found)
	if err != nil {
		return nil, err
	}
	if err := r.write(dir); err != nil {
		return nil, err
	}
	if err := m.build(ctx, w, r, dir, sink); err != nil {
		return nil, err
	}
	return r.collect(dir)
}

// write lays the generated module out in dir.
func (r recipe) write(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), r.goMod, 0o644); err != nil {
		return err
	}
	for path, data := range r.files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// download fetches the modules. Those of the other binaries may be missing.
func (m *modules) download(ctx context.Context, w wanted, dir string) ([]module, error) {
	args := []string{"mod", "download", "-json"}
	for _, path := range w.project.modules {
		args = append(args, path+"@"+w.version)
	}
	out, failed := m.tool.lines(ctx, dir, args...)
	if failed != nil && len(out) == 0 {
		return nil, failed
	}
	var found []module
	for dec := json.NewDecoder(strings.NewReader(strings.Join(out, "\n"))); dec.More(); {
		var mod module
		if err := dec.Decode(&mod); err != nil {
			return nil, errors.Join(failed, fmt.Errorf("reading what go mod download says: %w", err))
		}
		switch {
		case mod.Error == "":
			found = append(found, mod)
		case mod.Path == moduleOf(w):
			return nil, errors.New(mod.Error)
		}
	}
	if !slices.ContainsFunc(found, func(mod module) bool { return mod.Path == moduleOf(w) }) {
		return nil, errors.Join(failed, fmt.Errorf("go mod download gives no %s@%s", moduleOf(w), w.version))
	}
	return found, nil
}

// newEnough returns an error where the modules ask for a newer Go than there
// is, and the go command may not fetch that by itself.
func (m *modules) newEnough(ctx context.Context, dir string, found []module) error {
	out, err := m.tool.lines(ctx, dir, "env", "GOVERSION", "GOTOOLCHAIN")
	if err != nil {
		return err
	}
	if len(out) != 2 {
		return fmt.Errorf("go env says %q, not its version and toolchain", out)
	}
	for _, mod := range found {
		f, err := readGoMod(mod)
		if err != nil {
			return err
		}
		if f.Go != nil {
			if err := goFits(mod.Path+"@"+mod.Version, f.Go.Version, out[0], out[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// goFits compares the Go version that a module needs, 1.26.0, with what there
// is: GOVERSION, go1.26.8, and GOTOOLCHAIN.
func goFits(module, need, have, toolchain string) error {
	fetches := toolchain == "auto" || toolchain == "path" || strings.HasSuffix(toolchain, "+auto") || strings.HasSuffix(toolchain, "+path")
	if fetches || version.Compare(have, "go"+need) >= 0 {
		return nil
	}
	return fmt.Errorf("%s needs Go %s, this is %s: install a newer Go (https://go.dev/dl), or set GOTOOLCHAIN=auto", module, need, have)
}

func readGoMod(mod module) (*modfile.File, error) {
	data, err := os.ReadFile(mod.GoMod)
	if err != nil {
		return nil, fmt.Errorf("go.mod of %s: %w", mod.Path, err)
	}
	f, err := modfile.Parse(mod.Path+"/go.mod", data, nil)
	if err != nil {
		return nil, fmt.Errorf("go.mod of %s: %w", mod.Path, err)
	}
	return f, nil
}

// collect returns the binaries that a build left in dir. Where one executable
// serves several names, they are links to it.
func (r recipe) collect(dir string) ([]Binary, error) {
	var made []Binary
	for executable, names := range r.outputs {
		for _, name := range names {
			b := Binary{Name: name, Path: filepath.Join(dir, "made-"+name), Origin: OriginModules, Source: r.source}
			if err := os.Link(filepath.Join(dir, "bin", executable), b.Path); err != nil {
				return nil, err
			}
			made = append(made, b)
		}
	}
	return made, nil
}
