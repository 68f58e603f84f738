package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
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

// Ping is Reach, for what shares files and processes with the containers: a daemon
// of another machine does not do. Its error says what to do.
func Ping(ctx context.Context) (version string, err error) {
	if c := Command(); c == "nerdctl" || c == "finch" {
		return "", fmt.Errorf("kind puts what %s runs on one network for all clusters, and storm knows what is its own by a network for each: use Docker or Podman (KIND_EXPERIMENTAL_PROVIDER)", c)
	}
	version, err = Reach(ctx)
	var absent *NotAnsweringError
	switch {
	case err == nil:
		return version, here(ctx)
	case !errors.As(err, &absent):
		return version, err
	case errors.Is(err, exec.ErrNotFound):
		if _, err := exec.LookPath("podman"); err == nil && Command() == "docker" {
			return "", fmt.Errorf("%w: install Docker, or take Podman, which is there and untried: KIND_EXPERIMENTAL_PROVIDER=podman", absent)
		}
		return "", fmt.Errorf("%w: install Docker", absent)
	case absent.Denied():
		return "", fmt.Errorf("no permission on Docker's socket: add yourself to the group docker and log in again, or run as root (%w)", absent)
	case Says(err, "cannot connect", "is the docker daemon running", "no such file"):
		return "", fmt.Errorf("the Docker daemon does not run: start it, such as with `systemctl start docker` (%w)", absent)
	}
	return "", err
}

// here returns an error where the daemon is not this machine's.
func here(ctx context.Context) error {
	const why = "its containers' processes are not seen from here, nor is every file of this machine there: run storm where the daemon runs"
	if Command() != "docker" {
		return nil // what others say of themselves is untried
	}
	if at := host(ctx); elsewhere(at, own()) {
		return fmt.Errorf("the Docker daemon at %s is another machine's: %s", at, why)
	}
	kernel, err := Run(ctx, "version", "--format", "{{.Server.KernelVersion}}")
	if err != nil {
		return err
	}
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return err
	}
	if mine := unix.ByteSliceToString(uname.Release[:]); kernel != "" && kernel != mine {
		return fmt.Errorf("the Docker daemon runs under another kernel, %s where this machine has %s, such as in a virtual machine: %s", kernel, mine, why)
	}
	options, err := Run(ctx, "info", "--format", "{{.SecurityOptions}}")
	if err == nil && strings.Contains(options, "name=rootless") {
		err = errors.New("the Docker daemon runs without root, and this machine does not reach its containers by their addresses: use one of root's")
	}
	return err
}

// elsewhere tells a daemon of another machine by its address; own are this one's.
func elsewhere(host string, own []string) bool {
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "ssh":
		return true
	case "tcp", "http", "https":
		name := u.Hostname()
		if ip := net.ParseIP(name); ip != nil {
			name = ip.String()
			return !ip.IsLoopback() && !ip.IsUnspecified() && !slices.Contains(own, name)
		}
		bare, _, _ := strings.Cut(name, ".")
		return name != "" && name != "localhost" && !slices.Contains(own, name) && !slices.Contains(own, bare)
	}
	return false
}

// own are the names and addresses of this machine.
func own() []string {
	var out []string
	if name, err := os.Hostname(); err == nil {
		out = append(out, name)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return out
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
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
