package components

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/child"
)

// goTool is the go command of the user.
type goTool struct {
	path string
}

// cleared are the user's settings that would change what a build makes. The
// others stay: where modules come from, and where caches are.
var cleared = []string{
	"GOFLAGS", "GOWORK", "GO111MODULE", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GODEBUG",
	"GOFIPS140", "CGO_ENABLED", "GOTMPDIR",
}

// environment is what the go command runs in. Its temporary files go to tmp,
// so that a killed build leaves none elsewhere.
func environment(tmp string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(cleared, name)
	})
	return append(env,
		"GOFLAGS=-mod=mod", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "CGO_ENABLED=0", "GOTMPDIR="+tmp)
}

// run runs the go command in dir and hands its output over line by line. It is
// killed, with the compilers that it started, when ctx ends.
func (g goTool) run(ctx context.Context, dir string, args []string, stdout, stderr func(string)) error {
	err := child.Command{
		Path: g.path, Args: args, Dir: dir, Env: environment(dir),
		Noise: func(line string) bool { return strings.HasPrefix(line, "go: downloading ") },
	}.Run(ctx, stdout, stderr)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no %q command: install Go (https://go.dev/dl), or put it in the PATH", g.path)
	}
	return err
}

// lines runs the go command and returns what it prints.
func (g goTool) lines(ctx context.Context, dir string, args ...string) (lines []string, err error) {
	err = g.run(ctx, dir, args, func(s string) { lines = append(lines, s) }, nil)
	return lines, err
}
