//go:build kind && !cluster

package faults

import (
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
)

func TestMain(m *testing.M) { kindtest.Main(m) }

func start(t *testing.T, spec clusters.Spec) clusters.Cluster { return kindtest.Up(t, spec) }

// noLinks is why the links of a cluster cannot be changed; empty where they can.
func noLinks(c clusters.Cluster) string { return kind.Capabilities(c.Spec())[clusters.CanLink] }
