//go:build kind

package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/clusters/kind/machine"
	"github.com/storm-harness/storm/internal/docker"
)

// version is what the tests build; the Makefile's default is the same.
const version = "v1.36.3"

// built builds the images, or finds them there.
func built(t *testing.T) {
	t.Helper()
	log := func(e clusters.Event) {
		if e.Total == 0 || e.Done == e.Total {
			t.Logf("%s: %s", e.Component, e.Text)
		}
	}
	if err := machine.Ready(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	names, err := Build(t.Context(), Options{Kubernetes: version, Etcd: []string{"v3.6.16"}}, log)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"storm/node:" + version, "storm/etcd:v3.6.16"}; !slices.Equal(names[:2], want) {
		t.Fatalf("built %q, want %q", names, want)
	}
}

// The second build finds everything there: it makes no image again.
func TestBuildIsResumed(t *testing.T) {
	built(t)
	before := ids(t)
	built(t)
	if after := ids(t); !slices.Equal(before, after) {
		t.Errorf("images were %q, and are %q after a build that had nothing to do", before, after)
	}
	left, err := docker.Lines(t.Context(), "ps", "--all", "--quiet", "--filter", "name=storm-kind-image-")
	if err != nil || len(left) > 0 {
		t.Errorf("containers of the build are left: %q, %v", left, err)
	}
}

func ids(t *testing.T) []string {
	t.Helper()
	lines, err := docker.Lines(t.Context(), "image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}", "--filter", "label="+keyLabel)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// kind creates a cluster of one node from the image, with nothing to pull.
func TestClusterOfOneNode(t *testing.T) {
	built(t)
	began := time.Now()
	name := "storm-image-1"
	client := create(t, name, []string{"control-plane"})
	t.Logf("kind create cluster took %s", time.Since(began).Round(100*time.Millisecond))
	if got := client.get(t, "/readyz"); got != "ok" {
		t.Errorf("/readyz says %q", got)
	}
	if got := client.get(t, "/version"); !strings.Contains(got, `"gitVersion": "`+version+`"`) {
		t.Errorf("/version says %s", got)
	}
	images, err := docker.Lines(t.Context(), "exec", name+"-control-plane", "crictl", "images", "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	if listed := strings.Join(images, "\n"); !strings.Contains(listed, "registry.k8s.io/kube-apiserver:"+version) {
		t.Errorf("crictl lists %s", listed)
	}
	// The container of etcd for shards reaches the node on kind's network.
	out, err := docker.Lines(t.Context(), "run", "--rm", "--network=kind", "storm/etcd:v3.6.16",
		"sh", "-c", "etcd --version && etcdutl version && nft --version && ip -brief address && getent hosts "+name+"-control-plane")
	if err != nil || !strings.HasPrefix(out[0], "etcd Version: 3.6.16") {
		t.Errorf("image of etcd: %q, %v", out, err)
	}
}

// Three control planes are behind the load balancer, and stay so while one of
// them is frozen.
func TestClusterOfThreeControlPlanes(t *testing.T) {
	if testing.Short() {
		t.Skip("clusters of three, behind this balancer, are in the provider's tests too; this is one that kind makes by itself")
	}
	built(t)
	const name = "storm-image-3"
	client := create(t, name, []string{"control-plane", "control-plane", "control-plane"})
	if _, err := docker.Lines(t.Context(), "pause", name+"-control-plane2"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := docker.Lines(context.WithoutCancel(t.Context()), "unpause", name+"-control-plane2"); err != nil {
			t.Error(err)
		}
	}()
	client.until(t, "the load balancer leaves the frozen one out", func() bool {
		for range 6 { // two rounds of three
			if _, err := client.ask("/readyz"); err != nil {
				t.Log(err)
				return false
			}
		}
		return true
	})
}

// create creates a cluster, which is deleted when the test ends.
func create(t *testing.T, name string, roles []string) apiClient {
	t.Helper()
	provider := cluster.NewProvider(cluster.ProviderWithDocker())
	kubeconfig := t.TempDir() + "/kubeconfig"
	t.Cleanup(func() {
		if err := provider.Delete(name, kubeconfig); err != nil {
			t.Error(err)
		}
	})
	if err := provider.Create(name,
		cluster.CreateWithRawConfig([]byte(config(roles))), cluster.CreateWithNodeImage("storm/node:"+version),
		cluster.CreateWithKubeconfigPath(kubeconfig), cluster.CreateWithRetain(false), cluster.CreateWithWaitForReady(2*time.Minute),
	); err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.CAData)
	cert, err := tls.X509KeyPair(c.CertData, c.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	return apiClient{url: c.Host, http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}, DisableKeepAlives: true,
	}}}
}

// config is docs/kind.md's.
func config(roles []string) string {
	text := kindtest.Plain + "nodes:\n"
	for _, role := range roles {
		text += "- role: " + role + "\n"
	}
	return text
}

// apiClient asks an API server, each time over a new connection.
type apiClient struct {
	url  string
	http *http.Client
}

func (c apiClient) ask(path string) (string, error) {
	resp, err := c.http.Get(c.url + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func (c apiClient) get(t *testing.T, path string) string {
	t.Helper()
	body, err := c.ask(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// until asks again until what is said holds.
func (c apiClient) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(late) {
			t.Fatalf("not so within a minute: %s", what)
		}
	}
}
