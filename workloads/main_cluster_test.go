//go:build cluster

package workloads

import (
	"os"
	"testing"

	"github.com/storm-harness/storm/clusters/supervise"
)

// The test's own executable plays the supervisor of its cluster.
func TestMain(m *testing.M) {
	supervise.RunIfAsked()
	os.Exit(m.Run())
}
