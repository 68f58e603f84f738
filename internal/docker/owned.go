package docker

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// RunLabel is on every container and network that storm makes itself; its value
// is the run id.
const RunLabel = "io.storm.run"

// KindLabel is on every container that kind makes; its value is the cluster's name.
const KindLabel = "io.x-k8s.kind.cluster"

// owned returns the containers of a run: those with its label and, of kind's
// cluster of that name, those on the network of that name, if that is the run's.
// What only has the name is another's.
func owned(ctx context.Context, run, name string, network bool) (ids, others []string, err error) {
	ids, err = Lines(ctx, "ps", "-aq", "--no-trunc", "--filter", "label="+RunLabel+"="+run)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := Lines(ctx, "ps", "-aq", "--no-trunc", "--filter", "label="+KindLabel+"="+name)
	if err != nil || len(nodes) == 0 {
		return ids, nil, err
	}
	for _, id := range nodes {
		// A container that never started is on its network by this alone.
		mode, err := Run(ctx, "inspect", "--format", "{{.HostConfig.NetworkMode}}", id)
		switch {
		case Says(err, "no such"):
		case err != nil:
			return nil, nil, err
		case network && mode == name:
			ids = append(ids, id)
		default:
			others = append(others, id)
		}
	}
	return ids, others, nil
}

// networkOf says whether there is a network of that name with the run's label.
func networkOf(ctx context.Context, run, name string) (bool, error) {
	label, err := Run(ctx, "network", "inspect", "--format", `{{index .Labels "`+RunLabel+`"}}`, name)
	if Says(err, "not found", "no such") {
		return false, nil
	}
	return label == run, err
}

// RemoveOwned removes the containers of a run, their volumes, and their
// network. It says whether there was any; others has what has the name of its
// cluster and is not its own. A container that is being made at this moment may
// appear after the first look: it cannot once the network is gone.
func RemoveOwned(ctx context.Context, run, name string) (removed bool, others []string, err error) {
	const patience = 30 * time.Second
	was := false // the network is the run's, or was
	for began := time.Now(); ; {
		ours, err := networkOf(ctx, run, name)
		if err != nil {
			return removed, others, err
		}
		was = was || ours
		var ids []string
		if ids, others, err = owned(ctx, run, name, was); err != nil {
			return removed, others, err
		}
		if len(ids) > 0 {
			removed = true
			if _, err := Run(ctx, append([]string{"rm", "-f", "-v"}, ids...)...); err != nil && !Says(err, "no such", "already in progress") {
				return removed, others, err
			}
			if time.Since(began) > patience {
				return removed, others, fmt.Errorf("containers of run %s come back: %s", run, strings.Join(ids, " "))
			}
			continue
		}
		if !ours {
			return removed, others, nil
		}
		removed = true
		if _, err := Run(ctx, "network", "rm", name); err != nil && !Says(err, "active endpoints", "not found", "no such") || time.Since(began) > patience {
			return removed, others, err
		}
	}
}
