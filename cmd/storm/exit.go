package main

import (
	"context"
	"errors"
	"fmt"
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

// codedError is an error that knows its exit code.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// usage marks an error as one of the command line or the scenario.
func usage(format string, args ...any) error {
	return &codedError{exitUsage, fmt.Errorf(format, args...)}
}

// errVerdict carries a verdict's exit code; it has been printed already.
type errVerdict struct{ code int }

func (e *errVerdict) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// codeOf maps an error to an exit code.
func codeOf(ctx context.Context, err error) int {
	var verdict *errVerdict
	var coded *codedError
	switch {
	case err == nil:
		return exitPass
	case errors.As(err, &verdict):
		return verdict.code
	case errors.As(err, &coded):
		return coded.code
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitError
}
