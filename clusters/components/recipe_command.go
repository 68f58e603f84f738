package components

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// addCommand adds upstream's own main package of a command, cmd/NAME, as a
// package of the recipe whose function Main is upstream's main. So the command
// is what upstream of that version makes it: how it is run, and what it imports
// for its effect, such as the JSON log format, metrics and time zones.
func (r recipe) addCommand(dir, name string) error {
	files, err := filepath.Glob(filepath.Join(dir, "cmd", name, "*.go"))
	if err != nil {
		return err
	}
	mains := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		source, found, err := asLibrary(source, packageName(name))
		if err != nil {
			return fmt.Errorf("main package of %s: %s: %w", name, filepath.Base(file), err)
		}
		mains += found
		r.files[filepath.Join(packageName(name), filepath.Base(file))] = source
	}
	if mains != 1 {
		return fmt.Errorf("the module of Kubernetes has %d main functions in cmd/%s, not one", mains, name)
	}
	return nil
}

// packageName is the name of a command's package: kubecontrollermanager.
func packageName(command string) string { return strings.ReplaceAll(command, "-", "") }

// asLibrary makes a file of a main package one of a library: it changes the
// name of the package, and that of the function main, of which it says how many
// there were. Nothing else is touched.
func asLibrary(source []byte, name string) (out []byte, mains int, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, 0, err
	}
	if file.Name.Name != "main" {
		return nil, 0, errors.New("it is of package " + file.Name.Name + ", not main")
	}
	var at []*ast.Ident
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "main" {
			at = append(at, f.Name)
		}
	}
	var b bytes.Buffer
	from := 0
	put := func(ident *ast.Ident, text string) {
		offset := set.PositionFor(ident.Pos(), false).Offset // not what a //line comment says
		b.Write(source[from:offset])
		b.WriteString(text)
		from = offset + len(ident.Name)
	}
	put(file.Name, name)
	for _, ident := range at {
		put(ident, "Main")
	}
	b.Write(source[from:])
	return b.Bytes(), len(at), nil
}
