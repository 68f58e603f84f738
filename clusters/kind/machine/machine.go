// Package machine sees to it that Docker answers. On a machine where it does
// not, and whose user says so (OptIn), it installs Docker from Debian's packages
// and starts it; it says each thing that it does. Without the user's word it
// changes nothing.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/docker"
)

// OptIn is the environment variable that allows Ready to change the machine,
// where it is "1".
const OptIn = "STORM_SETUP_DOCKER"

// Ready returns nil when Docker answers. Where it does not, it sets Docker up if
// OptIn allows it, and returns an error with the next step if not.
func Ready(ctx context.Context, sink clusters.Sink) error {
	say := func(format string, args ...any) {
		sink(clusters.Event{Component: "docker", Text: fmt.Sprintf(format, args...)})
	}
	version, err := docker.Reach(ctx)
	if err == nil {
		say("Docker %s answers", version)
		return nil
	}
	absent := (*docker.NotAnsweringError)(nil)
	if !errors.As(err, &absent) {
		return err
	}
	if err := mayHelp(absent, facts()); err != nil {
		return err
	}
	say("%v", absent)
	say("%s=1: setting Docker up", OptIn)
	s := setup{say: say}
	if err := s.install(ctx); err != nil {
		return err
	}
	if version, err := docker.Reach(ctx); err == nil {
		say("Docker %s answers: the package started it", version)
		return nil
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	notes(say)
	return nil
}

// fact is what mayHelp judges by.
type fact struct {
	allowed bool   // by OptIn
	host    string // DOCKER_HOST
	root    bool
	debian  bool // there is apt-get
}

func facts() fact {
	return fact{
		allowed: os.Getenv(OptIn) == "1",
		host:    os.Getenv("DOCKER_HOST"),
		root:    os.Geteuid() == 0,
		debian:  has("apt-get") && has("dpkg"),
	}
}

// mayHelp returns an error with the next step where Docker is not to be set up,
// or cannot be.
func mayHelp(absent *docker.NotAnsweringError, f fact) error {
	switch {
	case absent.Denied():
		return fmt.Errorf("%w\nyour user may not talk to it: join the group docker, or run this as root", absent)
	case !f.allowed:
		return fmt.Errorf("%w\nstart it, or let storm set it up on a machine that you can throw away: %s=1", absent, OptIn)
	case f.host != "":
		return fmt.Errorf("%w\nDOCKER_HOST names a daemon that is not this machine's usual one: start that, or unset DOCKER_HOST", absent)
	case !f.root:
		return fmt.Errorf("%w\nsetting it up takes root: run this as root, or start it yourself", absent)
	case !f.debian:
		return fmt.Errorf("%w\nsetting it up is written for Debian's packages, and there is no apt-get here: install and start it yourself", absent)
	}
	return nil
}

// patience is how long a daemon may take until it answers.
const patience = 3 * time.Minute

// setup does the work.
type setup struct {
	say func(format string, args ...any)
}
