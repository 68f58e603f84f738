package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// NotAnsweringError says that there is no Docker to talk to, and why.
type NotAnsweringError struct {
	Host string // what was asked; empty where there is no command to ask by
	Why  error
}

// Error implements error.
func (e *NotAnsweringError) Error() string {
	if errors.Is(e.Why, exec.ErrNotFound) {
		return fmt.Sprintf("there is no %s command in the PATH", Command())
	}
	return fmt.Sprintf("Docker does not answer at %s: %v", e.Host, e.Why)
}

// Unwrap returns why.
func (e *NotAnsweringError) Unwrap() error { return e.Why }

// Denied tells whether the daemon is there, but not for this user.
func (e *NotAnsweringError) Denied() bool { return Says(e.Why, "permission denied") }

// Reach returns the daemon's version. Where none answers, the error is a
// *NotAnsweringError.
func Reach(ctx context.Context) (version string, err error) {
	version, err = Line(ctx, "version", "--format", "{{.Server.Version}}")
	switch {
	case err == nil || ctx.Err() != nil:
		return version, err
	case errors.Is(err, exec.ErrNotFound):
		return "", &NotAnsweringError{Why: err}
	}
	return "", &NotAnsweringError{Host: host(ctx), Why: err}
}

// Ping is Reach; its error says what to do.
func Ping(ctx context.Context) (version string, err error) {
	version, err = Reach(ctx)
	var absent *NotAnsweringError
	switch {
	case !errors.As(err, &absent):
		return version, err
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w: install Docker", absent)
	case absent.Denied():
		return "", fmt.Errorf("no permission on Docker's socket: add yourself to the group docker and log in again, or run as root (%w)", absent)
	case Says(err, "cannot connect", "is the docker daemon running", "no such file"):
		return "", fmt.Errorf("the Docker daemon does not run: start it, such as with `systemctl start docker` (%w)", absent)
	}
	return "", err
}

// host is where the command looks for the daemon.
func host(ctx context.Context) string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host
	}
	host, err := Line(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	if err != nil || host == "" {
		return "its usual socket"
	}
	return host
}
