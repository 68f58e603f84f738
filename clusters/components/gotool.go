package components

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/storm-harness/storm/internal/priority"
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

// run runs the go command in dir and hands its output over line by line; each
// function is called from one goroutine. If it fails, the error ends with the
// last lines of its standard error. It is killed, with the compilers that it
// started, when ctx ends; it does not outlive storm.
func (g goTool) run(ctx context.Context, dir string, args []string, stdout, stderr func(string)) error {
	// The kernel ties Pdeathsig to the thread that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Dir, cmd.Env = dir, environment(dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var last tail
	out := &lineWriter{line: stdout}
	errs := &lineWriter{line: func(s string) { last.add(s); stderr(s) }}
	cmd.Stdout, cmd.Stderr = out, errs
	err := priority.Ordinarily(cmd.Run)
	out.flush()
	errs.flush()
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no %q command: install Go (https://go.dev/dl), or put it in the PATH", g.path)
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("go %s: %w%s", args[0], err, last.String())
	}
	return nil
}

// lines runs the go command and returns what it prints.
func (g goTool) lines(ctx context.Context, dir string, args ...string) (lines []string, err error) {
	err = g.run(ctx, dir, args, func(s string) { lines = append(lines, s) }, func(string) {})
	return lines, err
}

// lineWriter cuts what is written into lines.
type lineWriter struct {
	line func(string)
	rest []byte
}

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}

// flush hands over an unfinished last line.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.line(string(w.rest))
		w.rest = nil
	}
}

// tail keeps the last lines that say what went wrong.
type tail struct{ lines []string }

const tailLines = 12

func (t *tail) add(line string) {
	if line == "" || strings.HasPrefix(line, "go: downloading ") {
		return
	}
	if t.lines = append(t.lines, line); len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	if len(t.lines) == 0 {
		return ""
	}
	return "\n" + strings.Join(t.lines, "\n")
}
