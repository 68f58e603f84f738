package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// The exit codes. A script can tell from them what a run came to.
const (
	exitPass         = 0   // every gate passed, or the verb did what was asked
	exitError        = 1   // storm could not do it
	exitUsage        = 2   // the command line or the scenario is wrong; nothing was started
	exitGateFailed   = 3   // a gate failed: an SLO broke, or a profile regressed
	exitInconclusive = 4   // the interval straddles the margin: more blocks would tell
	exitInvalid      = 5   // nothing may be concluded: not measured, or the generator could not keep up
	exitInterrupted  = 130 // Ctrl-C, or SIGTERM; what there was has been reported
)

// exitCodes says the same to users, for `storm run --help`.
const exitCodes = `Exit codes:
    0  every gate passed
    1  storm could not do it
    2  the command line or the scenario is wrong; nothing was started
    3  a gate failed
    4  inconclusive: more blocks would tell
    5  invalid: not measured, or the load generator could not keep up
  130  interrupted; what there was has been reported`

// usageError is a mistake in the command line: storm points to --help.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// codedError is an error that knows its exit code.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// How a run ends that was told to.
var (
	errInterrupted      = &codedError{exitInterrupted, errors.New("interrupted; the report is of what there was")}
	errInterruptedEarly = &codedError{exitInterrupted, errors.New("interrupted before the first trial: there is nothing to report")}
)

// errVerdict carries a verdict's exit code; it has been printed already.
type errVerdict struct{ code int }

func (e *errVerdict) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// codeOf maps an error to an exit code.
func codeOf(ctx context.Context, err error) int {
	var verdict *errVerdict
	var coded *codedError
	var wrong *usageError
	switch {
	case err == nil:
		return exitPass
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &verdict):
		return verdict.code
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitError
}

// hint is the next step after an error of the machine's, empty where the error
// itself has one.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full: free some space, or move the run directory (--dir), storm's state (STORM_STATE_DIR) or its cache (STORM_CACHE_DIR)."
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return "Name another place: --dir for the run directory, STORM_STATE_DIR for storm's state, STORM_CACHE_DIR for its cache."
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "There are too many open files: raise the limit with `ulimit -n`, or ask for fewer nodes."
	}
	return ""
}

// tell is what storm prints of an error; command is the verb it is of.
func tell(ctx context.Context, err error, command string) string {
	text := err.Error()
	var coded *codedError
	if codeOf(ctx, err) == exitInterrupted && !errors.As(err, &coded) {
		text = "interrupted: " + text
	}
	text = "storm: " + text + "\n"
	if h := hint(err); h != "" {
		text += h + "\n"
	}
	var wrong *usageError
	if errors.As(err, &wrong) {
		text += fmt.Sprintf("See `%s --help`.\n", command)
	}
	return plain(text)
}
