// Package docker runs the docker command, or the one that takes its place: the
// same that kind runs, so that contexts, sockets and credentials are the user's.
package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/priority"
)

// Command is the command's name, as kind selects it. Only docker has been tried.
func Command() string {
	switch p := os.Getenv("KIND_EXPERIMENTAL_PROVIDER"); p {
	case "podman", "nerdctl", "finch":
		return p
	}
	return "docker"
}

// Error is a command that failed.
type Error struct {
	Args []string
	Last []string // the last lines that it wrote
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %v", Command(), strings.Join(e.Args[:min(2, len(e.Args))], " "), e.Err)
	if len(e.Last) > 0 {
		text += ": " + strings.Join(e.Last, "\n  ")
	}
	return text
}

// Unwrap returns how the command ended.
func (e *Error) Unwrap() error { return e.Err }

// Says tells whether a command failed saying any of some words.
func Says(err error, words ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	said := strings.ToLower(strings.Join(e.Last, "\n"))
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
}

// lastLines is how much of what a command wrote its error shows.
const lastLines = 8

// Run runs the command and returns what it wrote to its standard output,
// trimmed. The error is an *Error, or ctx's.
func Run(ctx context.Context, args ...string) (string, error) { return Feed(ctx, nil, args...) }

// Feed is Run with an input.
func Feed(ctx context.Context, in []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, Command(), args...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	err := priority.Ordinarily(cmd.Run)
	if err == nil {
		return strings.TrimSpace(out.String()), nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s %s: %w", Command(), args[0], context.Cause(ctx))
	}
	return "", &Error{Args: args, Last: tail(said.String()), Err: err}
}

// Lines is Run for what writes a line a thing.
func Lines(ctx context.Context, args ...string) ([]string, error) {
	out, err := Run(ctx, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

func tail(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-lastLines):]
}

// Ping returns the daemon's version, or why there is none to work with and what
// to do about it.
func Ping(ctx context.Context) (string, error) {
	version, err := Run(ctx, "version", "--format", "{{.Server.Version}}")
	switch {
	case err == nil:
		return version, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no %s command in the PATH: install Docker", Command())
	case Says(err, "permission denied"):
		return "", fmt.Errorf("no permission on Docker's socket: add yourself to the group docker and log in again, or run as root (%w)", err)
	case Says(err, "cannot connect", "is the docker daemon running", "no such file"):
		return "", fmt.Errorf("the Docker daemon does not run: start it, such as with `systemctl start docker` (%w)", err)
	}
	return "", err
}
