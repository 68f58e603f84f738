//go:build cluster || kind

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/apart"
	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/internal/rundir"
)

// loadBeside is a load on a cluster that another storm has made: it has nodes of its
// own, and pods that would be bound to whatever node takes them.
const loadBeside = `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: beside}
spec:
  workloads:
    - {name: fleet, nodes: {count: 5}}
    - {name: apps, deployments: {count: 2, replicas: 5, churn: 0.5/s}}
    - {name: churn, eventChurn: {rate: 5/s}}
    - {name: state, objectChurn: {resource: widgets, rate: 2/s, population: 20, inFlight: 10}}
  timeline:
    - warmup: 2s
    - steady: STEADY
  gates:
    - {metric: api.errors, max: 99%}
    - {metric: writes.lost, max: 0}
`

// theirs is a cluster that the storm under test has not made.
type theirs struct {
	flags  []string
	config *rest.Config
	kube   kubernetes.Interface
	hand   handCluster
}

// theirsAt takes over a cluster, and puts things into it that are nobody's but its
// user's.
func theirsAt(t *testing.T, c handCluster) *theirs {
	t.Helper()
	raw, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	x := &theirs{hand: c, flags: []string{
		"--provider", "existing", "--kubeconfig", c.Kubeconfig, "--context", raw.CurrentContext,
		"--etcd-endpoints", strings.Join(c.Etcd["main"], ","), "--etcd-cacert", c.EtcdCA, "--etcd-cert", c.EtcdCert, "--etcd-key", c.EtcdKey,
	}}
	if x.config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	if x.kube, err = kubernetes.NewForConfig(x.config); err != nil {
		t.Fatal(err)
	}
	x.furnish(t)
	return x
}

// furnish makes what its user has: a namespace, and a node that takes pods.
func (x *theirs) furnish(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if _, err := x.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept", Labels: map[string]string{"storm.dev": "none"}}}
	if _, err := x.kube.CoreV1().ConfigMaps("mine").Create(ctx, cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "real", Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("110"), corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("16Gi")}
	n.Status.Capacity = n.Status.Allocatable
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}}
	if _, err := x.kube.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the node to take pods", func() bool {
		n, err := x.kube.CoreV1().Nodes().Get(t.Context(), "real", metav1.GetOptions{})
		return err == nil && len(n.Spec.Taints) == 0
	})
}

// passing are the resources whose objects come and go by themselves: what others note
// and derive.
var passing = []string{"events", "componentstatuses"}

// objects are all that its API server lists, labelled or not, but what passes.
func (x *theirs) objects(ctx context.Context) ([]string, error) {
	lists, err := x.kube.Discovery().ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(x.config)
	config.QPS = -1
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains(passing, r.Name) {
				continue
			}
			objects, err := client.Resource(gv.WithResource(r.Name)).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Name, err)
			}
			for _, o := range objects.Items {
				found = append(found, strings.Trim(r.Name+"."+gv.Group, ".")+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"))
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// labelled are the objects of any run.
func (x *theirs) labelled(t *testing.T) []remains.Object {
	t.Helper()
	c, err := remains.Open(x.config)
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Others(t.Context(), "none")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// clean wants the cluster as its user left it: nothing of storm's, everything of
// theirs, and no key of storm's in etcd.
func (x *theirs) clean(t *testing.T, before []string) {
	t.Helper()
	if left := x.labelled(t); len(left) > 0 {
		t.Errorf("left in their cluster: %v", left)
	}
	// What the API server derives from definitions goes a moment after them.
	var differs string
	defer func() {
		if t.Failed() {
			t.Log(differs)
		}
	}()
	until(t, "the cluster to have just what it had", func() bool {
		now, err := x.objects(t.Context())
		more, less := beyond(now, before), beyond(before, now)
		differs = fmt.Sprintf("beyond what was there: %q; missing: %q; %v", more, less, err)
		return err == nil && len(more)+len(less) == 0
	})
	if _, err := x.kube.CoreV1().ConfigMaps("mine").Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("their ConfigMap: %v", err)
	}
	if n := x.stormKeys(t); n > 0 {
		t.Errorf("etcd has %d keys that storm wrote to it directly", n)
	}
}

// settled are its objects once they have been the same for some seconds: what
// controllers make of a new namespace and node is there.
func (x *theirs) settled(t *testing.T) (objects []string) {
	t.Helper()
	var since time.Time
	until(t, "the cluster to have come to rest", func() bool {
		now, err := x.objects(t.Context())
		if err != nil || !slices.Equal(now, objects) || slices.Index(now, "configmaps mine/kube-root-ca.crt") < 0 {
			objects, since = now, time.Now()
			return false
		}
		return time.Since(since) > 5*time.Second
	})
	return objects
}

// beyond are the names of one list that the other has not.
func beyond(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(other, name) })
}

