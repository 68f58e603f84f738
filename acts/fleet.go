package acts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/storm-harness/storm/internal/strict"
)

// Fleet is a load of simulated nodes, as acts reach it. Nodes go by the names
// of their Node objects.
type Fleet interface {
	// Choose draws nodes, the same ones for the same word: of a rack of so many
	// neighbours if rack is above 0, else of a share (0 to 1) of all.
	Choose(word string, share float64, rack int) []string
	// Restart restarts kubelets and maybe kube-proxies, spread over a window, and
	// returns how many open watches that dropped, by resource.
	Restart(ctx context.Context, nodes []string, within time.Duration, proxies bool) (dropped map[string]int, err error)
	// Silence cuts nodes off until Wake, and returns how far apart the renewals
	// of their leases were.
	Silence(nodes []string) (heartbeat time.Duration, err error)
	// Wake has silent nodes begin anew.
	Wake(nodes []string) error
	// Synced returns how many of the nodes' watches have seen everything, of how
	// many, and when the last of those had, in ns since the clock's origin.
	Synced(nodes []string) (synced, total int, last int64)
}

// Fleet returns the fleet that an act names; an empty name is that of the only
// one.
func (e *Env) Fleet(name string) (Fleet, error) {
	names := slices.Sorted(maps.Keys(e.Fleets))
	if f := e.Fleets[name]; f != nil {
		return f, nil
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("there is no load of simulated nodes")
	case name != "":
		return nil, fmt.Errorf("there is no fleet %q: %s", name, strict.Suggest(name, "fleets", names))
	case len(names) > 1:
		return nil, fmt.Errorf("there are several fleets: name one of them, such as %s", names[0])
	}
	return e.Fleets[names[0]], nil
}
