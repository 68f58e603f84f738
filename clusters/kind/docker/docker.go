// Package docker runs the docker command: the same one that kind runs, so that
// contexts, sockets and credentials are the user's own.
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/storm-harness/storm/internal/child"
)

// Docker is the docker command. The zero value is the one in the PATH.
type Docker struct {
	Path string // "docker" by default
}

// NotAnsweringError says that there is no Docker to talk to, and why.
type NotAnsweringError struct {
	Host string // what was asked
	Why  error
}

func (e *NotAnsweringError) Error() string {
	if errors.Is(e.Why, exec.ErrNotFound) {
		return "there is no docker command in the PATH"
	}
	return fmt.Sprintf("Docker does not answer at %s: %v", e.Host, e.Why)
}

func (e *NotAnsweringError) Unwrap() error { return e.Why }

// Denied tells whether the daemon is there, but not for this user.
func (e *NotAnsweringError) Denied() bool {
	return e.Why != nil && strings.Contains(e.Why.Error(), "permission denied")
}

// Ping returns the version of the daemon. Where none answers, the error is a
// *NotAnsweringError.
func (d Docker) Ping(ctx context.Context) (version string, err error) {
	lines, err := d.Lines(ctx, "version", "--format", "{{.Server.Version}}")
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", &NotAnsweringError{Host: d.host(ctx), Why: err}
	case len(lines) != 1:
		return "", fmt.Errorf("docker version says %q, not a version", lines)
	}
	return lines[0], nil
}

// host is where the docker command looks for the daemon.
func (d Docker) host(ctx context.Context) string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host
	}
	lines, err := d.Lines(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	if err != nil || len(lines) != 1 || lines[0] == "" {
		return "its usual socket"
	}
	return lines[0]
}

// Lines runs docker and returns what it prints.
func (d Docker) Lines(ctx context.Context, args ...string) ([]string, error) {
	return d.command(args).Lines(ctx)
}

// Line runs docker and returns the one line that it prints.
func (d Docker) Line(ctx context.Context, args ...string) (string, error) {
	lines, err := d.Lines(ctx, args...)
	if err != nil {
		return "", err
	}
	if len(lines) != 1 {
		return "", fmt.Errorf("docker %s prints %q, not one line", strings.Join(args, " "), lines)
	}
	return lines[0], nil
}

// Feed runs docker with an input, which may be nil, and hands over what it says.
func (d Docker) Feed(ctx context.Context, in io.Reader, said func(string), args ...string) error {
	c := d.command(args)
	c.In = in
	return c.Run(ctx, said, said)
}

func (d Docker) command(args []string) child.Command {
	path := d.Path
	if path == "" {
		path = "docker"
	}
	return child.Command{Path: path, Args: args}
}

// Label returns the value of an image's label; ok is false where there is no such
// image, and the value is empty where it has no such label.
func (d Docker) Label(ctx context.Context, image, label string) (value string, ok bool, err error) {
	value, err = d.Line(ctx, "image", "inspect", "--format", `{{with .Config.Labels}}{{index . "`+label+`"}}{{end}}`, image)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		return "", false, nil
	}
	return value, err == nil, err
}
