//go:build kind

package kind_test

import (
	"testing"

	"github.com/storm-harness/storm/clusters/kind/kindtest"
)

func TestMain(m *testing.M) { kindtest.Main(m) }
