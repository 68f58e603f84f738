// Package ledger records what storm changes outside its own memory, so that
// it can be put back whatever became of the storm that did it.
//
// Each run has one file, RUNID.jsonl in Dir. Before anything is changed its
// intent is appended; after that, for a process, the fact of who it is; and
// when it is put back, that it is undone. The owner holds a lock on the file.
// The lock belongs to the open file, which the owner shares with its
// supervisors: it is free once all of them have ended, and only then does
// Cleanup act on it.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/remains"
	"golang.org/x/sys/unix"
)

// RunEnv is the environment variable that every process of a run carries.
const RunEnv = "STORM_RUN_ID"

// Kind is a kind of thing that storm makes outside its memory.
type Kind string

// The kinds of things.
const (
	Process   Kind = "process"   // the name is for people
	Directory Kind = "dir"       // the name is its absolute path
	Interface Kind = "interface" // in the machine's own network namespace; its alias is the run id
	Objects   Kind = "objects"   // in a Kubernetes cluster that storm did not make; the name is for people
	// Containers are those of one cluster, their volumes and their network. The
	// name is the cluster's and the network's; all that storm makes itself bears
	// the run id as a label (docker.RunLabel), and what kind makes is on that network.
	Containers Kind = "containers"
)

// Stage is how far a change has come.
type Stage string

// The stages of a change.
const (
	Owner  Stage = "owner"  // the first record: who keeps the ledger
	Intent Stage = "intent" // about to be made
	Fact   Stage = "fact"   // made; of processes only: who it is
	Undone Stage = "undone" // put back
	Kept   Stage = "kept"   // of all that is not undone: left for people to look at
)

// Record is a line of a ledger.
type Record struct {
	At    time.Time        `json:"at"`
	Stage Stage            `json:"stage"`
	Kind  Kind             `json:"kind,omitempty"`
	Name  string           `json:"name,omitempty"`
	Who   *procfs.Identity `json:"who,omitempty"`   // of owners and processes
	Place *remains.Place   `json:"place,omitempty"` // of objects
}

// Ledger is the ledger of a run that lives. Its methods are safe for
// concurrent use; so is writing to one ledger from several processes.
type Ledger struct {
	run  string
	path string

	mu   sync.Mutex
	file *os.File
}

// The run id becomes a file name, an interface's alias, and a part of the environment.
var validRun = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

const (
	suffix  = ".jsonl"
	unnamed = ".new-" // how a ledger is called until it is locked
)

// Dir returns the folder of the ledgers: STORM_STATE_DIR/ledger, or
// storm/ledger in XDG_STATE_HOME, which is ~/.local/state by default.
func Dir() (string, error) {
	if dir := os.Getenv("STORM_STATE_DIR"); dir != "" {
		return filepath.Abs(filepath.Join(dir, "ledger"))
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "storm", "ledger"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for storm's ledger: %w: set STORM_STATE_DIR", err)
	}
	return filepath.Join(home, ".local", "state", "storm", "ledger"), nil
}

// Create begins the ledger of a run and locks it. The calling process is
// recorded as its owner.
func Create(run string) (*Ledger, error) {
	if !validRun.MatchString(run) {
		return nil, fmt.Errorf("run id %q: want letters, digits, '.', '_', '-', at most 64", run)
	}
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the ledger's folder: %w", err)
	}
	l := &Ledger{run: run, path: filepath.Join(dir, run+suffix)}
	if _, err := os.Lstat(l.path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("a ledger of run %s is there already: run `storm cleanup`", run)
	}
	// It gets its name only when it is locked and owned: a cleanup that runs
	// at this moment must not take it for one that was left behind.
	l.file, err = os.CreateTemp(dir, unnamed)
	if err != nil {
		return nil, fmt.Errorf("beginning a ledger: %w", err)
	}
	if err := l.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("beginning a ledger: %w", err), os.Remove(l.file.Name()), l.file.Close())
	}
	return l, nil
}

func (l *Ledger) begin() error {
	if err := lock(l.file); err != nil {
		return err
	}
	if err := setAppend(l.file); err != nil {
		return err
	}
	me, err := procfs.Identify(os.Getpid())
	if err != nil {
		return err
	}
	if err := l.append(Record{Stage: Owner, Who: &me}); err != nil {
		return err
	}
	return os.Rename(l.file.Name(), l.path)
}

// Adopt continues a ledger from the open file that its owner handed on, with
// File, to a process of its own. The lock comes with the file.
func Adopt(file *os.File) (*Ledger, error) {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("the ledger that was handed on: %w", err)
	}
	run, ok := strings.CutSuffix(filepath.Base(path), suffix)
	if !ok || !validRun.MatchString(run) {
		return nil, fmt.Errorf("the file that was handed on is no ledger: %s", path)
	}
	return &Ledger{run: run, path: path, file: file}, nil
}

// RunID is the run that the ledger belongs to.
func (l *Ledger) RunID() string { return l.run }

// File is the open, locked file, to be handed on to a child process as one of
// its files. It must not be closed; Close does that.
func (l *Ledger) File() *os.File { return l.file }

// Close gives up this process's hold on the ledger. The lock is free once all
// processes that share it have done so or have ended.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Finish removes the ledger if everything in it is undone, and leaves it for
// Cleanup otherwise. To call it again, here or in another process that shares
// the ledger, is harmless.
func (l *Ledger) Finish() error {
	records, err := readRecords(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(open(records)) > 0 {
		return nil
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Intend records that a thing is about to be made. Only then may it be made.
func (l *Ledger) Intend(kind Kind, name string) error {
	return l.append(Record{Stage: Intent, Kind: kind, Name: name})
}

// IntendObjects records that objects are about to be made that bear the run's
// label, in a cluster that storm did not make.
func (l *Ledger) IntendObjects(at remains.Place) error {
	return l.append(Record{Stage: Intent, Kind: Objects, Name: at.String(), Place: &at})
}

// Started records which process it became.
func (l *Ledger) Started(name string, who procfs.Identity) error {
	return l.append(Record{Stage: Fact, Kind: Process, Name: name, Who: &who})
}

// Undo records that a thing is no more: put back, or never made after all.
func (l *Ledger) Undo(kind Kind, name string) error {
	return l.append(Record{Stage: Undone, Kind: kind, Name: name})
}

// Keep records that what is not undone is left for people to look at: only a Cleanup
// that they ask for puts it back.
func (l *Ledger) Keep() error { return l.append(Record{Stage: Kept}) }

// append writes one record with one write, which the kernel puts whole at the
// end of a file opened for appending, whoever else writes to it.
func (l *Ledger) append(r Record) error {
	r.At = time.Now()
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the ledger of run %s: %w", l.run, err)
	}
	if r.Kind == Directory || r.Kind == Objects || r.Kind == Containers { // which outlive the machine's restart
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("writing the ledger of run %s: %w", l.run, err)
		}
	}
	return nil
}

// lock takes the exclusive lock of an open file, without waiting for it.
func lock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// setAppend makes every write to the open file, through whichever process,
// go to its end.
func setAppend(f *os.File) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags|unix.O_APPEND)
	return err
}
