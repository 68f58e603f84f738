package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/internal/procfs"
	"golang.org/x/sys/unix"
)

// What Cleanup finds of a thing, or of a run.
const (
	Live    = "live"    // the run's owner lives: nothing of it was touched
	Killed  = "killed"  // a process
	Removed = "removed" // a directory, an interface, containers, or the ledger of a run
	Gone    = "gone"    // it was no more, or never made
	Left    = "left"    // something has its name that is not the run's, for certain
	Failed  = "failed"  // it is the run's, and could not be put back: see Why
)

// Finding is one thing that Cleanup looked at, and what became of it.
type Finding struct {
	Run    string `json:"run"`
	Kind   Kind   `json:"kind,omitempty"` // empty of the run as a whole
	Name   string `json:"name,omitempty"`
	PID    int    `json:"pid,omitempty"` // of a process; of a live run, its owner's
	Result string `json:"result"`
	Why    string `json:"why,omitempty"`
}

// Cleanup puts back what runs that have ended left behind. It goes through
// every ledger whose lock is free, tells of each thing as it goes, and removes
// the ledgers that are done with. What it cannot put back is in the findings
// and in the error; its ledger stays. To run it twice, or two at a time, is
// harmless. report may be nil.
func Cleanup(ctx context.Context, report func(Finding)) ([]Finding, error) {
	return (&cleanup{report: report}).all(ctx)
}

// CleanupUnkept is Cleanup for when nobody asked for it: it leaves what is kept for
// people to look at.
func CleanupUnkept(ctx context.Context, report func(Finding)) ([]Finding, error) {
	return (&cleanup{report: report, spares: true}).all(ctx)
}

// all goes through every ledger.
func (c *cleanup) all(ctx context.Context) ([]Finding, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ledgers: %w", err)
	}
	for _, file := range files {
		if ctx.Err() != nil {
			c.errs = append(c.errs, context.Cause(ctx))
			break
		}
		path := filepath.Join(dir, file.Name())
		run, isLedger := strings.CutSuffix(file.Name(), suffix)
		var err error
		switch {
		case isLedger && validRun.MatchString(run):
			err = c.ledger(ctx, path, run)
		case strings.HasPrefix(file.Name(), unnamed):
			err = c.unnamed(path)
		}
		if err != nil {
			c.errs = append(c.errs, fmt.Errorf("cleaning up after %s: %w", file.Name(), err))
		}
	}
	return c.findings, errors.Join(c.errs...)
}

// PutBack does for the owner of a ledger, of those things that which is true
// of, what Cleanup does once the owner has ended: for when a supervisor was
// killed that should have put them back itself.
func (l *Ledger) PutBack(ctx context.Context, which func(Entry) bool) ([]Finding, error) {
	records, err := readRecords(l.path)
	if err != nil {
		return nil, err
	}
	c := &cleanup{}
	for _, e := range inOrder(open(records)) {
		if !which(e) {
			continue
		}
		if c.undo(ctx, l.run, e) {
			c.errs = append(c.errs, l.Undo(e.Kind, e.Name))
		}
	}
	return c.findings, errors.Join(c.errs...)
}

// inOrder sorts what is to be put back: processes and containers first, since
// they may be writing into the directories.
func inOrder(entries []Entry) []Entry {
	order := map[Kind]int{Process: 0, Containers: 1, Interface: 2, Objects: 2, Directory: 3}
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(order[a.Kind], order[b.Kind]) })
	return entries
}

// cleanup is one run of Cleanup.
type cleanup struct {
	report   func(Finding)
	spares   bool // what is kept
	findings []Finding
	errs     []error
}

func (c *cleanup) found(f Finding) {
	c.findings = append(c.findings, f)
	if c.report != nil {
		c.report(f)
	}
}

// ledger cleans up after one run, unless it lives.
func (c *cleanup) ledger(ctx context.Context, path, run string) error {
	file, held, err := take(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another cleanup was here first, or the owner finished
	}
	if err != nil {
		return err
	}
	defer file.Close()
	records, err := readRecords(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the owner, living, has just finished
	}
	if err != nil {
		return err
	}
	if held && livingOwner(records) == 0 {
		// A process that was killed keeps its locks until the kernel has taken
		// it apart.
		held, err = stillHeld(ctx, file, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another cleanup was waiting too
		}
		if err != nil {
			return err
		}
		if records, err = readRecords(path); err != nil {
			return err
		}
	}
	if held {
		c.found(Finding{Run: run, PID: livingOwner(records), Result: Live, Why: "its ledger is locked"})
		return nil
	}
	if c.spares && slices.ContainsFunc(records, func(r Record) bool { return r.Stage == Kept }) {
		return nil
	}
	done := true
	for _, e := range inOrder(open(records)) {
		done = c.undo(ctx, run, e) && done
	}
	if !done {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	c.found(Finding{Run: run, Result: Removed})
	return nil
}

// undo puts one thing back, and says whether that is done with.
func (c *cleanup) undo(ctx context.Context, run string, e Entry) bool {
	f := undo(ctx, run, e)
	c.found(f)
	if f.Result == Failed {
		c.errs = append(c.errs, fmt.Errorf("%s %s of run %s: %s", f.Kind, f.Name, run, f.Why))
	}
	return f.Result != Failed
}

// unnamed removes a ledger whose maker was killed before it had its name, and
// so before anything was recorded in it.
func (c *cleanup) unnamed(path string) error {
	file, held, err := take(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	// One that is being made at this moment is locked any moment.
	if held || time.Since(info.ModTime()) < time.Minute {
		return nil
	}
	return os.Remove(path)
}

// take opens a ledger and takes its lock, if it is free: held is true if
// another holds it.
func take(path string) (file *os.File, held bool, err error) {
	file, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, false, err
	}
	err = lock(file)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return file, true, nil
	}
	if err == nil {
		err = stillNamed(file, path)
	}
	if err != nil {
		return nil, false, errors.Join(err, file.Close())
	}
	return file, false, nil
}

// stillHeld waits a while for the lock of a ledger.
func stillHeld(ctx context.Context, file *os.File, path string) (bool, error) {
	const patience = 10 * time.Second
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := lock(file)
		if err == nil {
			return false, stillNamed(file, path)
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return true, err
		}
		if time.Since(begin) > patience || ctx.Err() != nil {
			return true, nil
		}
	}
}

// stillNamed returns an error unless the path still leads to the open file.
func stillNamed(file *os.File, path string) error {
	there, err := os.Stat(path)
	if err != nil {
		return err
	}
	here, err := file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(here, there) {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return nil
}

// livingOwner returns the process that keeps a live run: who began it, or else
// a process of its own, such as a supervisor that persists; 0 if none is known.
func livingOwner(records []Record) int {
	who := []*procfs.Identity{owner(records)}
	for _, e := range open(records) {
		who = append(who, e.Who)
	}
	for _, id := range who {
		if id == nil {
			continue
		}
		if alive, err := id.Alive(); err == nil && alive {
			return id.PID
		}
	}
	return 0
}
