package procfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Handle holds on to one process: what is done through it can reach no other,
// though the process end and its pid be given away.
type Handle struct {
	id Identity
	fd int
}

// Open gets hold of a process. If it has ended, the error wraps fs.ErrNotExist.
func Open(id Identity) (*Handle, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", id.PID, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("getting hold of process %d: %w", id.PID, err)
	}
	h := &Handle{id: id, fd: fd}
	// Only now is it certain which process the descriptor stands for.
	alive, err := id.Alive()
	if err == nil && !alive {
		err = fmt.Errorf("process %d: %w", id.PID, fs.ErrNotExist)
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Signal sends a signal. To signal a process that has ended is no error.
func (h *Handle) Signal(sig unix.Signal) error {
	err := unix.PidfdSendSignal(h.fd, sig, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signalling process %d: %w", h.id.PID, err)
	}
	return nil
}

// Wait returns when the process has ended, whether or not its parent has
// taken notice.
func (h *Handle) Wait(ctx context.Context) error {
	const look = 100 * time.Millisecond // at ctx
	for {
		fds := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(look.Milliseconds()))
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return os.NewSyscallError("poll", err)
		case n > 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("process %d has not ended: %w", h.id.PID, context.Cause(ctx))
		}
	}
}

// Close lets go of the process.
func (h *Handle) Close() { _ = unix.Close(h.fd) }
