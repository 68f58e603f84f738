//go:build cluster && !kind

package main

import "testing"

// theirCluster has another storm, with a state of its own, start a local cluster.
func theirCluster(t *testing.T, s *stage) *theirs {
	t.Helper()
	other := &stage{exe: s.exe, dir: t.TempDir()}
	// Controllers that are alone need no lease, without which they would end
	// themselves on a busy machine: nobody would empty namespaces any more.
	spec := other.file(t, "theirs.yaml", `kubernetes:
  controllerManager: {flags: {leader-elect: "false"}}
  scheduler: {flags: {leader-elect: "false"}}
`)
	other.run(t, exitPass, "cluster", "up", "--name", "theirs", "--file", spec)
	t.Cleanup(func() { other.run(t, exitPass, "cluster", "down", "theirs") })
	return theirsAt(t, other.look(t))
}
