//go:build cluster

package faults

import (
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/clusters/local/localtest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

func start(t *testing.T, spec clusters.Spec) clusters.Cluster { return localtest.Up(t, spec) }

// noLinks is why the links of a cluster cannot be changed; empty where they can.
func noLinks(c clusters.Cluster) string { return local.Capabilities(c.Spec())[clusters.CanLink] }
