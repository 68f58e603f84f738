package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Number is a measured value that may be missing (NaN) or infinite (a censored
// time, a ratio to one). In JSON a missing value is null, an infinite one the
// text "+Inf" or "-Inf", because JSON has no number for them.
type Number float64

// Missing is the value of what was not measured.
func Missing() Number { return Number(math.NaN()) }

// Is returns whether there is a value, finite or not.
func (n Number) Is() bool { return !math.IsNaN(float64(n)) }

// Finite returns whether the value is there and finite.
func (n Number) Finite() bool { return n.Is() && !math.IsInf(float64(n), 0) }

// Float returns the value; NaN where it is missing.
func (n Number) Float() float64 { return float64(n) }

// MarshalJSON implements json.Marshaler. Finite values keep nine significant
// digits, far beyond what was measured.
func (n Number) MarshalJSON() ([]byte, error) {
	switch f := float64(n); {
	case math.IsNaN(f):
		return []byte("null"), nil
	case math.IsInf(f, 0):
		return []byte(`"` + strconv.FormatFloat(f, 'g', -1, 64) + `"`), nil
	case f == 0: // minus zero too
		return []byte("0"), nil
	case math.Abs(f) >= 1e-6 && math.Abs(f) < 1e15:
		short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 9, 64), 64)
		if err != nil {
			return nil, fmt.Errorf("shorten %v: %w", f, err)
		}
		return strconv.AppendFloat(nil, short, 'f', -1, 64), nil
	default:
		return strconv.AppendFloat(nil, f, 'g', 9, 64), nil
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*n = Missing()
		return nil
	case `"+Inf"`:
		*n = Number(math.Inf(1))
		return nil
	case `"-Inf"`:
		*n = Number(math.Inf(-1))
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("a number, null, \"+Inf\" or \"-Inf\": %w", err)
	}
	*n = Number(f)
	return nil
}
