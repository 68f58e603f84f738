package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/procfs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// undos says how each kind of thing is put back. Each returns one of the
// results of a Finding, and why, or an error for Failed.
var undos = map[Kind]func(ctx context.Context, run string, e Entry) (result, why string, err error){
	Process:    undoProcess,
	Directory:  undoDirectory,
	Interface:  undoInterface,
	Objects:    undoObjects,
	Containers: undoContainers,
}

// undo puts one thing back.
func undo(ctx context.Context, run string, e Entry) Finding {
	f := Finding{Run: run, Kind: e.Kind, Name: e.Name}
	if e.Who != nil {
		f.PID = e.Who.PID
	}
	do, ok := undos[e.Kind]
	if !ok {
		f.Result, f.Why = Failed, fmt.Sprintf("this version of storm cannot put back a %q", e.Kind)
		return f
	}
	var err error
	if f.Result, f.Why, err = do(ctx, run, e); err != nil {
		f.Result, f.Why = Failed, err.Error()
	}
	return f
}

// undoProcess kills the process only if everything matches: pid, start time,
// boot, and the run id in its environment. An intent without a fact may have
// become a process all the same: then whatever carries the run id is it.
func undoProcess(ctx context.Context, run string, e Entry) (result, why string, err error) {
	if e.Who == nil {
		return killCarriers(ctx, run)
	}
	alive, err := e.Who.Alive()
	if err != nil {
		return "", "", err
	}
	if !alive {
		return Gone, "", nil
	}
	carries, err := procfs.HasEnv(e.Who.PID, RunEnv, run)
	if err != nil {
		return "", "", err
	}
	if !carries {
		return Left, fmt.Sprintf("process %d does not carry %s=%s, as far as this user may see", e.Who.PID, RunEnv, run), nil
	}
	killed, err := kill(ctx, *e.Who, run)
	if err != nil {
		return "", "", err
	}
	if !killed {
		return Gone, "", nil
	}
	return Killed, "", nil
}

// killCarriers kills every process that carries the run id.
func killCarriers(ctx context.Context, run string) (result, why string, err error) {
	found, err := procfs.WithEnv(RunEnv, run)
	if err != nil {
		return "", "", err
	}
	any := false
	for _, id := range found {
		killed, err := kill(ctx, id, run)
		if err != nil {
			return "", "", err
		}
		any = any || killed
	}
	if !any {
		return Gone, "", nil
	}
	return Killed, "found by its run id", nil
}

// kill kills one process and waits for its end. What it was asked to kill is
// looked at again through a handle, which no other process can slip into.
func kill(ctx context.Context, id procfs.Identity, run string) (bool, error) {
	h, err := procfs.Open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer h.Close()
	if carries, err := procfs.HasEnv(id.PID, RunEnv, run); err != nil || !carries {
		return false, err
	}
	if err := h.Signal(unix.SIGKILL); err != nil {
		return false, err
	}
	return true, h.Wait(ctx)
}

// undoDirectory removes the directory only if it bears the run's marker.
func undoDirectory(_ context.Context, run string, e Entry) (result, why string, err error) {
	if _, err := os.Lstat(e.Name); errors.Is(err, fs.ErrNotExist) {
		return Gone, "", nil
	}
	if justMade(e.Name, e.Intent.At) {
		if err := os.Remove(e.Name); err != nil {
			return "", "", err
		}
		return Removed, "", nil
	}
	err = removeMarked(e.Name, run)
	var foreign *notOursError
	if errors.As(err, &foreign) {
		return Left, err.Error(), nil
	}
	if err != nil {
		return "", "", err
	}
	return Removed, "", nil
}

// undoInterface removes the interface only if its alias is the run's id.
func undoInterface(_ context.Context, run string, e Entry) (result, why string, err error) {
	link, err := netlink.LinkByName(e.Name)
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		return Gone, "", nil
	}
	if err != nil {
		return "", "", err
	}
	if alias := link.Attrs().Alias; alias != run {
		return Left, fmt.Sprintf("its alias is %q", alias), nil
	}
	err = netlink.LinkDel(link)
	if errors.Is(err, unix.ENODEV) {
		return Gone, "", nil // the kernel was about to
	}
	if err != nil {
		return "", "", err
	}
	return Removed, "", nil
}

// undoContainers removes the containers, volumes and network of a cluster, whose
// name is made of the run's id: what has that name is the run's, unless its label
// says another's.
func undoContainers(ctx context.Context, run string, e Entry) (result, why string, err error) {
	removed, left, err := docker.RemoveOwned(ctx, run, e.Name)
	switch {
	case err != nil:
		return "", "", err
	case left != "":
		return Left, left, nil
	case !removed:
		return Gone, "", nil
	}
	return Removed, "", nil
}
