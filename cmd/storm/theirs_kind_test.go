//go:build kind

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
)

// theirCluster has kind make a cluster, in which storm has no part; its etcd is
// asked with what kubeadm has for that.
func theirCluster(t *testing.T, s *stage) *theirs {
	t.Helper()
	images, err := docker.Lines(t.Context(), "images", "storm/node", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil || len(images) == 0 {
		t.Fatalf("there is no node image: run `make kind-image` (%v)", err)
	}
	name := fmt.Sprintf("theirs-%d", os.Getpid())
	c := handCluster{Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	provider := kindcluster.NewProvider(kindcluster.ProviderWithDocker())
	t.Cleanup(func() {
		if err := provider.Delete(name, c.Kubeconfig); err != nil {
			t.Error(err)
		}
	})
	if err := provider.Create(name, kindcluster.CreateWithRawConfig([]byte(kindtest.Plain)), kindcluster.CreateWithNodeImage(images[0]), kindcluster.CreateWithKubeconfigPath(c.Kubeconfig)); err != nil {
		t.Fatal(err)
	}
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
