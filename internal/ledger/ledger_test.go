package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/storm-harness/storm/internal/procfs"
)

// roleEnv makes the test's own executable play a process of a run.
const roleEnv = "LEDGER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "keeper": // of a ledger that was handed on
		l, err := Adopt(os.NewFile(3, "ledger"))
		if err == nil {
			err = l.Intend(Process, "from the keeper")
		}
		if err == nil {
			err = l.Undo(Process, "from the keeper")
		}
		fmt.Println(l.RunID(), err)
	default:
		fmt.Println("running")
	}
	// Until it is killed. To wait for nothing at all would be a deadlock to the
	// Go runtime, where there is no cgo.
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	for range c {
	}
}

// process starts a process that plays a role, with files handed on.
func process(t *testing.T, role, run string, files ...*os.File) (*exec.Cmd, procfs.Identity, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	if run != "" {
		cmd.Env = append(cmd.Env, RunEnv+"="+run)
	}
	cmd.ExtraFiles = files
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	id, err := procfs.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, id, line
}

// state gives the test a state folder of its own and returns its ledgers'.
func state(t *testing.T) string {
	t.Setenv("STORM_STATE_DIR", t.TempDir())
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func create(t *testing.T, run string) *Ledger {
	t.Helper()
	l, err := Create(run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestDir(t *testing.T) {
	for _, c := range []struct{ name, state, xdg, want string }{
		{"storm's own variable wins", "/s", "/x", "/s/ledger"},
		{"the base directory specification's", "", "/x", "/x/storm/ledger"},
		{"a relative one is ignored, as the specification says", "", "x", "/h/.local/state/storm/ledger"},
		{"neither", "", "", "/h/.local/state/storm/ledger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("STORM_STATE_DIR", c.state)
			t.Setenv("XDG_STATE_HOME", c.xdg)
			t.Setenv("HOME", "/h")
			if got, err := Dir(); err != nil || got != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestLedgerIsPrivateAndFinishesWhenAllIsUndone(t *testing.T) {
	dir := state(t)
	l := create(t, "run-1")
	path := filepath.Join(dir, "run-1.jsonl")
	for file, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %s: %v, %v; want %o", file, info.Mode(), err, want)
		}
	}
	if _, err := Create("run-1"); err == nil {
		t.Error("the same run twice: no error")
	}
	for _, bad := range []string{"", "../x", "a/b", ".hidden", "a b", "é"} {
		if _, err := Create(bad); err == nil {
			t.Errorf("run id %q: no error", bad)
		}
	}

	must(t, l.Intend(Process, "a"), l.Intend(Process, "b"), l.Undo(Process, "a"))
	must(t, l.Finish())
	if !exists(t, path) {
		t.Fatal("finished with a process that is not undone")
	}
	must(t, l.Undo(Process, "b"), l.Finish(), l.Finish())
	if exists(t, path) {
		t.Error("not finished though all is undone")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestMakeDirAndRemoveDir(t *testing.T) {
	state(t)
	l := create(t, "run-1")
	dir := filepath.Join(t.TempDir(), "data")
	must(t, l.MakeDir(dir))
	if err := l.MakeDir(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("making it twice: %v, want fs.ErrExist", err)
	}
	must(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700), os.WriteFile(filepath.Join(dir, "a", "f"), nil, 0o600))
	must(t, l.RemoveDir(dir))
	if exists(t, dir) {
		t.Error("it is still there")
	}
	must(t, l.RemoveDir(dir)) // gone is fine

	other := t.TempDir()
	if err := l.RemoveDir(other); err == nil || !exists(t, other) {
		t.Errorf("removing a directory that is not storm's: %v", err)
	}
}
