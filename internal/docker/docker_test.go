package docker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command puts a program in the place of docker that says what it is told and
// fails: what is tested is what becomes of its words.
func command(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "")
	t.Setenv("PATH", dir+":/bin:/usr/bin")
}

func TestPingSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"stopped": {`echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1`, "does not run: start it"},
		"denied":  {`echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1`, "group docker"},
		"other":   {`echo "something else" >&2; exit 3`, "docker version --format: exit status 3: something else"},
	} {
		t.Run(name, func(t *testing.T) {
			command(t, c.script)
			if _, err := Ping(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	command(t, `case "$*" in *Kernel*) echo 1.2.3-linuxkit;; *) echo 27.0.1;; esac`)
	if _, err := Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "under another kernel, 1.2.3-linuxkit") {
		t.Errorf("of a daemon in a virtual machine: %v", err)
	}
	command(t, `case "$*" in *Kernel*) uname -r;; *Security*) echo "[name=seccomp,profile=default name=rootless]";; *) echo 27.0.1;; esac`)
	if _, err := Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "runs without root") {
		t.Errorf("of a daemon without root: %v", err)
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := Ping(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "install Docker") {
		t.Errorf("without the command: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "podman"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "KIND_EXPERIMENTAL_PROVIDER=podman") {
		t.Errorf("with Podman alone: %v", err)
	}
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
	if _, err := Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "use Docker or Podman") {
		t.Errorf("with nerdctl: %v", err)
	}
}

func TestErrorsShowTheLastLines(t *testing.T) {
	command(t, `for i in 1 2 3 4 5 6 7 8 9 10; do echo "line $i" >&2; done; exit 1`)
	_, err := Run(t.Context(), "run", "x", "secret")
	var e *Error
	if !errors.As(err, &e) || len(e.Last) != lastLines || e.Last[lastLines-1] != "line 10" {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "secret") || !Says(err, "line 9") || Says(err, "line 1\n") {
		t.Errorf("it says %q", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, "ps"); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
}
