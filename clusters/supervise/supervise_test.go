package supervise

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/procfs"
)

// begin starts a supervisor with a ledger of its own.
func begin(t *testing.T, run string) (*Client, *ledger.Ledger) {
	t.Helper()
	book, err := ledger.Create(run)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "supervisor.log")
	c, err := Start(t.Context(), Options{Ledger: book, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b, err := os.ReadFile(log); t.Failed() {
			t.Logf("the supervisor's log: %s (%v)", b, err)
		}
		// The test may have ended it already, by force even.
		_ = c.Shutdown(context.Background())
		_ = book.Close()
	})
	return c, book
}

func state(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("STORM_STATE_DIR", dir)
	return filepath.Join(dir, "ledger")
}

// role is a process that plays a role.
func role(t *testing.T, name, role string, args ...string) Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Process{Name: name, Argv: append([]string{exe, role}, args...), Log: filepath.Join(t.TempDir(), name+".log")}
}

func spawn(t *testing.T, c *Client, p Process) Status {
	t.Helper()
	s, err := c.Spawn(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitLog waits until a process has said something.
func awaitLog(t *testing.T, c *Client, p Process, text string) {
	t.Helper()
	for {
		b, err := os.ReadFile(p.Log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), text) {
			return
		}
		all, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := all[p.Name]; !s.Running {
			t.Fatalf("%s ended with %s before it said %q; it said %q", p.Name, s.Exit, text, b)
		}
		time.Sleep(time.Millisecond) // leave the processor to those who are waited for
	}
}

func wait(t *testing.T, c *Client, name string) Status {
	t.Helper()
	s, err := c.Wait(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitGone waits until a process has ended.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	id, err := procfs.Identify(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := procfs.Open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesLiveAndEndAsAsked(t *testing.T) {
	dir := state(t)
	c, book := begin(t, "supervise-1")
	if c.RunID() != "supervise-1" || c.PID() == os.Getpid() {
		t.Errorf("supervisor of run %q is process %d", c.RunID(), c.PID())
	}

	p := role(t, "one", "role-idle")
	s := spawn(t, c, p)
	if !s.Running || s.PID == 0 || s.Exit != "" || s.Asked || s.Started.IsZero() || !s.Ended.IsZero() {
		t.Errorf("just started: %+v", s)
	}
	if has, err := procfs.HasEnv(s.PID, ledger.RunEnv, "supervise-1"); err != nil || !has {
		t.Errorf("the process does not carry its run id: %v", err)
	}
	if _, err := c.Spawn(t.Context(), p); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("starting it twice: %v", err)
	}
	awaitLog(t, c, p, "running")
	if err := c.Stop(t.Context(), "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	s = wait(t, c, "one")
	if s.Running || s.Exit != "exit status 0" || !s.Asked || s.Ended.Before(s.Started) {
		t.Errorf("after Stop: %+v", s)
	}
	if err := c.Stop(t.Context(), "one", 0); err != nil {
		t.Errorf("stopping what has stopped: %v", err)
	}
	if err := c.Signal(t.Context(), "one", syscall.SIGSTOP); err == nil || !strings.Contains(err.Error(), "exit status 0") {
		t.Errorf("signalling what has stopped: %v", err)
	}

	// Again under the same name; paused, it can still be stopped gracefully.
	again := spawn(t, c, p)
	if again.PID == s.PID || again.Asked {
		t.Errorf("started again: %+v", again)
	}
	awaitLog(t, c, p, "asked to end\nrunning")
	if err := c.Signal(t.Context(), "one", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		st, err := procfs.ReadStat(again.PID)
		if err != nil {
			t.Fatal(err)
		}
		if st.State == 'T' {
			break
		}
	}
	if err := c.Stop(t.Context(), "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	if s := wait(t, c, "one"); s.Exit != "exit status 0" {
		t.Errorf("stopped while paused: %+v", s)
	}

	if info, err := os.Stat(p.Log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log's mode: %v, %v", info, err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, c.PID())
	if err := book.Finish(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the ledger's folder: %v, %v", left, err)
	}
}

func TestEndsAreTold(t *testing.T) {
	state(t)
	c, _ := begin(t, "supervise-1")

	failing := role(t, "failing", "role-fail")
	spawn(t, c, failing)
	s := wait(t, c, "failing")
	if s.Exit != "exit status 1" || s.Asked {
		t.Errorf("it failed by itself: %+v", s)
	}
	if b, err := os.ReadFile(failing.Log); err != nil || string(b) != "on purpose\n" {
		t.Errorf("its log: %q, %v", b, err)
	}

	// A wait that began before the end is told of it.
	victim := role(t, "victim", "role-stubborn")
	st := spawn(t, c, victim)
	told := make(chan Status)
	go func() {
		s, _ := c.Wait(context.WithoutCancel(t.Context()), "victim")
		told <- s
	}()
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if s := <-told; s.Exit != "signal: killed" || s.Asked || s.PID != st.PID {
		t.Errorf("killed behind storm's back: %+v", s)
	}

	st = spawn(t, c, victim)
	if err := c.Signal(t.Context(), "victim", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if s := wait(t, c, "victim"); s.Exit != "signal: killed" || !s.Asked || s.PID != st.PID {
		t.Errorf("killed by storm: %+v", s)
	}

	stubborn := role(t, "stubborn", "role-stubborn")
	spawn(t, c, stubborn)
	awaitLog(t, c, stubborn, "running")
	if err := c.Stop(t.Context(), "stubborn", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if s := wait(t, c, "stubborn"); s.Exit != "signal: killed" || !s.Asked {
		t.Errorf("did not end when asked: %+v", s)
	}

	if _, err := c.Wait(t.Context(), "nobody"); err == nil {
		t.Error("waiting for a process that was never started: no error")
	}
	absent := role(t, "absent", "")
	absent.Argv = []string{"/nonexistent/etcd"}
	if _, err := c.Spawn(t.Context(), absent); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a program that is not there: %v", err)
	}
	lost := role(t, "lost", "role-idle")
	lost.Host = "nowhere"
	if _, err := c.Spawn(t.Context(), lost); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a host that is not there: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	spawn(t, c, lostAt(lost, ""))
	cancel()
	if _, err := c.Wait(ctx, "lost"); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
}

func lostAt(p Process, host string) Process {
	p.Host = host
	return p
}

func TestLeaveEndsProcessesAndLeavesDirectoriesInTheLedger(t *testing.T) {
	state(t)
	book, err := ledger.Create("supervise-1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	dir := filepath.Join(t.TempDir(), "owned")
	if err := book.MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	c, err := Start(t.Context(), Options{Ledger: book, Log: filepath.Join(t.TempDir(), "supervisor.log"), Owned: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	idle := role(t, "idle", "role-idle")
	pid := spawn(t, c, idle).PID
	if err := c.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := procfs.ReadStat(pid); err == nil {
		t.Error("a process of the supervisor still runs")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the directory is not left: %v", err)
	}
	found, err := book.PutBack(t.Context(), func(ledger.Entry) bool { return true })
	if err != nil || len(found) != 1 || found[0].Name != dir || found[0].Result != ledger.Removed {
		t.Errorf("the ledger has %+v (%v), want the directory alone", found, err)
	}
}

func TestEnvironmentIsOnlyWhatIsGiven(t *testing.T) {
	state(t)
	t.Setenv("ETCD_QUOTA_BACKEND_BYTES", "1")
	c, _ := begin(t, "supervise-1")
	p := role(t, "env", "role-env")
	p.Env = []string{"GIVEN=yes", "STORM_RUN_ID=another"}
	spawn(t, c, p)
	wait(t, c, "env")
	b, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(b)) {
		key, _, _ := strings.Cut(line, "=")
		if key != "PATH" && key != "HOME" && key != "TMPDIR" {
			keys = append(keys, strings.TrimSpace(line))
		}
	}
	slices.Sort(keys)
	if want := []string{"GIVEN=yes", "STORM_RUN_ID=supervise-1"}; !slices.Equal(keys, want) {
		t.Errorf("environment: %q, want %q", keys, want)
	}
}
