package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Marker is the file in every directory that storm made and may remove again.
// Its content is the run id.
const Marker = ".storm"

// MakeDir makes a directory of mode 0700 that this run owns: recorded first,
// and marked. Its parent must be there, and it itself must not.
func (l *Ledger) MakeDir(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := l.Intend(Directory, path); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return errors.Join(err, l.Undo(Directory, path))
	}
	return os.WriteFile(filepath.Join(path, Marker), []byte(l.run+"\n"), 0o600)
}

// RemoveDir removes a directory that MakeDir made, with all that is in it. One
// that is gone already is fine; one without the run's marker is an error.
func (l *Ledger) RemoveDir(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := removeMarked(path, l.run); err != nil {
		return err
	}
	return l.Undo(Directory, path)
}

// notOursError is why a directory is left alone.
type notOursError struct{ path, why string }

func (e *notOursError) Error() string { return e.path + " is left alone: " + e.why }

// removeMarked removes a directory whose marker names the run. What is mounted
// below it is not storm's to empty: a mount point makes it an error.
func removeMarked(path, run string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(path, Marker))
	if errors.Is(err, fs.ErrNotExist) {
		return &notOursError{path: path, why: "it has no marker of storm's"}
	}
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(b)); got != run {
		return &notOursError{path: path, why: fmt.Sprintf("its marker is of run %q", got)}
	}
	mounts, err := mountsBelow(path)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s is left alone: mounted in it: %s", path, strings.Join(mounts, ", "))
	}
	// The marker goes last: a removal that is cut short can be taken up again.
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == Marker {
			continue
		}
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(path)
}

// justMade is true of an empty directory without a marker that was made, or
// last changed, after the intent to make it, by this user: its maker was
// killed between the two.
func justMade(path string, intent time.Time) bool {
	info, err := os.Lstat(path)
	// File systems take the time from the kernel's last tick.
	const tick = 100 * time.Millisecond
	if err != nil || !info.IsDir() || info.ModTime().Before(intent.Add(-tick)) {
		return false
	}
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || int(st.Uid) != os.Geteuid() {
		return false
	}
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}

// mountsBelow returns what is mounted at a directory or below it.
func mountsBelow(path string) ([]string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		// proc_pid_mountinfo(5): the fifth field, with \040 for a space
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		at := unescape.Replace(fields[4])
		if at == real || strings.HasPrefix(at, real+"/") {
			out = append(out, at)
		}
	}
	return out, nil
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
