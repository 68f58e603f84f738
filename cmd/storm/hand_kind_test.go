//go:build kind

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/procfs"
)

// TestAKindClusterByHand starts one as people do, looks at it with what storm prints,
// and takes it down: each shard has its own authority, quota and flags.
func TestAKindClusterByHand(t *testing.T) {
	containers := func() string {
		names, err := docker.Lines(t.Context(), "ps", "-a", "--filter", "name=storm-", "--format", "{{.Names}}")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	before := containers()
	s := newStage(t)
	spec := s.file(t, "hand.yaml", `etcd:
  shards:
    - {name: events, resources: [/events], quota: 48MiB, flags: {max-concurrent-streams: "77"}}
`)
	said := s.run(t, exitPass, "cluster", "up", "--provider", "kind", "--name", "by-hand", "--file", spec)
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = s.command("cluster", "down", "by-hand").CombinedOutput()
		}
	})
	c := s.look(t)
	if c.Name != "by-hand" || c.Status != "up" {
		t.Errorf("%s is %s", c.Name, c.Status)
	}
	if known, err := kindcluster.NewProvider(kindcluster.ProviderWithDocker()).List(); err != nil || !slices.Contains(known, c.KindName) {
		t.Errorf("kind knows %v, and not %s: %v", known, c.KindName, err)
	}
	for _, want := range []string{"Cluster by-hand is up.", c.KindName, c.Kubeconfig, c.EtcdCA, "storm cluster down by-hand"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	// Its name is taken now.
	if said, err := s.command("cluster", "up", "--provider", "kind", "--name", "by-hand").CombinedOutput(); err == nil || !strings.Contains(string(said), "there is a cluster \"by-hand\" already: run `storm cluster list`, or `storm cluster down by-hand`") {
		t.Errorf("a second of that name: %v: %s", err, said)
	}
	if again := s.look(t); again.Status != "up" || again.Supervisor != c.Supervisor {
		t.Errorf("after that the first is %s, held by %d; it was by %d", again.Status, again.Supervisor, c.Supervisor)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if nodes, err := kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil || len(nodes.Items) != 1 {
		t.Errorf("%d nodes: %v", len(nodes.Items), err)
	}
	trust, err := os.ReadFile(c.EtcdCA)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(c.EtcdCert, c.EtcdKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trust)
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}}
	defer web.CloseIdleConnections()
	for shard, want := range map[string]struct{ authority, quota string }{
		"main": {"etcd-ca", fmt.Sprintf("%g", float64(2<<30))}, "events": {"etcd-events-ca", fmt.Sprintf("%g", float64(48<<20))},
	} {
		resp, err := web.Get(c.Etcd[shard][0] + "/metrics")
		if err != nil {
			t.Errorf("%s: %v", shard, err)
			continue
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(text), "\netcd_server_quota_backend_bytes "+want.quota+"\n") {
			t.Errorf("%s: its quota is not %s: %v", shard, want.quota, err)
		}
		if got := resp.TLS.PeerCertificates[0].Issuer.CommonName; got != want.authority {
			t.Errorf("%s: its certificate is by %s, want %s", shard, got, want.authority)
		}
	}
	if args, err := docker.Run(t.Context(), "ps", "--no-trunc", "--filter", "name=etcd-events-0", "--format", "{{.Command}}"); err != nil || !strings.Contains(args, "--max-concurrent-streams=77") {
		t.Errorf("the shard of events runs as %s: %v", args, err)
	}
	exported(t, s)
	s.run(t, exitPass, "cluster", "down", "by-hand")
	if after := containers(); after != before {
		t.Errorf("containers before: %s; after: %s", before, after)
	}
	killedByHand(t, s, containers, before)
}

// exported has the logs of the cluster by hand written out: the components', and the
// node's own.
func exported(t *testing.T, s *stage) {
	t.Helper()
	to := filepath.Join(s.dir, "logs")
	s.run(t, exitPass, "cluster", "logs", "by-hand", "--to", to)
	for _, pattern := range []string{"kube-apiserver-0.log", "etcd-main-0.log", "etcd-events-0.log", "nodes/*/kubelet.log", "nodes/*/containers/kube-apiserver*.log"} {
		found, err := filepath.Glob(filepath.Join(to, pattern))
		if err != nil || len(found) == 0 {
			t.Errorf("no %s among the logs: %v", pattern, err)
		}
		for _, f := range found {
			if info, err := os.Stat(f); err != nil || info.Size() == 0 {
				t.Errorf("%s is empty: %v", f, err)
			}
		}
	}
	if out, err := s.command("cluster", "logs", "by-hand", "--to", to).CombinedOutput(); err == nil || !strings.Contains(string(out), "exists already: name a directory that does not") {
		t.Errorf("a second time into the same directory: %v: %s", err, out)
	}
}

// killedByHand starts another, kills what holds it, and has a cleanup remove all that
// is left: containers, networks, volumes.
func killedByHand(t *testing.T, s *stage, containers func() string, before string) {
	t.Helper()
	lines := func(args ...string) []string {
		out, err := docker.Lines(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	networks := lines("network", "ls", "--quiet")
	volumes := lines("volume", "ls", "--quiet")
	s.run(t, exitPass, "cluster", "up", "--provider", "kind", "--name", "killed")
	if containers() == before || len(lines("network", "ls", "--quiet")) == len(networks) {
		t.Error("a cluster without containers or a network")
	}
	pid := s.look(t).Supervisor
	kill(t, pid)
	until(t, "the supervisor's end", func() bool { st, err := procfs.ReadStat(pid); return err != nil || st.Dead() })
	s.run(t, exitPass, "cleanup")
	if after := containers(); after != before {
		t.Errorf("containers before: %s; after: %s", before, after)
	}
	if after := lines("network", "ls", "--quiet"); len(after) != len(networks) {
		t.Errorf("networks before: %v; after: %v", networks, after)
	}
	if after := lines("volume", "ls", "--quiet"); len(after) > len(volumes) {
		t.Errorf("volumes before: %v; after: %v", volumes, after)
	}
	if said := s.run(t, exitPass, "cleanup"); !strings.Contains(said, "Nothing was left behind.") {
		t.Errorf("a second cleanup: %s", said)
	}
}

// Whom Docker's socket is not for is told so, and nothing is begun.
func TestKindWithoutPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root to be somebody else")
	}
	s := newStage(t)
	s.handOver(t)
	cmd := s.command("cluster", "up", "--provider", "kind", "--name", "denied")
	cmd.Env = append(cmd.Env, "HOME="+s.dir, "XDG_CACHE_HOME="+filepath.Join(s.dir, "cache"), "TMPDIR="+s.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no permission on Docker's socket: add yourself to the group docker") {
		t.Errorf("%v:\n%s", err, out)
	}
	if left := s.run(t, exitPass, "cluster", "list", "-o", "name"); left != "" {
		t.Errorf("something of it is left: %s", left)
	}
}
