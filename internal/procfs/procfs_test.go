package procfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 42 42 0 -1 4194560 100 200 0 0 150 50 1 2 20 0 7 0 9876543 1000 200 18446744073709551615"
	want := Stat{
		PID: 42, State: 'S', Parent: 1, User: 1500 * time.Millisecond, System: 500 * time.Millisecond,
		Threads: 7, StartTicks: 9876543,
	}
	for _, name := range []string{"etcd", "a b", "a) S 9 (b", ")", ""} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte("42 (" + name + ")" + rest))
			if err != nil {
				t.Fatal(err)
			}
			want.Comm = name
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for _, bad := range []string{"", "42", "42 (x", "x (y)" + rest, "42 (x) S 1 2", "42 (x) S 1 42 42 0 -1 4194560 100 200 0 0 u 50 1 2 20 0 7 0 9 1"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", bad, got)
		}
	}
}

func TestParseMachine(t *testing.T) {
	const stat = "cpu  900 90 90 4000 5 6 7 90 0 0\ncpu0 100 20 30 4000 5 6 7 8 0 0\ncpu1 1 0 1 9 0 0 0 1 0 0\ncpu2 800 70 59 0 0 0 0 0 0 0\nintr 5\n"
	got, err := parseMachine([]byte(stat), func(cpu int) bool { return cpu < 2 })
	want := Machine{User: 1210 * time.Millisecond, System: 310 * time.Millisecond, Stolen: 90 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "cpu", "cpu 1 2 3 4 5 6 7 8", "cpux 1 2 3 4 5 6 7 8", "cpu0 1 2 3 4 5 6 7", "cpu0 1 2 3 4 5 6 7 x", "cpu5 1 2 3 4 5 6 7 8"} {
		if got, err := parseMachine([]byte(bad), func(cpu int) bool { return cpu < 2 }); err == nil {
			t.Errorf("parseMachine(%q) = %+v, want an error", bad, got)
		}
	}
	if m, err := ReadMachine(); err != nil || m.User <= 0 || m.System <= 0 {
		t.Errorf("this machine: %+v, %v", m, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 1 0 0 1 1 1 1 20 0 1 0 1 1 1 1"))
	f.Add([]byte("cpu0 100 20 30 4000 5 6 7 8 0 0\n"))
	f.Add([]byte("1 2 3"))
	f.Add([]byte("VmRSS:\t  12 kB\n"))
	f.Add([]byte("00400000-0242a000 r-xp 00000000 fe:00 131 /opt/storm\nAnonymous:  8 kB\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(b); err == nil && s.State == 0 {
			t.Errorf("parseStat(%q): no state and no error", b)
		}
		if m, err := parseMachine(b, func(int) bool { return true }); err == nil && (m.User < 0 || m.System < 0 || m.Stolen < 0) {
			t.Errorf("parseMachine(%q) = %+v: negative", b, m)
		}
		if q, err := parseSchedstat(b); err == nil && (q.Running < 0 || q.Waiting < 0) {
			t.Errorf("parseSchedstat(%q) = %+v: negative", b, q)
		}
		for _, m := range parseMappings(b) {
			if m.Length == 0 || m.Start+m.Length < m.Start {
				t.Errorf("parseMappings(%q) = %+v", b, m)
			}
		}
		if m, err := parseLabelled(b); err == nil && len(m) == 0 {
			t.Errorf("parseLabelled(%q): nothing and no error", b)
		}
	})
}

func TestOwnFigures(t *testing.T) {
	me := os.Getpid()
	before, err := ReadStat(me)
	if err != nil {
		t.Fatal(err)
	}
	if before.Parent != os.Getppid() || before.PID != me {
		t.Errorf("stat says pid %d, parent %d; the kernel says %d, %d", before.PID, before.Parent, me, os.Getppid())
	}
	q0, err := ReadRunQueue(me)
	if err != nil {
		t.Fatal(err)
	}
	for { // work until the kernel has counted a tick
		s, err := ReadStat(me)
		if err != nil {
			t.Fatal(err)
		}
		if s.CPU() > before.CPU() {
			break
		}
	}
	q1, err := ReadRunQueue(me)
	if err != nil {
		t.Fatal(err)
	}
	if q1.Running <= q0.Running || q1.Slices < q0.Slices {
		t.Errorf("run queue did not grow with work: %+v, then %+v", q0, q1)
	}
	mem, err := ReadMemory(me)
	if err != nil {
		t.Fatal(err)
	}
	if mem.RSS < 1<<20 || mem.Peak < mem.RSS>>1 {
		t.Errorf("memory of a Go test: %+v", mem)
	}
	io0, err := ReadIO(me)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("this user may not read its own io")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile("/proc/self/stat"); err != nil {
		t.Fatal(err)
	}
	io1, err := ReadIO(me)
	if err != nil {
		t.Fatal(err)
	}
	if io1.ReadChars <= io0.ReadChars {
		t.Errorf("a read was not counted: %+v, then %+v", io0, io1)
	}
}

func TestIdentity(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	cmd.Env = append(os.Environ(), "PROCFS_TEST=yes "+t.Name())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	found, err := WithEnv("PROCFS_TEST", "yes "+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, []Identity{id}) {
		t.Errorf("processes with the variable: %v, want only %v", found, id)
	}
	alive := func(id Identity, want bool, why string) {
		t.Helper()
		if got, err := id.Alive(); err != nil || got != want {
			t.Errorf("%s: alive = %v, %v", why, got, err)
		}
	}
	alive(id, true, "running")
	other := id
	other.StartTicks++
	alive(other, false, "another start time")
	other = id
	other.BootID = "another"
	alive(other, false, "another boot")

	other = id
	other.StartTicks--
	if _, err := Open(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("getting hold of another process: %v, want fs.ErrNotExist", err)
	}
	h, err := Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a process that runs: %v", err)
	}
	if err := h.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := h.Wait(t.Context()); err != nil { // nobody has waited for it as its parent
		t.Fatal(err)
	}
	alive(id, false, "dead, not waited for")
	_ = cmd.Wait()
	alive(id, false, "gone")
	if err := h.Signal(unix.SIGKILL); err != nil {
		t.Errorf("signalling what is gone: %v", err)
	}
	if _, err := ReadRunQueue(id.PID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run queue of a process that is gone: %v, want fs.ErrNotExist", err)
	}
}
