package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/vishvananda/netlink"
)

// told is what a storm that is going to be killed says of itself.
type told struct {
	Supervisor int
	Children   []int
	Slot       network.Slot
	Socket     string
}

// stormToBeKilled starts a supervisor with some processes, on hosts of their
// own where it may, says so, and waits to be killed.
func stormToBeKilled(args []string) error {
	run, dir, persist := args[0], args[1], slices.Contains(args, "persist")
	book, err := ledger.Create(run)
	if err != nil {
		return err
	}
	owned := filepath.Join(dir, "data")
	if err := book.MakeDir(owned); err != nil {
		return err
	}
	ctx := context.Background()
	c, err := Start(ctx, Options{Ledger: book, Log: filepath.Join(dir, "supervisor.log"), Owned: []string{owned}})
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	t := told{Supervisor: c.PID(), Slot: c.Slot(), Socket: c.Socket()}
	hosts := []string{"", ""}
	if ok, _ := network.Probe(); ok {
		hosts = []string{"", "a", "b"}
		if _, err := c.Network(ctx, hosts[1:]); err != nil {
			return err
		}
	}
	for i, host := range hosts {
		s, err := c.Spawn(ctx, Process{
			Name: fmt.Sprint("p", i), Argv: []string{exe, "role-stubborn"}, Host: host,
			Log: filepath.Join(owned, fmt.Sprint("p", i, ".log")),
		})
		if err != nil {
			return err
		}
		t.Children = append(t.Children, s.PID)
	}
	if persist {
		if err := c.Persist(ctx); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return err
	}
	select {}
}

// storm runs a storm as a process of its own.
func storm(t *testing.T, run, dir string, args ...string) (*exec.Cmd, told) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{"role-storm", run, dir}, args...)...)
	cmd.Stderr = os.Stderr
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
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the storm says nothing: %v", err)
	}
	var say told
	if err := json.Unmarshal(line, &say); err != nil {
		t.Fatal(err)
	}
	return cmd, say
}

// checkNothingLeft waits for the processes' ends and looks for the rest.
func checkNothingLeft(t *testing.T, say told, dir, books string) {
	t.Helper()
	for _, pid := range append(say.Children, say.Supervisor) {
		awaitGone(t, pid)
	}
	if _, err := os.Lstat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the data directory: %v, want none", err)
	}
	if left, err := os.ReadDir(books); err != nil || len(left) > 0 {
		t.Errorf("left in the ledger's folder: %v, %v", left, err)
	}
	if link, err := netlink.LinkByName(say.Slot.Interface()); err == nil {
		t.Errorf("interface %s is left behind", link.Attrs().Name)
	}
}

