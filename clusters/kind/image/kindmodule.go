package image

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/storm-harness/storm/internal/child"
)

// kindModule is kind's own source, of the version that storm is built with. Its
// image is what this follows: the files, the versions, the names.
type kindModule struct {
	dir     string
	version string

	containerd, criTools, cniPlugins string // versions
	balancer                         string // the load balancer's image
	pause                            string // the image that a pod's sandbox is of
}

// findKind downloads kind's module and reads what is wanted of it.
func findKind(ctx context.Context) (kindModule, error) {
	const path = "sigs.k8s.io/kind"
	lines, err := child.Command{Path: "go", Args: []string{"mod", "download", path}}.Lines(ctx)
	if err == nil {
		lines, err = child.Command{Path: "go", Args: []string{"list", "-m", "-f", "{{.Version}}\n{{.Dir}}", path}}.Lines(ctx)
	}
	if err != nil {
		return kindModule{}, fmt.Errorf("kind's module: %w\nthis is done in a checkout of storm, with Go installed", err)
	}
	if len(lines) != 2 {
		return kindModule{}, fmt.Errorf("go list says %q of %s", lines, path)
	}
	k := kindModule{version: lines[0], dir: lines[1]}
	if err := k.read(); err != nil {
		return k, fmt.Errorf("kind %s: %w: it is made otherwise than this follows it", k.version, err)
	}
	return k, nil
}

// read finds in kind's source what its image is made of.
func (k *kindModule) read() error {
	dockerfile, err := os.ReadFile(filepath.Join(k.dir, "images/base/Dockerfile"))
	if err != nil {
		return err
	}
	for _, want := range []struct {
		arg   string
		value *string
	}{
		{"CONTAINERD_VERSION", &k.containerd}, {"CRICTL_VERSION", &k.criTools}, {"CNI_PLUGINS_VERSION", &k.cniPlugins},
	} {
		if *want.value = buildArg(dockerfile, want.arg); *want.value == "" {
			return errors.New("its Dockerfile has no ARG " + want.arg)
		}
	}
	config, err := os.ReadFile(filepath.Join(k.filesDir(), containerdConfig))
	if err != nil {
		return err
	}
	if k.pause = sandboxImage(config); k.pause == "" {
		return errors.New("its configuration of containerd names no sandbox_image")
	}
	k.balancer, err = stringConstant(filepath.Join(k.dir, "pkg/cluster/internal/loadbalancer/const.go"), "Image")
	return err
}

// filesDir is what kind copies into its base image.
func (k *kindModule) filesDir() string { return filepath.Join(k.dir, "images/base/files") }

// buildArg returns the default of an ARG of a Dockerfile, or "".
func buildArg(dockerfile []byte, name string) string {
	return firstGroup(`(?m)^ARG `+regexp.QuoteMeta(name)+`="?([^"\s]+)"?\s*$`, dockerfile)
}

// sandboxImage returns the image of pods' sandboxes in a configuration of
// containerd, or "".
func sandboxImage(config []byte) string {
	return firstGroup(`(?m)^\s*sandbox_image = "([^"]+)"`, config)
}

func firstGroup(pattern string, data []byte) string {
	m := regexp.MustCompile(pattern).FindSubmatch(data)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// stringConstant returns the value of a constant in a Go file.
func stringConstant(file, name string) (string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	value := ""
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || spec.Names[0].Name != name || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			value, err = strconv.Unquote(lit.Value)
		}
		return false
	})
	if err == nil && value == "" {
		err = fmt.Errorf("%s has no constant %s", filepath.Base(file), name)
	}
	return value, err
}