// stormKeys is how many keys etcd has where storm writes to its own clusters.
func (x *theirs) stormKeys(t *testing.T) int64 {
	t.Helper()
	ca, err := os.ReadFile(x.hand.EtcdCA)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(x.hand.EtcdCert, x.hand.EtcdKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	c, err := etcd.Open(x.hand.Etcd["main"][0], &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const prefix = "/storm/"
	resp, err := c.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte(prefix), RangeEnd: []byte(clientv3.GetPrefixRangeEnd(prefix)), CountOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Count
}

// TestAnExistingCluster loads a cluster that this storm has not made, to the end,
// interrupted and killed: what is left is what was there before.
func TestAnExistingCluster(t *testing.T) {
	s := newStage(t)
	x := theirCluster(t, s)
	before := x.settled(t)
	long, short := strings.Replace(loadBeside, "STEADY", "5m", 1), strings.Replace(loadBeside, "STEADY", "5s", 1)

	t.Run("is listed beforehand", func(t *testing.T) {
		said := s.run(t, exitPass, append([]string{"run", s.file(t, "dry.yaml", short), "--dry-run"}, x.flags...)...)
		for _, want := range []string{"storm-fleet-00000 … storm-fleet-00004", "widgets.load.storm.dev", "kube-node-lease", "Nothing was made."} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not say %q:\n%s", want, said)
			}
		}
		x.clean(t, before)
	})

	t.Run("is loaded and measured", func(t *testing.T) {
		p := s.start(t, "load", short, x.flags...)
		p.await("  steady")
		x.apart(t)
		if code, sig := p.end(); sig != 0 || code != exitPass && code != exitInvalid {
			t.Fatalf("exit code %d, signal %d:\n%s\n%s", code, sig, p.said(), p.stdout.String())
		}
		x.clean(t, before)
		seen(t, p.dir)
	})

	t.Run("is as it was after an interrupt", func(t *testing.T) {
		p := s.start(t, "interrupt", long, x.flags...)
		p.await("  steady")
		interrupt(t, p)
		if code, _ := p.end(); code != exitInterrupted {
			t.Errorf("exit code %d:\n%s", code, p.said())
		}
		x.clean(t, before)
	})

	t.Run("is as it was after a kill and a cleanup", func(t *testing.T) {
		p := s.start(t, "killed", long, x.flags...)
		p.await("  steady")
		kill(t, p.Process.Pid)
		if _, sig := p.end(); sig != syscall.SIGKILL {
			t.Fatalf("it was not killed:\n%s", p.said())
		}
		if left := x.labelled(t); len(left) == 0 {
			t.Fatal("it had made nothing when it was killed")
		}
		// Another storm, which knows nothing of the first one's ledger, keeps off.
		second := &stage{exe: s.exe, dir: t.TempDir()}
		file := second.file(t, "second.yaml", short)
		second.run(t, exitUsage, append([]string{"run", file, "--dry-run"}, x.flags...)...)
		second.run(t, exitError, append([]string{"run", file, "--dir", filepath.Join(second.dir, "run")}, x.flags...)...)
		if left := x.labelled(t); len(left) == 0 || left[0].Run != p.id {
			t.Errorf("the second storm has touched what is the first one's: %v", left)
		}
		if said := s.run(t, exitPass, "cleanup"); !strings.Contains(said, "objects context") || !strings.Contains(said, "removed") {
			t.Errorf("cleanup says:\n%s", said)
		}
		x.clean(t, before)
		if left := p.left(); len(left) > 0 {
			t.Errorf("left on this machine: %v", left)
		}
	})
}

// apart wants simulated nodes that draw nothing of others', and storm's pods on
// none but them.
func (x *theirs) apart(t *testing.T) {
	t.Helper()
	nodes, err := x.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: apart.Key})
	if err != nil || len(nodes.Items) != 5 {
		t.Fatalf("there are %d simulated nodes, want 5: %v", len(nodes.Items), err)
	}
	for _, n := range nodes.Items {
		tainted := slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == apart.Key && t.Effect == corev1.TaintEffectNoSchedule })
		if !tainted || n.Labels[corev1.LabelOSStable] == "linux" || n.Labels[remains.RunLabel] == "" {
			t.Errorf("%s is not kept apart: %v, %v", n.Name, n.Spec.Taints, n.Labels)
		}
	}
	bound := 0
	until(t, "pods on the simulated nodes", func() bool {
		pods, err := x.kube.CoreV1().Pods("storm-apps").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		bound = 0
		for _, p := range pods.Items {
			if p.Spec.NodeName == "real" {
				t.Fatalf("%s was bound to a real node", p.Name)
			}
			if p.Status.Phase == corev1.PodRunning {
				bound++
			}
		}
		return bound >= 5
	})
}

// seen wants the record of what was measured, and of what was not.
func seen(t *testing.T, dir string) {
	t.Helper()
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	rec, err := d.Records("001-b1-default")
	if err != nil {
		t.Fatal(err)
	}
	scraped := map[string]int{}
	for s, err := range rec.Scrapes() {
		if err == nil && s.Err == "" && len(s.Samples) > 0 {
			scraped[s.Component]++
		}
	}
	if scraped["kube-apiserver-0"] == 0 || scraped["etcd-main-0"] == 0 {
		t.Errorf("scraped were %v", scraped)
	}
	for p, err := range rec.Processes() {
		if err == nil && p.Component != rundir.StormComponent && p.Component != rundir.MachineComponent {
			t.Fatalf("a process of theirs was measured: %+v", p)
		}
	}
	done, err := rec.Trial()
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Journal) != 1 || done.Journal[0].Via != "api" || done.Journal[0].Acked == 0 || done.Journal[0].Found != done.Journal[0].Acked {
		t.Errorf("the account of acknowledged writes: %+v", done.Journal)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Provider string   `json:"provider"`
		Limits   []string `json:"limits"`
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if report.Provider != "existing" || !strings.Contains(strings.Join(report.Limits, " "), "does not restore it") {
		t.Errorf("the report says %+v", report)
	}
}
