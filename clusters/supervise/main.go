package supervise

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/priority"
	"golang.org/x/sys/unix"
)

// ledgerFD is the file descriptor on which a supervisor is given the ledger.
const ledgerFD = 3

// patience is how long an ended supervisor waits for its last answers to be taken.
const patience = 2 * time.Second

// Main is the supervisor's process. It returns its exit code.
func Main() int {
	if err := os.Unsetenv(askEnv); err != nil {
		return fail(err)
	}
	// The storm that starts this may go first on the processors; what it
	// measures must not.
	priority.StepBack()
	if err := priority.Ordinary(); err != nil {
		return fail(err)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	// No process may inherit the ledger: its lock would outlive the owners.
	unix.CloseOnExec(ledgerFD)
	book, err := ledger.Adopt(os.NewFile(ledgerFD, "ledger"))
	if err != nil {
		return fail(fmt.Errorf("storm starts its supervisors itself: %w", err))
	}
	input := json.NewDecoder(os.Stdin)
	var what setup
	if err := input.Decode(&what); err != nil {
		return fail(fmt.Errorf("reading what to do: %w", err))
	}
	claim, err := network.ClaimSlot()
	if err != nil {
		return fail(err)
	}
	// Unreferenced, its listener would be collected, and the slot be free.
	defer runtime.KeepAlive(claim)
	socket, err := listen()
	if err != nil {
		return fail(err)
	}
	s := &supervisor{
		ledger: book, record: what.Record, owned: what.Owned, slot: claim.Slot,
		processes: newProcesses(book), end: make(chan string, 1), gone: make(chan struct{}),
	}
	srv := newServer(s.calls())
	go s.accept(socket, srv)
	code := s.run(socket.Addr().String())
	srv.drain(patience)
	return code
}

// run serves until it is told to end, by whichever way, and tears down.
func (s *supervisor) run(socket string) int {
	// A hangup, or a reader of the log that went away, is no reason to end.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := json.NewEncoder(os.Stdout).Encode(ready{Socket: socket}); err != nil {
		s.ask("nobody takes its answer")
	}
	// The answer is given; who reads it is waiting for its end.
	if err := unix.Dup3(int(os.Stderr.Fd()), int(os.Stdout.Fd()), 0); err != nil {
		slog.Warn("letting go of standard output", "err", err)
	}
	go s.followParent(os.Stdin)

	select {
	case why := <-s.end:
		slog.Info("ending", "why", why)
	case <-ctx.Done():
		slog.Info("ending", "why", "signal")
	}
	if err := s.tearDown(); err != nil {
		slog.Error("ending", "err", err)
		return 1
	}
	return 0
}

// followParent ends the supervisor when the storm that started it has ended,
// which is when the pipe from it does, unless it is to persist by then.
func (s *supervisor) followParent(pipe io.Reader) {
	_, err := io.Copy(io.Discard, pipe)
	s.orphaned.Store(true)
	if !s.persists.Load() {
		s.ask(fmt.Sprintf("the storm that started it has ended (%v)", err))
	}
}

// listen opens the socket of the supervisor: abstract, so that nothing of it
// is on disk and its path cannot be too long. Who connects is checked instead.
func listen() (*net.UnixListener, error) {
	return net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: "@storm-supervisor-" + rand.Text()})
}

// accept serves every connection of this user, or of root.
func (s *supervisor) accept(socket *net.UnixListener, srv *server) {
	for {
		conn, err := socket.AcceptUnix()
		if err != nil {
			s.ask("its socket is lost: " + err.Error())
			return
		}
		if err := checkPeer(conn); err != nil {
			slog.Warn("refusing a connection", "err", err)
			_ = conn.Close()
			continue
		}
		go srv.serve(conn)
	}
}

// checkPeer returns an error unless the other end of a connection is a process
// of this user or of root.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return fmt.Errorf("process %d is of user %d", cred.Pid, cred.Uid)
	}
	return nil
}
