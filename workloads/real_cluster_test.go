//go:build cluster

package workloads

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/fleet"
)

// real is a control plane of real components, with an audit log: the server's
// own account of who asked it for what.
type real struct {
	*local.Cluster
	kube  kubernetes.Interface
	audit string
}

// auditPolicy has every request logged when it is done; a watch, when it began.
const auditPolicy = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}`

func bringUp(t *testing.T) *real {
	t.Helper()
	dir := t.TempDir()
	policy, audit := filepath.Join(dir, "policy.json"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Create(fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Finish(); err != nil {
			t.Error(err)
		}
	})
	var spec clusters.Spec
	spec.Kubernetes.APIServer.Flags = map[string]string{"audit-policy-file": policy, "audit-log-path": audit, "audit-log-mode": "blocking"}
	c, err := local.Up(t.Context(), local.Options{
		Spec: spec, Dir: filepath.Join(dir, "cluster"), LogDir: filepath.Join(dir, "logs"), Store: store, Ledger: l,
		Sink: func(e clusters.Event) { t.Logf("%s %s", e.Component, e.Text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	kube, err := kubernetes.NewForConfig(c.Access().REST)
	if err != nil {
		t.Fatal(err)
	}
	return &real{Cluster: c, kube: kube, audit: audit}
}

// audited is a line of the audit log.
type audited struct {
	Stage string `json:"stage"`
	Verb  string `json:"verb"`
	User  struct {
		Username string `json:"username"`
	} `json:"user"`
	Impersonated struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	} `json:"impersonatedUser"`
	UserAgent string `json:"userAgent"`
	URI       string `json:"requestURI"`
	Object    struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// requests returns what the audit log holds of one load.
func (r *real) requests(t *testing.T, workload string, match func(audited) bool) []audited {
	t.Helper()
	return r.logged(t, func(a audited) bool { return a.UserAgent == userAgent(workload) && match(a) })
}

// logged returns what the audit log holds of anybody.
func (r *real) logged(t *testing.T, match func(audited) bool) []audited {
	t.Helper()
	f, err := os.Open(r.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []audited
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a audited
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue // the line that is being written
		}
		if match(a) {
			out = append(out, a)
		}
	}
	return out
}

// metric returns the sum of a metric's samples with these labels, as the API
// server itself says; of a histogram, how many values it has.
func (r *real) metric(t *testing.T, name string, labels map[string]string) float64 {
	t.Helper()
	body, err := r.kube.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		return -1 // it is being restarted
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		matched := 0
		for _, l := range m.GetLabel() {
			if want, ok := labels[l.GetName()]; ok && want == l.GetValue() {
				matched++
			}
		}
		if matched == len(labels) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// eventually waits until something is observed.
func eventually(t *testing.T, what string, observed func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !observed() {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within 90 s: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// load is a load that runs.
type load struct {
	t        *testing.T
	env      *Env
	workload Workload
	cancel   context.CancelFunc
	returned chan error
	rec      *measure.Recorder
	cut      atomic.Uint64 // requests that the end cut off

	mu      sync.Mutex
	windows map[rundir.Key]rundir.Window
}

// members returns the client URLs of a shard's members.
func (r *real) members(shard string) ([]string, error) {
	var urls []string
	for _, c := range clusters.OfKind(r, clusters.KindEtcd, shard) {
		urls = append(urls, c.Endpoints().Client)
	}
	return urls, nil
}

// environment is what a load works with that is prepared alone.
func (r *real) environment(t *testing.T, name string) *Env {
	t.Helper()
	clock := measure.NewClock()
	rec := measure.NewRecorder(clock, func(rundir.Window) {})
	t.Cleanup(rec.Close)
	env := &Env{
		Name: name, Access: r.Access(), Admin: rest.CopyConfig(r.Access().REST), Recorder: rec, Clock: clock,
		Seed: 1, RunID: "test-" + name, Log: slog.New(slog.DiscardHandler),
	}
	if err := Identify(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	return env
}

// put prepares a load and puts it on.
func (r *real) put(t *testing.T, name string, w Workload) *load {
	t.Helper()
	if problems := w.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	l := &load{t: t, workload: w, returned: make(chan error, 1), windows: map[rundir.Key]rundir.Window{}}
	clock := measure.NewClock()
	l.rec = measure.NewRecorder(clock, func(w rundir.Window) {
		l.mu.Lock()
		defer l.mu.Unlock()
		sum := l.windows[w.Key]
		sum.Key = w.Key
		if err := sum.Merge(w); err != nil {
			t.Error(err)
		}
		l.windows[w.Key] = sum
	})
	l.env = &Env{
		Name: name, Access: r.Access(), Admin: rest.CopyConfig(r.Access().REST), Recorder: l.rec, Clock: clock, Etcd: r.members,
		Seed: 1, RunID: "test-" + name, Log: slog.New(cuts{slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}), &l.cut}),
	}
	if err := Identify(t.Context(), l.env); err != nil {
		t.Fatal(err)
	}
	if err := w.Prepare(t.Context(), l.env); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	go func() { l.returned <- w.Run(ctx, l.env) }()
	return l
}

// cuts adds up what the loads log of the requests that their end cut off.
type cuts struct {
	slog.Handler
	n *atomic.Uint64
}

func (c cuts) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "cut" {
			c.n.Add(a.Value.Uint64())
		}
		return true
	})
	return c.Handler.Handle(ctx, r)
}

// end ends the load; it must stop in good order, and soon.
func (l *load) end() {
	l.t.Helper()
	l.cancel()
	select {
	case err := <-l.returned:
		if err != nil {
			l.t.Errorf("%s: %v", l.env.Name, err)
		}
	case <-time.After(10 * time.Second):
		l.t.Errorf("%s did not stop", l.env.Name)
	}
	l.rec.Close()
}

// so far returns what was recorded of a verb on a resource.
func (l *load) soFar(verb, resource, detail string) rundir.Window {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[rundir.Key{Workload: l.env.Name, Verb: verb, Resource: resource, Scope: scopeOf(verb), Detail: detail}]
}

func scopeOf(verb string) string {
	if verb == "list" || verb == "watch" {
		return "cluster"
	}
	return "resource"
}

// failures lists every failure that was recorded, but for one that is the server's
// own: a kubelet may see a pod before the Node authorizer does, whose 403 it is answered
// until then.
func (l *load) failures() map[string]uint64 {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]uint64{}
	for k, w := range l.windows {
		for code, n := range w.Errors {
			out[k.Verb+" "+k.Resource+": "+code] += n
		}
	}
	if _, tells := l.windows[rundir.Key{Workload: l.env.Name, Verb: "patch", Resource: "pods/status", Scope: "resource"}]; tells {
		delete(out, "get pods: 403 unrelated")
	}
	return out
}

// startOf returns what was observed of pods' starts.
func (l *load) startOf(detail string) rundir.Window {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[rundir.Key{Workload: l.env.Name, Verb: "start", Resource: "pods", Scope: "resource", Via: fleet.ViaWatch, Detail: detail}]
}
