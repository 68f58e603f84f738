// Package docker runs the docker command, or the one that takes its place: the
// same that kind runs, so that contexts, sockets and credentials are the user's.
package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/child"
)

// Command is the command's name, as kind selects it. Only docker has been tried.
func Command() string {
	switch p := os.Getenv("KIND_EXPERIMENTAL_PROVIDER"); p {
	case "podman", "nerdctl", "finch":
		return p
	}
	return "docker"
}

// Cgroups is the version of the control groups that containers have: 1 or 2.
func Cgroups(ctx context.Context) (string, error) {
	if Command() == "podman" {
		version, err := Line(ctx, "info", "--format", "{{.Host.CgroupsVersion}}")
		return strings.TrimPrefix(version, "v"), err
	}
	return Line(ctx, "info", "--format", "{{.CgroupVersion}}")
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
func Run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := run(ctx, child.Command{Out: &out}, nil, args)
	return strings.TrimSpace(out.String()), err
}

// Feed runs the command with an input, which may be nil, and hands over line by
// line what it says.
func Feed(ctx context.Context, in io.Reader, said func(string), args ...string) error {
	return run(ctx, child.Command{In: in}, said, args)
}

func run(ctx context.Context, c child.Command, said func(string), args []string) error {
	var last []string
	c.Path, c.Args = Command(), args
	err := c.Run(ctx, said, func(line string) {
		if text := strings.TrimSpace(line); text != "" {
			last = append(last, text)
			last = last[max(0, len(last)-lastLines):]
		}
		if said != nil {
			said(line)
		}
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s: %w", Command(), args[0], err)
	}
	return &Error{Args: args, Last: last, Err: errors.Unwrap(err)}
}

// Lines is Run for what writes a line a thing.
func Lines(ctx context.Context, args ...string) ([]string, error) {
	out, err := Run(ctx, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

// Line is Run for what writes just one line.
func Line(ctx context.Context, args ...string) (string, error) {
	lines, err := Lines(ctx, args...)
	if err == nil && len(lines) != 1 {
		err = fmt.Errorf("%s %s prints %q, not one line", Command(), strings.Join(args, " "), lines)
	}
	if err != nil {
		return "", err
	}
	return lines[0], nil
}

// Label returns the value of an image's label; ok is false where there is no such
// image, and the value is empty where it has no such label.
func Label(ctx context.Context, image, label string) (value string, ok bool, err error) {
	value, err = Run(ctx, "image", "inspect", "--format", `{{with .Config.Labels}}{{index . "`+label+`"}}{{end}}`, image)
	if Says(err, "no such image") {
		return "", false, nil
	}
	return value, err == nil, err
}
