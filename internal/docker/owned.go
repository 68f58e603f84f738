package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// RunLabel is on every container and network that storm makes itself; its value
// is the run id.
const RunLabel = "io.storm.run"

// KindLabel is on every container that kind makes; its value is the cluster's name.
const KindLabel = "io.x-k8s.kind.cluster"

// owned returns the containers of a run: those with its label, and the nodes of the
// cluster of that name, which is made of the run's id. On which network a node is
// does not matter: kind puts one on a network of its own making where it does not
// find the run's.
func owned(ctx context.Context, run, name string) ([]string, error) {
	var ids []string
	for _, label := range []string{RunLabel + "=" + run, KindLabel + "=" + name} {
		with, err := Lines(ctx, "ps", "-aq", "--no-trunc", "--filter", "label="+label)
		if err != nil {
			return nil, err
		}
		ids = append(ids, with...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// networksOf returns the networks of exactly that name, of which Docker may have
// several: the run's own, by its label or for want of one, as kind makes them; and
// the runs whose label others have.
func networksOf(ctx context.Context, run, name string) (ids, foreign []string, err error) {
	all, err := Lines(ctx, "network", "ls", "-q", "--no-trunc", "--filter", "name=^"+regexp.QuoteMeta(name)+"$")
	if err != nil {
		return nil, nil, err
	}
	for _, id := range all {
		label, err := Run(ctx, "network", "inspect", "--format", `{{with .Labels}}{{index . "`+RunLabel+`"}}{{end}}`, id)
		switch {
		case Says(err, "not found", "no such"): // by now
		case err != nil:
			return nil, nil, err
		case label == "" || label == run:
			ids = append(ids, id)
		default:
			foreign = append(foreign, label)
		}
	}
	return ids, foreign, nil
}

const (
	// rounds bounds how often RemoveOwned looks, and not for how long: Docker may
	// take minutes for one removal that succeeds.
	rounds = 60
	// pause is how long it gives Docker for what is still going on.
	pause = 500 * time.Millisecond
	// quiet is how long nothing may have appeared in the end, be it that nothing was
	// there before: Docker goes on with what it was asked for when who asked is gone,
	// and makes a container also where its network is gone meanwhile.
	quiet = time.Second
)

// RemoveOwned removes the containers of a run, their volumes, and their
// network. It says whether there was any; left is why something that has the
// cluster's name is another's and stays. A container of somebody else's on the run's
// own network is an error: that network cannot go, and so the run is not done with.
//
// What is still being made, by whoever was not waited for, may appear after it has
// returned: who knows the maker calls it again when that has ended.
func RemoveOwned(ctx context.Context, run, name string) (removed bool, left string, err error) {
	var busy error // of the last round: what it is that ctx did not leave the time for
	defer func() {
		if err != nil && busy != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", busy, err)
		}
	}()
	silent := false // the last look found nothing, and quiet has passed since
	for range rounds {
		ids, err := owned(ctx, run, name)
		if err != nil {
			return removed, left, err
		}
		networks, foreign, err := networksOf(ctx, run, name)
		if err != nil {
			return removed, left, err
		}
		if len(foreign) > 0 {
			left = fmt.Sprintf("the network %s is labelled as that of run %s", name, strings.Join(foreign, ", "))
		}
		if len(ids)+len(networks) == 0 {
			if silent {
				return removed, left, nil
			}
			silent = true
			if err := wait(ctx, quiet); err != nil {
				return removed, left, err
			}
			continue
		}
		removed, silent = true, false
		again, err := removeThese(ctx, run, name, ids, networks)
		if err != nil {
			return removed, left, err
		}
		if busy = again; busy != nil {
			if err := wait(ctx, pause); err != nil {
				return removed, left, err
			}
		}
	}
	if busy == nil {
		busy = errors.New("they come back")
	}
	return removed, left, fmt.Errorf("the containers and the network of run %s cannot be removed: %w", run, busy)
}

// removeThese removes containers, and then networks. busy is why it is to be tried
// again.
func removeThese(ctx context.Context, run, name string, ids, networks []string) (busy, err error) {
	if len(ids) > 0 {
		_, err := Run(ctx, append([]string{"rm", "-f", "-v"}, ids...)...)
		switch {
		case Says(err, "already in progress"):
			return err, nil
		case err != nil && !Says(err, "no such"):
			return nil, err
		}
	}
	if len(networks) == 0 {
		return nil, nil
	}
	// Docker would take the network from under a container that does not run, which
	// could never be started again.
	on, err := Lines(ctx, "ps", "-aq", "--no-trunc", "--filter", "network="+name)
	if err != nil {
		return nil, err
	}
	own, err := owned(ctx, run, name)
	if err != nil {
		return nil, err
	}
	if others := slices.DeleteFunc(on, func(id string) bool { return slices.Contains(own, id) }); len(others) > 0 {
		return fmt.Errorf("on its network %s are containers that are not its own: %s: remove them", name, strings.Join(short(others), ", ")), nil
	}
	for _, id := range networks {
		switch _, err := Run(ctx, "network", "rm", id); {
		case Says(err, "active endpoints", "associated containers"):
			busy = err
		case err != nil && !Says(err, "not found", "no such"):
			return nil, err
		}
	}
	return busy, nil
}

// short are container ids as people see them.
func short(ids []string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, id[:min(12, len(id))])
	}
	return out
}

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
