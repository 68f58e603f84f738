package components

import (
	"fmt"
	"go/version"
	"path"
	"strings"

	"golang.org/x/mod/modfile"
)

// etcdRecipe builds etcd and those of its tools whose modules were found. Each
// module's root is a main package.
func etcdRecipe(_ wanted, found []module) (recipe, error) {
	r := recipe{ldflags: "-s -w", outputs: map[string][]string{}}
	mod := new(modfile.File)
	if err := mod.AddModuleStmt("storm.local/etcd"); err != nil {
		return r, err
	}
	goVersion := ""
	var sources []string
	for _, m := range found {
		f, err := readGoMod(m)
		if err != nil {
			return r, err
		}
		if f.Go != nil && version.Compare("go"+f.Go.Version, "go"+goVersion) > 0 {
			goVersion = f.Go.Version
		}
		mod.AddNewRequire(m.Path, m.Version, false)
		r.packages = append(r.packages, m.Path)
		sources = append(sources, m.Path+"@"+m.Version+" "+m.Sum)
		// go.etcd.io/etcd/server/v3 makes an executable called server.
		executable := path.Base(path.Dir(m.Path))
		name := executable
		if name == "server" {
			name = Etcd
		}
		r.outputs[executable] = []string{name}
	}
	if err := addGo(mod, goVersion); err != nil {
		return r, err
	}
	r.source = strings.Join(sources, ", ")
	return r, r.format(mod)
}

// addGo sets the Go version of a generated module, from which the go command
// also takes the defaults of GODEBUG: the same as upstream's.
func addGo(mod *modfile.File, goVersion string) error {
	if goVersion == "" {
		return nil
	}
	if err := mod.AddGoStmt(goVersion); err != nil {
		return fmt.Errorf("go version of the modules: %w", err)
	}
	return nil
}

// format renders the go.mod.
func (r *recipe) format(mod *modfile.File) (err error) {
	mod.Cleanup()
	r.goMod, err = mod.Format()
	return err
}
