package ledger

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/storm-harness/storm/internal/procfs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// clean runs Cleanup and compares what it found, reasons aside.
func clean(t *testing.T, want ...Finding) []Finding {
	t.Helper()
	var told []Finding
	got, err := Cleanup(t.Context(), func(f Finding) { told = append(told, f) })
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Finding{}, "Why")); diff != "" {
		t.Errorf("findings, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(got, told, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("told otherwise than returned:\n%s", diff)
	}
	return got
}

func alive(t *testing.T, id procfs.Identity) bool {
	t.Helper()
	is, err := id.Alive()
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestCleanupLeavesTheLivingAlone(t *testing.T) {
	state(t)
	l := create(t, "run-1")
	dir := filepath.Join(t.TempDir(), "data")
	_, id, _ := process(t, "idle", "run-1")
	must(t, l.MakeDir(dir), l.Intend(Process, "p"), l.Started("p", id))
	live := Finding{Run: "run-1", PID: os.Getpid(), Result: Live}
	clean(t, live)
	clean(t, live)
	if !alive(t, id) || !exists(t, dir) {
		t.Error("what belongs to a living run was touched")
	}

	// Once its owner lets go of it, everything goes, and then there is nothing.
	must(t, l.Close())
	clean(t,
		Finding{Run: "run-1", Kind: Process, Name: "p", PID: id.PID, Result: Killed},
		Finding{Run: "run-1", Kind: Directory, Name: dir, Result: Removed},
		Finding{Run: "run-1", Result: Removed})
	if alive(t, id) || exists(t, dir) {
		t.Error("something is left")
	}
	clean(t)
}

func TestWhatIsKeptGoesWhenSomebodyAsksForIt(t *testing.T) {
	state(t)
	l := create(t, "run-1")
	dir := filepath.Join(t.TempDir(), "data")
	must(t, l.MakeDir(dir), l.Keep(), l.Finish(), l.Close())
	if found, err := CleanupUnkept(t.Context(), nil); err != nil || len(found) > 0 || !exists(t, dir) {
		t.Errorf("a cleanup that nobody asked for found %+v, %v", found, err)
	}
	clean(t, Finding{Run: "run-1", Kind: Directory, Name: dir, Result: Removed}, Finding{Run: "run-1", Result: Removed})
	if exists(t, dir) {
		t.Error("the directory is still there")
	}
}

func TestLockIsHeldByWhomeverTheLedgerWasHandedTo(t *testing.T) {
	state(t)
	l := create(t, "run-1")
	keeper, id, said := process(t, "keeper", "run-1", l.File())
	if said != "run-1 <nil>\n" {
		t.Fatalf("the keeper says %q", said)
	}
	must(t, l.Intend(Process, "keeper"), l.Started("keeper", id), l.Close())
	// This process, which began the ledger, lives still.
	clean(t, Finding{Run: "run-1", PID: os.Getpid(), Result: Live})
	must(t, keeper.Process.Kill())
	_ = keeper.Wait()
	clean(t,
		Finding{Run: "run-1", Kind: Process, Name: "keeper", PID: id.PID, Result: Gone},
		Finding{Run: "run-1", Result: Removed})
}

func TestCleanupKillsOnlyOnAFullMatch(t *testing.T) {
	state(t)
	_, mine, _ := process(t, "idle", "run-1")
	_, others, _ := process(t, "idle", "run-2")
	_, strangers, _ := process(t, "idle", "")
	later, reboot := mine, mine
	later.StartTicks++
	reboot.BootID = "another"

	l := create(t, "run-1")
	must(t,
		l.Intend(Process, "1 later"), l.Started("1 later", later),
		l.Intend(Process, "2 reboot"), l.Started("2 reboot", reboot),
		l.Intend(Process, "3 other"), l.Started("3 other", others),
		l.Intend(Process, "4 stranger"), l.Started("4 stranger", strangers),
		l.Close())
	clean(t,
		Finding{Run: "run-1", Kind: Process, Name: "1 later", PID: mine.PID, Result: Gone},
		Finding{Run: "run-1", Kind: Process, Name: "2 reboot", PID: mine.PID, Result: Gone},
		Finding{Run: "run-1", Kind: Process, Name: "3 other", PID: others.PID, Result: Left},
		Finding{Run: "run-1", Kind: Process, Name: "4 stranger", PID: strangers.PID, Result: Left},
		Finding{Run: "run-1", Result: Removed})
	for name, id := range map[string]procfs.Identity{"mine": mine, "others": others, "strangers": strangers} {
		if !alive(t, id) {
			t.Errorf("the process of %s was killed", name)
		}
	}
}

// A storm killed between the start of a process and the record of it leaves an
// intent alone; the process is found by the run id that it carries.
func TestCleanupFindsProcessesOfIntents(t *testing.T) {
	state(t)
	// It looks at every process of the machine: those of other tests, which may
	// run beside this one, must not carry the same id.
	run := "intents-" + rand.Text()
	_, mine, _ := process(t, "idle", run)
	_, others, _ := process(t, "idle", run+"1")
	l := create(t, run)
	must(t, l.Intend(Process, "p"), l.Close())
	clean(t,
		Finding{Run: run, Kind: Process, Name: "p", Result: Killed},
		Finding{Run: run, Result: Removed})
	if alive(t, mine) {
		t.Error("the process lives")
	}
	if !alive(t, others) {
		t.Error("another run's process was killed")
	}

	l = create(t, run)
	must(t, l.Intend(Process, "never"), l.Close())
	clean(t,
		Finding{Run: run, Kind: Process, Name: "never", Result: Gone},
		Finding{Run: run, Result: Removed})
}

func TestCleanupRemovesOnlyMarkedDirectories(t *testing.T) {
	state(t)
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	// Made before the intent, by somebody else.
	must(t, os.Mkdir(at("4 older"), 0o700), os.Chtimes(at("4 older"), time.Time{}, time.Now().Add(-time.Hour)))

	l := create(t, "run-1")
	must(t, l.MakeDir(at("1 made")), os.WriteFile(at("1 made/f"), nil, 0o400))
	must(t, l.Intend(Directory, at("2 just made")), os.Mkdir(at("2 just made"), 0o700))
	must(t, l.Intend(Directory, at("3 foreign")), os.Mkdir(at("3 foreign"), 0o700), os.WriteFile(at("3 foreign/f"), nil, 0o600))
	must(t, l.Intend(Directory, at("4 older")))
	must(t, l.MakeDir(at("5 other run")), os.WriteFile(at("5 other run/.storm"), []byte("run-11\n"), 0o600))
	must(t, l.Intend(Directory, at("6 never")))
	must(t, l.Close())
	got := clean(t,
		Finding{Run: "run-1", Kind: Directory, Name: at("1 made"), Result: Removed},
		Finding{Run: "run-1", Kind: Directory, Name: at("2 just made"), Result: Removed},
		Finding{Run: "run-1", Kind: Directory, Name: at("3 foreign"), Result: Left},
		Finding{Run: "run-1", Kind: Directory, Name: at("4 older"), Result: Left},
		Finding{Run: "run-1", Kind: Directory, Name: at("5 other run"), Result: Left},
		Finding{Run: "run-1", Kind: Directory, Name: at("6 never"), Result: Gone},
		Finding{Run: "run-1", Result: Removed})
	for _, f := range got {
		if f.Kind == Directory && exists(t, f.Name) != (f.Result == Left) {
			t.Errorf("%s: %s, but is it there? %v", f.Name, f.Result, exists(t, f.Name))
		}
		if f.Result == Left && f.Why == "" {
			t.Errorf("%s is left, for no reason", f.Name)
		}
	}
}

func TestCleanupDoesNotReachThroughMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	dir := state(t)
	l := create(t, "run-1")
	data := filepath.Join(t.TempDir(), "data")
	mount := filepath.Join(data, "mo unt")
	must(t, l.MakeDir(data), os.Mkdir(mount, 0o700), l.Close())
	if err := unix.Mount("none", mount, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("mounting a tmpfs: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(mount, "precious"), nil, 0o600))

	got, err := Cleanup(t.Context(), nil)
	if err == nil || len(got) != 1 || got[0].Result != Failed || !strings.Contains(got[0].Why, mount) {
		t.Errorf("findings %+v, error %v; want it to fail for %s", got, err, mount)
	}
	if !exists(t, filepath.Join(mount, "precious")) || !exists(t, filepath.Join(dir, "run-1.jsonl")) {
		t.Error("the mounted file, or the ledger, is gone")
	}
	must(t, unix.Unmount(mount, 0))
	clean(t,
		Finding{Run: "run-1", Kind: Directory, Name: data, Result: Removed},
		Finding{Run: "run-1", Result: Removed})
}

// TestCleanupRemovesOnlyItsInterfaces runs in a network namespace of its own.
func TestCleanupRemovesOnlyItsInterfaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("interfaces take root")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("no network namespaces here: ", err)
	}
	state(t)
	l := create(t, "run-1")
	for name, alias := range map[string]string{"storm1": "run-1", "storm2": "run-2", "storm3": ""} {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		bridge := &netlink.Bridge{LinkAttrs: attrs}
		must(t, netlink.LinkAdd(bridge), netlink.LinkSetAlias(bridge, alias))
	}
	must(t, l.Intend(Interface, "storm1"), l.Intend(Interface, "storm2"), l.Intend(Interface, "storm3"), l.Intend(Interface, "storm4"), l.Close())
	clean(t,
		Finding{Run: "run-1", Kind: Interface, Name: "storm1", Result: Removed},
		Finding{Run: "run-1", Kind: Interface, Name: "storm2", Result: Left},
		Finding{Run: "run-1", Kind: Interface, Name: "storm3", Result: Left},
		Finding{Run: "run-1", Kind: Interface, Name: "storm4", Result: Gone},
		Finding{Run: "run-1", Result: Removed})
	for name, want := range map[string]bool{"storm1": false, "storm2": true, "storm3": true} {
		if _, err := netlink.LinkByName(name); (err == nil) != want {
			t.Errorf("interface %s: %v", name, err)
		}
	}
}

