//go:build cluster

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/storm-harness/storm/clusters/components"
)

// TestWithoutRoot runs a scenario as a user without any rights: it works, and
// says what is missing; one that needs more is refused before it starts.
func TestWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("every other test runs without root already")
	}
	s := newStage(t)
	s.binaries(t)
	small := s.file(t, "small.yaml", `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  cluster:
    kubernetes: {binDir: bin, controllerManager: {replicas: 0}, scheduler: {replicas: 0}}
    etcd: {binDir: bin, members: 3}
  timeline:
    - steady: 3s
  gates:
    - {metric: writes.lost, max: 0}
`)
	s.handOver(t)
	as := func(args ...string) (code int, stdout, stderr string) {
		cmd := s.command(args...)
		cmd.Env = append(cmd.Env, "HOME="+s.dir, "XDG_CACHE_HOME="+filepath.Join(s.dir, "cache"), "TMPDIR="+s.dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String(), errs.String()
	}

	code, stdout, stderr := as("run", small, "--dir", "run", "--seed", "1")
	if code != exitPass {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	if !strings.Contains(stderr, "without network namespaces: no partitions and no link delay, see `storm doctor`") {
		t.Errorf("it does not say what is missing:\n%s", stderr)
	}
	code, _, stderr = as("run", "partition")
	if code != exitUsage || !strings.Contains(stderr, "its members cannot be hosts of their own") {
		t.Errorf("a partition without rights: exit code %d:\n%s", code, stderr)
	}
	code, stdout, _ = as("cleanup")
	if code != exitPass || stdout != "Nothing was left behind.\n" {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}

// binaries puts the cache's binaries where another user can run them.
func (s *stage) binaries(t *testing.T) {
	t.Helper()
	var list []components.Binary
	if err := json.Unmarshal([]byte(s.run(t, exitPass, "components", "get", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(s.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if os.Link(b.Path, filepath.Join(bin, b.Name)) == nil {
			continue // else it lies on another disk
		}
		from, err := os.Open(b.Path)
		if err != nil {
			t.Fatal(err)
		}
		to, err := os.OpenFile(filepath.Join(bin, b.Name), os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(to, from); err != nil {
			t.Fatal(err)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		_ = from.Close() // it was only read
	}
}
