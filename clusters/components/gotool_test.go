package components

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLineWriter(t *testing.T) {
	var got []string
	w := &lineWriter{line: func(s string) { got = append(got, s) }}
	for _, part := range []string{"a", "b\nc\n\nd", "", "e"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	w.flush()
	w.flush()
	if want := []string{"ab", "c", "", "de"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFailedGoCommandSaysWhy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { undefined() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.local/broken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := goTool{"go"}.lines(t.Context(), dir, "build", "-o", filepath.Join(dir, "out"), ".")
	if err == nil || !strings.Contains(err.Error(), "go build: exit status 1\n") || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("got %v", err)
	}
}

// What the user has set for work of his own must not change what is built.
func TestBuildEnvironmentIsClean(t *testing.T) {
	t.Setenv("GOFLAGS", "-tags=mine")
	t.Setenv("GOOS", "plan9")
	t.Setenv("GOWORK", "/home/u/go.work")
	t.Setenv("CGO_ENABLED", "1")
	dir := t.TempDir()
	got, err := goTool{"go"}.lines(t.Context(), dir, "env", "GOFLAGS", "GOOS", "GOWORK", "CGO_ENABLED")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"-mod=mod", "linux", "off", "0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, keep := range []string{"GOPROXY", "GOCACHE", "GOMODCACHE", "GOTOOLCHAIN"} {
		if slices.Contains(cleared, keep) {
			t.Errorf("%s is the user's to set", keep)
		}
	}
}

// An interrupted build takes its compilers with it.
func TestInterruptedGoCommandLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "go")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\nsleep 1000 &\necho $!\nwait\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	child := 0
	err := goTool{tool}.run(ctx, dir, []string{"build"}, func(line string) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Error(err)
		}
		child = pid
		cancel(why)
	}, func(string) {})
	if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if child == 0 {
		t.Fatal("the child did not start")
	}
	awaitEnd(t, child)
}

// awaitEnd returns when a process has ended, which the kernel tells.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return // and was reaped
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	n, err := 0, error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30_000)
	}
	if err != nil || n != 1 {
		t.Errorf("process %d lives on: %d, %v", pid, n, err)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