func TestCleanupReadsWhatACutOffWriteLeft(t *testing.T) {
	dir := state(t)
	l := create(t, "run-1")
	data := filepath.Join(t.TempDir(), "data")
	must(t, l.MakeDir(data))
	if _, err := l.File().WriteString(`{"at":"2026-11-01T00:00:00Z","stage":"intent","kind":"dir","na`); err != nil {
		t.Fatal(err)
	}
	must(t, l.Close())
	clean(t,
		Finding{Run: "run-1", Kind: Directory, Name: data, Result: Removed},
		Finding{Run: "run-1", Result: Removed})

	// A ledger without a single record, and files that are none.
	must(t, os.WriteFile(filepath.Join(dir, "run-2.jsonl"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "README"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, ".new-1"), nil, 0o600))
	old := filepath.Join(dir, ".new-2")
	must(t, os.WriteFile(old, nil, 0o600), os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)))
	clean(t, Finding{Run: "run-2", Result: Removed})
	if !exists(t, filepath.Join(dir, "README")) || !exists(t, filepath.Join(dir, ".new-1")) || exists(t, old) {
		t.Error("the wrong files are removed")
	}
}

func TestCleanupOfAnotherVersionsThings(t *testing.T) {
	dir := state(t)
	l := create(t, "run-1")
	must(t, l.Intend("wormhole", "w"), l.Close())
	got, err := Cleanup(t.Context(), nil)
	if err == nil || len(got) != 1 || got[0].Result != Failed {
		t.Errorf("findings %+v, error %v", got, err)
	}
	if !exists(t, filepath.Join(dir, "run-1.jsonl")) {
		t.Error("its ledger is gone, and with it all knowledge of the thing")
	}
}

