package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// The namespaces of what storm itself writes.
const (
	probeNamespace   = "storm-probe"
	witnessNamespace = "storm-witness"
)

// eyes is everything that observes one trial.
type eyes struct {
	clock    *measure.Clock
	wall     *measure.ClockWatch
	marks    *measure.Marks
	recorder *measure.Recorder
	health   *measure.GeneratorHealth
	probes   *measure.Probes
	journal  *measure.Journal

	scraper   *measure.Scraper
	processes *measure.ProcessSampler

	looks []func(context.Context) error // what looks on
	asks  []func(context.Context) error // what asks the cluster for something
	ctx   context.Context
	wg    sync.WaitGroup
	stop  context.CancelFunc

	mu   sync.Mutex
	errs []error
}

// openEyes makes the observers of a trial; begin sets them to work.
func (t *trial) openEyes() (*eyes, error) {
	dir, access, m := t.dir, t.run.cluster.Access(), t.spec.Measure
	e := &eyes{clock: measure.NewClock()}
	e.wall = measure.NewClockWatch(e.clock)
	e.marks = measure.NewMarks(e.clock, dir.AppendEvent)
	e.recorder = measure.NewRecorder(e.clock, t.window)
	e.health = measure.NewGeneratorHealth(e.recorder, measure.Bounds{})

	members, apis := targets(t.run.cluster)
	var err error
	e.probes, err = measure.NewProbes(measure.ProbeOptions{
		Clock: e.clock, Recorder: e.recorder, Sink: dir.AppendProbe, RunID: t.run.o.RunID,
		Etcd: members, EtcdReadOnly: access.EtcdReadOnly, API: apis, Namespace: probeNamespace,
		Interval: m.Probes.Interval.D(), NearInterval: m.Probes.NearFault.D(), Deadline: m.Probes.Deadline.D(), N: m.Probes.Consecutive,
	})
	if err != nil {
		return nil, err
	}
	witnessed := members
	if access.EtcdReadOnly {
		witnessed = nil
	}
	e.journal, err = measure.NewJournal(measure.JournalOptions{
		Clock: e.clock, Recorder: e.recorder, Sink: dir.AppendWrite, RunID: t.run.o.RunID,
		Etcd: witnessed, API: apis, Namespace: witnessNamespace, APIShard: t.spec.Cluster.Holder("/configmaps"),
		Rate: m.Witness.Rate.PerSecond(),
	})
	if err != nil {
		return nil, err
	}
	leaders, err := measure.NewLeaderWatch(e.clock, e.marks, 0, members)
	if err != nil {
		return nil, err
	}
	scrapes, err := scrapeTargets(t.run.cluster, access.REST)
	if err != nil {
		return nil, err
	}
	e.scraper = measure.NewScraper(e.clock, dir.AppendScrape, 0, scrapes)
	e.processes = measure.NewProcessSampler(e.clock, dir.AppendProcess, 0, t.pids)
	e.looks = []func(context.Context) error{e.wall.Run, e.health.Run, leaders.Run, e.scraper.Run, e.processes.Run}
	e.asks = []func(context.Context) error{e.probes.Run, e.journal.Run}
	return e, nil
}

// baseline records what the cluster is like before anything is asked of it:
// what a load costs counts from there. The mark divides the two.
func (e *eyes) baseline(ctx context.Context) {
	e.scraper.Baseline(ctx)
	e.processes.Sample()
	e.marks.Mark(rundir.Event{Kind: rundir.EventLoadBegin, Text: "every component was scraped; the loads are prepared from here on"})
}

// begin sets those who look on to work until end. Probes and the witness begin
// with the timeline: of what is prepared nothing is judged, and on a small
// machine their writes would be half of all there are.
func (e *eyes) begin(ctx context.Context) {
	e.ctx, e.stop = context.WithCancel(ctx)
	e.set(e.looks)
}

// ask sets the probes and the witness to work until end.
func (e *eyes) ask() { e.set(e.asks) }

func (e *eyes) set(work []func(context.Context) error) {
	for _, run := range work {
		e.wg.Go(func() {
			if err := run(e.ctx); err != nil && e.ctx.Err() == nil {
				e.mu.Lock()
				defer e.mu.Unlock()
				e.errs = append(e.errs, err)
			}
		})
	}
}

// end stops the observers and returns what went wrong with them.
func (e *eyes) end() []error {
	e.stop()
	e.wg.Wait()
	e.journal.Close()
	e.recorder.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.errs
}

// act marks what becomes of an act, and tells the probes when it strikes.
func (e *eyes) act(ev rundir.Event) {
	if ev.Kind == rundir.EventActIntended || ev.Kind == rundir.EventActHealing {
		e.probes.Struck()
	}
	e.marks.Mark(ev)
}

// near turns the fine observation on or off: from just before a fault until
// what it disturbed has recovered.
func (e *eyes) near(on bool) { e.probes.Near(on) }

// targets are the members and apiservers of a cluster, to be observed.
func targets(c clusters.Cluster) (members []measure.EtcdTarget, apis []measure.APITarget) {
	access := c.Access()
	for _, m := range clusters.OfKind(c, clusters.KindEtcd, "") {
		members = append(members, measure.EtcdTarget{
			Component: m.ID().String(), Shard: m.ID().Shard, Endpoint: m.Endpoints().Client, TLS: access.EtcdTLS,
		})
	}
	for _, a := range clusters.OfKind(c, clusters.KindAPIServer, "") {
		config := rest.CopyConfig(access.REST)
		config.Host = a.Endpoints().Client
		apis = append(apis, measure.APITarget{Component: a.ID().String(), REST: config})
	}
	return members, apis
}

// scrapeTargets are the components with metrics. Those of etcd take etcd's
// client certificate, all others the admin's.
func scrapeTargets(c clusters.Cluster, admin *rest.Config) ([]measure.ScrapeTarget, error) {
	adminTLS, err := rest.TLSConfigFor(admin)
	if err != nil {
		return nil, fmt.Errorf("scrapes: %w", err)
	}
	var out []measure.ScrapeTarget
	for _, comp := range c.Components() {
		t := measure.ScrapeTarget{Component: comp.ID().String(), URL: comp.Endpoints().Metrics, TLS: adminTLS, Auth: admin}
		if comp.ID().Kind == clusters.KindEtcd {
			t.TLS, t.Auth = c.Access().EtcdTLS, nil
		}
		if t.URL != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

// namespaces makes the namespaces of the probes and the witness.
func (t *trial) namespaces(ctx context.Context) error {
	config := rest.CopyConfig(t.run.cluster.Access().REST)
	config.Timeout = 30 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, name := range []string{probeNamespace, witnessNamespace} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{remains.RunLabel: t.run.o.RunID}}}
		if _, err := client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	return nil
}

// pids are the components' processes now.
func (t *trial) pids() map[string]int {
	out := map[string]int{}
	for _, c := range t.run.cluster.Components() {
		if st := c.State(); st.Running {
			out[c.ID().String()] = st.PID
		}
	}
	return out
}
