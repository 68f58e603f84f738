package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestExitCodes(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	plainErr := errors.New("no such thing")
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"all is well", t.Context(), nil, exitPass},
		{"an error", t.Context(), plainErr, exitError},
		{"a wrong command line", t.Context(), usage("bad"), exitUsage},
		{"a wrong command line, wrapped", t.Context(), fmt.Errorf("x: %w", usage("bad")), exitUsage},
		{"a verdict", t.Context(), &errVerdict{exitGateFailed}, exitGateFailed},
		{"a verdict, while Ctrl-C comes too late", ended, &errVerdict{exitInvalid}, exitInvalid},
		{"interrupted, and reported", ended, errInterrupted, exitInterrupted},
		{"interrupted, and something failed by that", ended, plainErr, exitInterrupted},
		{"interrupted, with other errors", ended, errors.Join(plainErr, errInterrupted), exitInterrupted},
		{"cancelled within", t.Context(), fmt.Errorf("x: %w", context.Canceled), exitInterrupted},
	} {
		if got := codeOf(c.ctx, c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, got, c.want)
		}
	}
}

// Every code is in the help of the verbs that return them.
func TestExitCodesAreDocumented(t *testing.T) {
	for _, code := range []int{exitPass, exitError, exitUsage, exitGateFailed, exitInconclusive, exitInvalid, exitInterrupted} {
		if !strings.Contains(exitCodes, fmt.Sprintf("%5d  ", code)) {
			t.Errorf("the help says nothing of %d", code)
		}
	}
}

func TestErrorsAreToldWithTheNextStep(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "/runs/x/windows.jsonl", Err: syscall.ENOSPC}
	for _, c := range []struct {
		err  error
		want string
	}{
		{usage("name a scenario"), "storm: name a scenario\nSee `storm run --help`.\n"},
		{full, "storm: write /runs/x/windows.jsonl: no space left on device\nThe disk is full: free some space, or move the run directory (--dir), storm's state (STORM_STATE_DIR) or its cache (STORM_CACHE_DIR).\n"},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}, "storm: open x: too many open files\nThere are too many open files: raise the limit with `ulimit -n`, or ask for fewer nodes.\n"},
		{errInterrupted, "storm: interrupted; the report is of what there was\n"},
		{fmt.Errorf("starting the cluster: %w", context.Canceled), "storm: interrupted: starting the cluster: context canceled\n"},
		{errors.New("etcd said \x1b[2Jboo\x07"), "storm: etcd said ·[2Jboo·\n"},
	} {
		if got := tell(t.Context(), c.err, "storm run"); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
