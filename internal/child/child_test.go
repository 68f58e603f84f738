package child

import (
	"context"
	"errors"
	"os"
	"os/exec"
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

func TestFailureSaysWhatWasSaidLast(t *testing.T) {
	script := `i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo "line $i" >&2; echo noise >&2; done; exit 3`
	heard := 0
	err := Command{
		Path: "sh", Args: []string{"-c", script}, Noise: func(s string) bool { return s == "noise" },
	}.Run(t.Context(), nil, func(string) { heard++ })
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("got %v, want the exit status 3", err)
	}
	if !strings.HasPrefix(err.Error(), "sh -c: exit status 3\nline 9\n") || !strings.HasSuffix(err.Error(), "\nline 20") {
		t.Errorf("got %v", err)
	}
	if heard != 40 {
		t.Errorf("%d lines were handed over, want 40", heard)
	}
}

func TestNoSuchProgram(t *testing.T) {
	if err := (Command{Path: "storm-no-such-program"}).Run(t.Context(), nil, nil); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// Bytes pass as they are, in and out.
func TestBytes(t *testing.T) {
	var out strings.Builder
	if err := (Command{Path: "cat", In: strings.NewReader("a\x00b"), Out: &out}).Run(t.Context(), nil, nil); err != nil || out.String() != "a\x00b" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// An interrupted command takes what it started with it.
func TestInterruptedCommandLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\nsleep 1000 &\necho $!\nwait\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	started := 0
	err := Command{Path: tool}.Run(ctx, func(line string) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Error(err)
		}
		started = pid
		cancel(why)
	}, nil)
	if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if started == 0 {
		t.Fatal("the child did not start")
	}
	awaitEnd(t, started)
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