func TestStormIsKilled(t *testing.T) {
	books, dir := state(t), t.TempDir()
	cmd, say := storm(t, "supervise-1", dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	checkNothingLeft(t, say, dir, books)
}

func TestSupervisorIsKilled(t *testing.T) {
	state(t)
	dir := t.TempDir()
	_, say := storm(t, "supervise-1", dir)
	if err := syscall.Kill(say.Supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, pid := range say.Children {
		awaitGone(t, pid)
	}
}

// Storm and its supervisor both killed, at once and beyond any farewell, with
// another storm beside them: the kernel ends the processes, Cleanup removes the
// rest, and the other storm is none the wiser.
func TestCleanupAfterStormAndSupervisorAreKilled(t *testing.T) {
	books, dir, otherDir := state(t), t.TempDir(), t.TempDir()
	cmd, say := storm(t, "supervise-1", dir)
	otherCmd, other := storm(t, "supervise-2", otherDir)
	// The supervisor is stopped first, so that it cannot act on storm's death.
	for _, kill := range []error{
		syscall.Kill(say.Supervisor, syscall.SIGSTOP), cmd.Process.Kill(), syscall.Kill(say.Supervisor, syscall.SIGKILL),
	} {
		if kill != nil {
			t.Fatal(kill)
		}
	}
	_ = cmd.Wait()
	for _, pid := range append(say.Children, say.Supervisor) {
		awaitGone(t, pid)
	}
	if _, err := os.Lstat(filepath.Join(dir, "data")); err != nil {
		t.Fatalf("nobody was there to remove the data directory, and yet: %v", err)
	}
	for i := range 2 {
		found, err := ledger.Cleanup(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var done []string
		for _, f := range found {
			if f.Result == ledger.Removed && f.Kind != ledger.Interface {
				done = append(done, fmt.Sprintf("%s %s of %s", f.Kind, filepath.Base(f.Name), f.Run))
			}
		}
		want := []string{"dir data of supervise-1", " . of supervise-1"}
		if i > 0 {
			want = nil
		}
		if !slices.Equal(done, want) {
			t.Errorf("cleanup %d removed %q, want %q", i+1, done, want)
		}
		at := slices.IndexFunc(found, func(f ledger.Finding) bool { return f.Run == "supervise-2" })
		if at < 0 || found[at].Result != ledger.Live || found[at].PID != otherCmd.Process.Pid {
			t.Errorf("of the storm that lives: %+v", found)
		}
	}
	if link, err := netlink.LinkByName(say.Slot.Interface()); err == nil {
		t.Errorf("interface %s is left behind", link.Attrs().Name)
	}
	c, err := Dial(t.Context(), other.Socket)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range all {
		if !s.Running {
			t.Errorf("the other storm's %s has ended: %+v", name, s)
		}
	}
	if _, err := os.Lstat(filepath.Join(otherDir, "data")); err != nil {
		t.Errorf("the other storm's data directory: %v", err)
	}
	if err := otherCmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = otherCmd.Wait()
	checkNothingLeft(t, other, otherDir, books)
}

func TestSupervisorEndsOnASignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			books, dir := state(t), t.TempDir()
			cmd, say := storm(t, "supervise-1", dir)
			if err := syscall.Kill(say.Supervisor, sig); err != nil {
				t.Fatal(err)
			}
			for _, pid := range append(say.Children, say.Supervisor) {
				awaitGone(t, pid)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if _, err := os.Lstat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
				t.Errorf("the data directory: %v, want none", err)
			}
			// The ledger stays for its storm to finish, which was killed; all
			// in it is undone.
			b, err := os.ReadFile(filepath.Join(books, "supervise-1.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			if made, undone := strings.Count(string(b), `"intent"`), strings.Count(string(b), `"undone"`); undone < made {
				t.Errorf("of %d intents %d are undone:\n%s", made, undone, b)
			}
		})
	}
}

func TestPersistedSupervisorOutlivesStorm(t *testing.T) {
	books, dir := state(t), t.TempDir()
	cmd, say := storm(t, "supervise-1", dir, "persist")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	c, err := Dial(t.Context(), say.Socket)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range all {
		if !s.Running {
			t.Errorf("%s ended with the storm: %+v", name, s)
		}
	}
	if len(all) != len(say.Children) {
		t.Errorf("%d processes, want %d", len(all), len(say.Children))
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, say, dir, books)
	if _, err := Dial(t.Context(), say.Socket); err == nil {
		t.Error("the supervisor still answers")
	}
}

func TestTwoSupervisorsHaveSlotsOfTheirOwn(t *testing.T) {
	state(t)
	a, _ := begin(t, "run-a")
	b, _ := begin(t, "run-b")
	if a.Slot().N == b.Slot().N {
		t.Fatalf("both have slot %d", a.Slot().N)
	}
	if a.Slot().LoopbackAddr(0) == b.Slot().LoopbackAddr(0) || a.Slot().Subnet().Overlaps(b.Slot().Subnet()) {
		t.Errorf("the addresses of slots %v and %v clash", a.Slot(), b.Slot())
	}
}

func TestDeadSupervisorIsNoticedAndItsWorkDone(t *testing.T) {
	books := state(t)
	book, err := ledger.Create("supervise-1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	data := filepath.Join(t.TempDir(), "data")
	if err := book.MakeDir(data); err != nil {
		t.Fatal(err)
	}
	c, err := Start(t.Context(), Options{Ledger: book, Log: filepath.Join(t.TempDir(), "log"), Owned: []string{data}})
	if err != nil {
		t.Fatal(err)
	}
	child := spawn(t, c, role(t, "child", "role-stubborn"))
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("a call to a dead supervisor: %v", err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := book.Finish(); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, told{Supervisor: c.PID(), Children: []int{child.PID}, Slot: c.Slot()}, filepath.Dir(data), books)
}
