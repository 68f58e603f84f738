package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// server is the name of the API server among the processes.
var server = clusters.ID{Kind: clusters.KindAPIServer}.String()

// plane is a fresh control plane: one etcd, one API server and, unless they are to
// be alone, a controller manager and a scheduler.
type plane struct {
	*local.Cluster
	admin *client.Client
}

// with starts a control plane, lends it and takes it down.
func (b *bench) with(ctx context.Context, use func(context.Context, *plane) error) (err error) {
	name := fmt.Sprintf("bench-%d-%d", os.Getpid(), time.Now().UnixNano())
	book, err := ledger.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Finish()) }()
	b.say("starting a control plane")
	var spec clusters.Spec
	asked := &spec.Kubernetes.APIServer
	asked.Env, asked.Flags = b.env, maps.Clone(b.flags)
	if b.alone {
		spec.Kubernetes.ControllerManager.Replicas, spec.Kubernetes.Scheduler.Replicas = new(int), new(int)
	}
	if b.profile != "" { // what the servers do with their time is to be had too
		asked.Flags["profiling"] = "true"
	}
	c, err := local.Up(ctx, local.Options{
		Spec: spec, Dir: filepath.Join(b.dir, name), LogDir: filepath.Join(b.dir, name+"-logs"), Store: b.store, Ledger: book,
	})
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		err = errors.Join(err, c.Close(end))
	}()
	admin, err := client.New(c.Access().REST, measure.NewClock(), time.Minute)
	if err != nil {
		return err
	}
	defer admin.Close()
	return use(ctx, &plane{Cluster: c, admin: admin})
}

// count is what the API server itself counts: the sum of a metric's samples
// with these labels.
type count func(name string, labels map[string]string) float64

// metrics reads the API server's metrics.
func (p *plane) metrics(ctx context.Context) (count, error) {
	var body bytes.Buffer
	req := &client.Request{Method: http.MethodGet, Path: "/metrics", Accept: "text/plain", Plain: true}
	if a := p.admin.Do(ctx, req, &body, 1<<30); !a.OK() {
		return nil, fmt.Errorf("the API server's metrics: %s", a.Code)
	}
	return counted(&body)
}

// counted reads metrics as a server writes them.
func counted(text io.Reader) (count, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("the API server's metrics: %w", err)
	}
	return func(name string, labels map[string]string) float64 {
		sum := 0.0
		for _, m := range families[name].GetMetric() {
			matched := 0
			for _, l := range m.GetLabel() {
				if want, ok := labels[l.GetName()]; ok && want == l.GetValue() {
					matched++
				}
			}
			if matched == len(labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		return sum
	}, nil
}

// watches is how many watches the API server has open.
func (c count) watches() float64 {
	return c("apiserver_longrunning_requests", map[string]string{"verb": "WATCH"})
}

// renewals is how many leases it has had renewed, those of the control plane's
// own components among them: about one a second.
func (c count) renewals() float64 {
	return c("apiserver_request_total", map[string]string{"resource": "leases", "verb": "PUT", "code": "200"})
}
