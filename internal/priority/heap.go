package priority

import (
	"os"
	"runtime/debug"
)

// growth is how much the heap may grow, in percent of what is alive, before
// garbage is collected. Go's default is 100. A load allocates little, so that
// to collect more often costs hardly any processor time, and what storm does
// not hold is left to the control plane.
const growth = 30

// KeepSmall keeps the heap close to what is alive, unless GOGC says otherwise,
// and returns how to undo that.
func KeepSmall() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(growth)
	return func() { debug.SetGCPercent(before) }
}
