package scenarios

import (
	"fmt"
	"math"

	"github.com/storm-harness/storm/internal/unit"
)

// comparison checks that the blocks are enough for what the gates compare.
func (c *check) comparison() {
	spec := c.doc.Spec
	comparisons := 0
	for _, g := range spec.Gates {
		comparisons += compares(string(g.Compare), string(g.Profile), len(spec.Profiles))
	}
	if n := len(spec.Profiles); n > 1 && comparisons == 0 && len(spec.Gates) > 0 {
		c.warn("spec.gates", "no gate compares the %d profiles, so the verdict does not say which is better: add one such as {metric: api.latency, verb: mutating, compare: %s, stat: p99, margin: 25%%}", n, spec.Profiles[0].Name)
	}
	n, alpha := spec.Blocks, spec.Alpha.Fraction()
	if comparisons == 0 || n < 1 || alpha <= 0 || !c.decoded("spec.blocks") || !c.decoded("spec.alpha") {
		return
	}
	verdict, claim := LeastBlocks(alpha, comparisons)
	switch {
	case n < verdict:
		p := c.index.Problem("spec.blocks", fmt.Sprintf("with %s no comparison can come to any verdict at alpha %s: the smallest p of the exact sign-flip test is 2/2^%d = %.3g; take at least %d",
			unit.Count(n, "block"), spec.Alpha, n, math.Ldexp(2, -n), max(verdict, claim)))
		c.tooFew = append(c.tooFew, p)
	case n < claim:
		c.warn("spec.blocks", "with %s no regression can ever be claimed at alpha %s: Holm's correction counts %d comparisons, and the smallest p of one is 1/2^%d = %.3g; take at least %d",
			unit.Count(n, "block"), spec.Alpha, comparisons, n, math.Ldexp(1, -n), claim)
	}
}

// compares is how many comparisons one gate is: with every other profile, or with
// one.
func compares(base, profile string, profiles int) int {
	switch {
	case base == "":
		return 0
	case profile != "":
		return 1
	default:
		return max(1, profiles-1)
	}
}

// Comparisons is how many comparisons the gates make, which Holm's correction
// counts; for an A/A run those of the scenario that it stands for.
func (s *Scenario) Comparisons() int {
	if s.comparisons > 0 {
		return s.comparisons
	}
	n := 0
	for _, g := range s.Gates {
		n += compares(g.Compare, g.Profile, len(s.Profiles))
	}
	return n
}

// LeastBlocks returns how many blocks it takes for a comparison to come to any
// verdict, and for one of so many to be able to claim a regression. Of n blocks
// the smallest two-sided p is 2/2ⁿ, which the interval needs to be alpha; the
// smallest one-sided p is 1/2ⁿ, which Holm's correction multiplies by the
// number of comparisons.
func LeastBlocks(alpha float64, comparisons int) (verdict, claim int) {
	least := func(p float64) int {
		n := 1
		for math.Ldexp(1, -n) > p*(1+1e-12) {
			n++
		}
		return n
	}
	verdict = least(alpha / 2)
	return verdict, max(verdict, least(alpha/float64(max(1, comparisons))))
}
