package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/docker"
)

const (
	logFile = "/var/log/storm-dockerd.log"
	// wrapper is where the runtime goes that stands before runc.
	wrapper = "/usr/local/libexec/storm/runc"
	runtime = "storm-runc"
)

// start starts dockerd, which goes on after this process, and waits until it
// answers.
func (s setup) start(ctx context.Context) error {
	args := []string{"--storage-driver=overlay2"}
	have, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_RESOURCE, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("asking for CAP_SYS_RESOURCE: %w", err)
	}
	if have == 0 {
		s.say("this machine's bounding set lacks CAP_SYS_RESOURCE: privileged containers get what it has, by %s before runc", wrapper)
		if err := buildWrapper(ctx); err != nil {
			return err
		}
		args = append(args, "--add-runtime="+runtime+"="+wrapper, "--default-runtime="+runtime)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("log of dockerd: %w", err)
	}
	defer log.Close()
	cmd := exec.Command("dockerd", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting dockerd: %w", err)
	}
	s.say("started dockerd %s, process %d, which goes on until you end it; it logs to %s", strings.Join(args, " "), cmd.Process.Pid, logFile)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return s.await(ctx, ended)
}

// await returns when the daemon answers, or with its last words where it ended.
func (s setup) await(ctx context.Context, ended <-chan error) error {
	late, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("dockerd does not answer after %s: see %s%s", patience, logFile, lastWords()))
	defer cancel()
	for {
		version, err := docker.Reach(late)
		if err == nil {
			s.say("Docker %s answers", version)
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("dockerd ended at once: %w: see %s%s", cmp.Or(err, errors.New("exit status 0")), logFile, lastWords())
		case <-late.Done():
			return context.Cause(late)
		case <-time.After(200 * time.Millisecond): // its socket cannot be waited for before it is there
		}
	}
}

// lastWords are the last lines of dockerd's log.
func lastWords() string {
	data, err := os.ReadFile(logFile)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return "\n" + strings.Join(lines[max(0, len(lines)-8):], "\n")
}
