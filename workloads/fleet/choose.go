package fleet

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Choose returns the names of some nodes, in order: of a rack of that many
// neighbours if rack is above 0, else of a share (0 to 1) of all, rounded up.
// Which rack and which nodes is drawn from the fleet's seed and the word given,
// such as the name of what is to be done to them: the same each time.
func (f *Fleet) Choose(word string, share float64, rack int) []string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(word))
	rng := rand.New(rand.NewPCG(uint64(f.env.Seed), h.Sum64()))
	var chosen []int
	if rack > 0 {
		chosen = rackOf(len(f.nodes), rack, rng)
	} else {
		chosen = shareOf(len(f.nodes), share, rng)
	}
	names := make([]string, len(chosen))
	for i, at := range chosen {
		names[i] = f.nodes[at].name
	}
	return names
}

// shareOf draws a share of count nodes, rounded up, in order.
func shareOf(count int, share float64, rng *rand.Rand) []int {
	// A share such as 0.07 has no exact binary form: 7% of 100 are 7, not 8.
	n := int(math.Ceil(share*float64(count) - 1e-9))
	chosen := rng.Perm(count)[:min(max(n, 0), count)]
	slices.Sort(chosen)
	return chosen
}

// rackOf draws one of the racks into which count nodes divide, size to a rack,
// and a last one that may not be full.
func rackOf(count, size int, rng *rand.Rand) []int {
	size = min(size, count)
	if size == 0 {
		return nil
	}
	first := rng.IntN(count/size) * size // a full one
	chosen := make([]int, size)
	for i := range chosen {
		chosen[i] = first + i
	}
	return chosen
}

// named returns the nodes of these names; names that are none of the fleet's
// are passed over.
func (f *Fleet) named(names []string) []*node {
	var out []*node
	for _, name := range names {
		number, ok := strings.CutPrefix(name, f.cfg.Prefix+"-")
		i, err := strconv.Atoi(number)
		if ok && err == nil && i >= 0 && i < len(f.nodes) && f.nodes[i].name == name {
			out = append(out, f.nodes[i])
		}
	}
	return out
}
