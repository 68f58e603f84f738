package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/procfs"
)

// Verb is the hidden verb of storm's that runs Main.
const Verb = "supervise"

// askEnv tells a process of storm's executable, whichever its main, that it
// is to be a supervisor.
const askEnv = "STORM_SUPERVISE"

// setup is the line that a supervisor reads from its standard input, which
// stays open as long as the storm that started it lives.
type setup struct {
	Owned  []string `json:"owned"`
	Record string   `json:"record"` // the supervisor's own name in the ledger
}

// ready is the line that it answers with on its standard output.
type ready struct {
	Socket string `json:"socket"`
	Error  string `json:"error,omitempty"`
}

// Start starts a supervisor, as another process of this executable, and
// connects to it. It ends with this process, unless it is told to persist.
func Start(ctx context.Context, o Options) (*Client, error) {
	if o.Ledger == nil {
		return nil, errors.New("a supervisor needs a ledger")
	}
	log, err := os.OpenFile(o.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the supervisor's log: %w", err)
	}
	defer log.Close()

	// The link to the own executable works even if its file was replaced.
	cmd := exec.Command("/proc/self/exe", Verb)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), askEnv+"=1", ledger.RunEnv+"="+o.Ledger.RunID())
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{o.Ledger.File()} // ledgerFD
	// A session of its own: Ctrl-C in the terminal is storm's to handle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, lifeline.Close())
	}
	record := recordName(os.Getpid(), "supervisor")
	if err := o.Ledger.Intend(ledger.Process, record); err != nil {
		return nil, errors.Join(err, lifeline.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the supervisor: %w", err), lifeline.Close(), o.Ledger.Undo(ledger.Process, record))
	}
	s := &started{cmd: cmd, lifeline: lifeline, record: record, ledger: o.Ledger, owned: o.Owned, ended: make(chan struct{})}
	r, err := s.introduce(ctx, answer, setup{Owned: o.Owned, Record: record})
	go s.await()
	if err == nil {
		var c *Client
		if c, err = dial(ctx, r.Socket, s); err == nil {
			return c, nil
		}
	}
	err = errors.Join(fmt.Errorf("starting the supervisor (its log: %s): %w", o.Log, err), lifeline.Close())
	<-s.ended
	return nil, err
}

// started is a supervisor that this process has started.
type started struct {
	cmd      *exec.Cmd
	lifeline io.Closer // its end is the supervisor's, unless it persists
	record   string
	ledger   *ledger.Ledger
	owned    []string
	ended    chan struct{}
}

// introduce records who the supervisor is, tells it what it needs to know,
// and takes its answer.
func (s *started) introduce(ctx context.Context, answer io.Reader, what setup) (ready, error) {
	id, err := procfs.Identify(s.cmd.Process.Pid)
	if err != nil {
		return ready{}, err
	}
	if err := s.ledger.Started(s.record, id); err != nil {
		return ready{}, err
	}
	if err := json.NewEncoder(s.lifeline.(io.Writer)).Encode(what); err != nil {
		return ready{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })
	defer stop()
	var r ready
	if err := json.NewDecoder(answer).Decode(&r); err != nil {
		if ctx.Err() != nil {
			return ready{}, context.Cause(ctx)
		}
		return ready{}, fmt.Errorf("it ended without an answer: %w", err)
	}
	if r.Error != "" {
		return ready{}, errors.New(r.Error)
	}
	return r, nil
}

// await records the supervisor's end.
func (s *started) await() {
	_ = s.cmd.Wait() // how it ended is in its log
	// It has written this itself, unless it was killed.
	_ = s.ledger.Undo(ledger.Process, s.record)
	close(s.ended)
}

// putBack does what a supervisor that was killed could not do any more.
func (s *started) putBack(ctx context.Context, of Info) error {
	_, err := s.ledger.PutBack(ctx, func(e ledger.Entry) bool {
		switch e.Kind {
		case ledger.Process:
			return strings.HasPrefix(e.Name, recordName(of.PID, ""))
		case ledger.Interface:
			return e.Name == of.Slot.Interface()
		case ledger.Containers:
			return true
		case ledger.Directory:
			return slices.Contains(s.owned, e.Name)
		}
		return false
	})
	return err
}

// recordName is the name in the ledger of a process that another has started.
func recordName(starter int, name string) string { return fmt.Sprintf("%d/%s", starter, name) }

// RunIfAsked runs a supervisor, and does not return, if this process was
// started to be one; otherwise it returns at once. A main calls it first.
func RunIfAsked() {
	if os.Getenv(askEnv) == "1" {
		os.Exit(Main())
	}
}

// fail writes the answer of a supervisor that cannot start.
func fail(err error) int {
	text := strings.TrimSpace(err.Error())
	_ = json.NewEncoder(os.Stdout).Encode(ready{Error: text})
	fmt.Fprintln(os.Stderr, text)
	return 1
}
