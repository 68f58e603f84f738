// Command runc stands before runc on a machine whose processes may not have
// every capability, as in many virtual machines and containers. A privileged
// container asks for all of them, and runc refuses to start it where one cannot
// be given. This takes out of what is asked for what the machine does not have,
// and becomes runc. It is set up by clusters/kind/machine, and only there.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func main() {
	fmt.Fprintln(os.Stderr, "storm's runc:", run(os.Args[1:]))
	os.Exit(1)
}

// run adjusts the file that the command reads, if it reads one, and becomes runc.
// It returns only where it could not.
func run(args []string) error {
	missing, err := missingCapabilities()
	if err != nil {
		return err
	}
	file, rewrite := reads(args)
	if file != "" {
		if err := adjust(file, rewrite, missing); err != nil {
			return err
		}
	}
	path, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("%w: install runc, or put it in dockerd's PATH", err)
	}
	return fmt.Errorf("exec of %s: %w", path, unix.Exec(path, append([]string{"runc"}, args...), os.Environ()))
}

// adjust rewrites a file by a rename: who reads it sees the old or the new one.
// A file that is not there is runc's to complain of.
func adjust(path string, rewrite rewriter, missing map[string]bool) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	data, changed, err := rewrite(old, missing)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !changed {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
