package components

import (
	"fmt"
	"path"

	"golang.org/x/mod/modfile"
)

// plainRecipe builds main packages of one module, whose own go.mod replaces
// nothing.
func plainRecipe(w wanted, found []module) (recipe, error) {
	if len(found) != 1 {
		return recipe{}, fmt.Errorf("want one module of %s, got %d", w.project.name, len(found))
	}
	upstream, err := readGoMod(found[0])
	if err != nil {
		return recipe{}, err
	}
	r := recipe{
		ldflags: "-s -w -X " + w.project.versionIn + "=" + w.version, tags: w.project.tags, outputs: map[string][]string{},
		source: found[0].Path + "@" + found[0].Version + " " + found[0].Sum,
	}
	if len(upstream.Replace) > 0 {
		return r, fmt.Errorf("%s replaces %s: the recipe of it has to say how", found[0].Path, upstream.Replace[0].Old.Path)
	}
	mod := new(modfile.File)
	if err := mod.AddModuleStmt("storm.local/" + w.project.name); err != nil {
		return r, err
	}
	if upstream.Go != nil {
		if err := addGo(mod, upstream.Go.Version); err != nil {
			return r, err
		}
	}
	mod.AddNewRequire(found[0].Path, found[0].Version, false)
	for _, pkg := range w.project.packages {
		r.packages = append(r.packages, found[0].Path+"/"+pkg)
		r.outputs[path.Base(pkg)] = []string{path.Base(pkg)}
	}
	return r, r.format(mod)
}
