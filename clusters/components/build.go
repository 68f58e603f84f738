package components

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/storm-harness/storm/clusters"
)

// build builds a recipe into dir/bin. It first asks the go command which
// packages it has to compile, so that its progress is in parts of a true
// total: what its build cache has does not count. The main packages do not
// either: linking them comes last, and is said.
func (m *modules) build(ctx context.Context, w wanted, r recipe, dir string, sink clusters.Sink) error {
	what := w.project.name + " " + w.version
	modules := 0
	downloading := func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			modules++
			sink(clusters.Event{Component: w.name, Text: "downloading the modules of " + what, Done: modules})
		}
	}
	sink(clusters.Event{Component: w.name, Text: "resolving the modules of " + what})
	stale := map[string]bool{}
	list := append([]string{"list", "-deps", "-trimpath", "-ldflags", r.ldflags, "-tags", r.tags, "-f", `{{if and .Stale (ne .Name "main")}}{{.ImportPath}}{{end}}`}, r.packages...)
	if err := m.tool.run(ctx, dir, list, func(line string) {
		if line != "" {
			stale[line] = true
		}
	}, downloading); err != nil {
		return err
	}
	total, done := len(stale), 0
	compiled := parts(sink, w.name, "building "+what+", packages")
	report := func() {
		if total > 0 {
			compiled(done, total)
		}
		if done == total {
			sink(clusters.Event{Component: w.name, Text: "linking " + what})
		}
	}
	report()
	args := append([]string{
		"build", "-v", "-buildvcs=false", "-trimpath", "-ldflags", r.ldflags, "-tags", r.tags,
		"-o", filepath.Join(dir, "bin") + string(filepath.Separator),
	}, r.packages...)
	err := m.tool.run(ctx, dir, args, func(string) {}, func(line string) {
		downloading(line)
		if stale[line] { // -v prints each package as it is compiled
			delete(stale, line)
			done++
			report()
		}
	})
	if err != nil {
		return err
	}
	if done < total { // a dependency came out as it was, so they were not compiled after all
		compiled(total, total)
	}
	return nil
}
