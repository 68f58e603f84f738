//go:build kind

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
)

// theirCluster has kind make a cluster, in which storm has no part; its etcd is
// asked with what kubeadm has for that.
func theirCluster(t *testing.T, s *stage) *theirs {
	t.Helper()
	name := fmt.Sprintf("theirs-%d", os.Getpid())
	c := handCluster{Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	remove := kindtest.Theirs(t, name, c.Kubeconfig)
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	node := name + "-control-plane"
	address, err := docker.Run(t.Context(), "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", node)
	if err != nil {
		t.Fatal(err)
	}
	c.Etcd = map[string][]string{"main": {"https://" + address + ":2379"}}
	for file, to := range map[string]*string{"ca.crt": &c.EtcdCA, "healthcheck-client.crt": &c.EtcdCert, "healthcheck-client.key": &c.EtcdKey} {
		*to = filepath.Join(s.dir, file)
		if _, err := docker.Run(t.Context(), "cp", node+":/etc/kubernetes/pki/etcd/"+file, *to); err != nil {
			t.Fatal(err)
		}
	}
	return theirsAt(t, c)
}
