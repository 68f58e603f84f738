package local

import (
	"os"
	"testing"

	"github.com/storm-harness/storm/clusters/supervise"
)

// The test's own executable plays the supervisor, and with roles the storms
// that are killed.
func TestMain(m *testing.M) {
	supervise.RunIfAsked()
	if role, ok := roles[os.Getenv(roleEnv)]; ok {
		os.Exit(role())
	}
	os.Exit(m.Run())
}

// roleEnv tells the executable which process to play.
const roleEnv = "STORM_TEST_ROLE"
