package workloads

import (
	"fmt"
	"math"

	"github.com/storm-harness/storm/internal/unit"
)

// share is one of the shares into which a load's requests are divided, under
// the name of its field.
type share struct {
	field string
	of    unit.Percent
}

// checkShares says which of the shares is none.
func checkShares(shares []share) string {
	for _, s := range shares {
		if s.of < 0 || s.of > 1 {
			return fmt.Sprintf("%s: %s is not between 0%% and 100%%", s.field, s.of)
		}
	}
	return ""
}

// sumOf adds shares up, without the rounding of their fractions: 10% and 20%
// and 70% are 100%.
func sumOf(shares []share) unit.Percent {
	sum := 0.0
	for _, s := range shares {
		sum += s.of.Fraction()
	}
	return unit.Percent(math.Round(sum*1e9) / 1e9)
}

// pick returns which of the shares a number of [0, 1) falls into; the last takes
// what rounding leaves.
func pick(u float64, shares ...unit.Percent) int {
	for i, s := range shares[:len(shares)-1] {
		if u -= s.Fraction(); u < 0 {
			return i
		}
	}
	return len(shares) - 1
}
