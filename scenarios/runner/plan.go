// Package runner turns a scenario into a run directory: it plans the trials,
// runs each on the cluster, and writes down what happened. It concludes
// nothing; the report does.
package runner

import (
	"fmt"
	"math/rand/v2"

	"github.com/storm-harness/storm/internal/rundir"
)

// Plan orders the trials: the warm-up block, if there is one, then in every block
// each profile once, all in random order, then the tours. The order is a function of the seed alone. Pairing within a
// block is what keeps the machine's slow drift out of a comparison; the random
// order keeps it from favouring the profile that always goes second. The
// warm-up block takes what only the first trials of a run meet: cold caches, a
// disk that has not been written to, a processor at another speed.
func Plan(profiles []string, warmup bool, blocks int, tours []Tour, seed int64) []rundir.Planned {
	random := rand.New(rand.NewPCG(uint64(seed), 0x73746f726d)) // the second word is "storm"
	var plan []rundir.Planned
	if warmup {
		// Of its own source: the blocks' order is the same with and without it.
		for _, i := range rand.New(rand.NewPCG(uint64(seed), 0x7761726d)).Perm(len(profiles)) { // "warm"
			plan = append(plan, rundir.Planned{
				ID: fmt.Sprintf("%03d-warmup-%s", len(plan)+1, profiles[i]), Profile: profiles[i], Discarded: true,
			})
		}
	}
	for block := 1; block <= blocks; block++ {
		for _, i := range random.Perm(len(profiles)) {
			plan = append(plan, rundir.Planned{
				ID:    fmt.Sprintf("%03d-b%d-%s", len(plan)+1, block, profiles[i]),
				Block: block, Profile: profiles[i],
			})
		}
	}
	for _, tour := range tours {
		plan = append(plan, rundir.Planned{
			ID:      fmt.Sprintf("%03d-tour-%s", len(plan)+1, tour.Name),
			Profile: tour.Profile, Tour: tour.Name,
		})
	}
	return plan
}

// Tour is a trial beside the blocks, for the plan.
type Tour struct{ Name, Profile string }