func TestManyCleanupsAtOnce(t *testing.T) {
	state(t)
	base := t.TempDir()
	for _, run := range []string{"a", "b", "c", "d"} {
		l := create(t, run)
		must(t, l.MakeDir(filepath.Join(base, run)), l.Close())
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := Cleanup(context.Background(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	clean(t)
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestCleanupWithoutAFolder(t *testing.T) {
	t.Setenv("STORM_STATE_DIR", filepath.Join(t.TempDir(), "none"))
	clean(t)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"stage":"owner","who":{"pid":1,"start":2,"boot":"b"}}` + "\n" + `{"stage":"intent","kind":"process","name":"p"}` + "\n"))
	f.Add([]byte(`{"stage":"fact","kind":"process","name":"p","who":{"pid":7}}` + "\n" + `{"stage":"undone","kind":"process","name":"p"}`))
	f.Add([]byte("null\n[]\n{\"stage\":1}\n\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records := parse(b)
		seen := map[string]bool{}
		for _, e := range open(records) {
			key := string(e.Kind) + "\x00" + e.Name
			if seen[key] {
				t.Errorf("%q is open twice", key)
			}
			seen[key] = true
		}
		// A torn line at the end changes nothing of what stands before it.
		if whole := append(append([]byte(nil), b...), "\n{\"stage\":\"int"...); len(parse(whole)) != len(records) {
			t.Errorf("a torn line changes the records before it")
		}
		owner(records)
	})
}
