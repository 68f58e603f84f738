package workloads

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// List is the load of a controller that lists a resource again and again. The
// bodies are counted as they come over the wire, gzipped where the server does
// that, and never held.
type List struct {
	OpenLoop        `yaml:",inline"`
	Resource        string `yaml:"resource" required:"true" doc:"what to list: pods, nodes, events, deployments …, or resource.version.group"`
	Namespace       string `yaml:"namespace" doc:"the namespace to list; all of them by default"`
	Unpaginated     *bool  `yaml:"unpaginated" doc:"whether to ask for everything in one answer; true unless a limit is given"`
	Limit           int    `yaml:"limit" min:"1" max:"100000" doc:"objects a page; a list then follows the pages to the end"`
	ResourceVersion string `yaml:"resourceVersion" enum:",0" doc:"0 to be content with whatever the watch cache holds; empty for the newest state"`
	Parallel        int    `yaml:"parallel" min:"1" max:"1000" doc:"lists that start at each instant, rate times a second; 1 by default"`
}

// defaultLimit is the page size of kubectl and of client-go's pager.
const defaultLimit = 500

func newList() Workload {
	return &List{OpenLoop: OpenLoop{InFlight: 100, Timeout: unit.Duration(client.DefaultTimeout)}, Parallel: 1}
}

// Check implements Workload.
func (l *List) Check() []string {
	problems := l.check()
	r, err := findResource(l.Resource)
	if err != nil {
		problems = append(problems, "resource: "+err.Error())
	}
	if l.Namespace != "" {
		if err == nil && !r.namespaced {
			problems = append(problems, fmt.Sprintf("namespace: %s are in no namespace", l.Resource))
		}
		if len(content.IsDNS1123Label(l.Namespace)) > 0 {
			problems = append(problems, fmt.Sprintf("namespace: %q is not a name of one", l.Namespace))
		}
	}
	if l.Limit < 0 {
		problems = append(problems, "limit: must be 1 or more")
	}
	if l.Limit > 0 && l.Unpaginated != nil && *l.Unpaginated {
		problems = append(problems, "limit: contradicts unpaginated: true")
	}
	switch l.ResourceVersion {
	case "":
	case "0":
		if l.limit() > 0 {
			problems = append(problems, "resourceVersion: at 0 the API server ignores a limit, so the list cannot be paginated")
		}
	default:
		problems = append(problems, fmt.Sprintf("resourceVersion: %q is neither empty nor 0", l.ResourceVersion))
	}
	if l.Parallel < 1 || l.Parallel > 1000 {
		problems = append(problems, fmt.Sprintf("parallel: %d is not between 1 and 1000", l.Parallel))
	}
	return problems
}

// limit is the page size; 0 for everything at once.
func (l *List) limit() int {
	if l.Limit == 0 && l.Unpaginated != nil && !*l.Unpaginated {
		return defaultLimit
	}
	return l.Limit
}

// detail is how the series is told from other lists of the same resource.
func (l *List) detail() string {
	switch {
	case l.limit() > 0:
		return "paginated"
	case l.ResourceVersion == "0":
		return "rv0"
	}
	return "unpaginated"
}

// Describe implements Workload.
func (l *List) Describe() string {
	where, how := "in all namespaces", "in one answer, from the newest state"
	if r, err := findResource(l.Resource); err == nil && !r.namespaced {
		where = "of the cluster"
	}
	if l.Namespace != "" {
		where = "in namespace " + l.Namespace
	}
	switch l.detail() {
	case "paginated":
		how = fmt.Sprintf("in pages of %d", l.limit())
	case "rv0":
		how = "in one answer, from the watch cache as it is"
	}
	many := ""
	if l.Parallel > 1 {
		many = fmt.Sprintf(", %d at once", l.Parallel)
	}
	return fmt.Sprintf("Lists all %s %s at %s%s, %s.", l.Resource, where, l.Rate.Phrase(), many, how)
}

// Prepare implements Workload: a list needs nothing.
func (l *List) Prepare(context.Context, *Env) error { return nil }

// Run implements Workload.
func (l *List) Run(ctx context.Context, env *Env) error {
	r, err := findResource(l.Resource)
	if err != nil {
		return err
	}
	c, err := env.client(l.Timeout)
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	scope := "cluster"
	if l.Namespace != "" {
		scope = "namespace"
	}
	series := env.Recorder.Series(rundir.Key{
		Workload: env.Name, Verb: "list", Resource: r.String(), Scope: scope, Detail: l.detail(),
	})
	lister := &lister{client: c, path: r.path(l.Namespace), query: url.Values{}, paginated: l.limit() > 0}
	if l.ResourceVersion != "" {
		lister.query.Set("resourceVersion", l.ResourceVersion)
	}
	if lister.paginated {
		lister.query.Set("limit", strconv.Itoa(l.limit()))
	}
	l.run(ctx, env, pace.Batch(l.schedule(env.Seed), l.Parallel), func(ctx context.Context, slot pace.Slot) {
		lister.list(ctx).Record(series, slot.Intended)
	}, func(pace.Slot) *measure.Series { return series })
	return nil
}

// lister makes one list after another.
type lister struct {
	client    *client.Client
	path      string
	query     url.Values
	paginated bool
}

// accept takes JSON for what has no Protobuf: custom resources.
const accept = client.Protobuf + "," + client.JSON

var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// list makes one whole list. With pages, the answer covers all of them, from
// the sending of the first to the end of the last, and ends at one that failed.
func (l *lister) list(ctx context.Context) client.Answer {
	req := &client.Request{Method: http.MethodGet, Path: l.path, Query: l.query.Encode(), Accept: accept, Gzip: true}
	if !l.paginated {
		return l.client.Do(ctx, req, nil, 0)
	}
	head := heads.Get().(*bytes.Buffer)
	defer heads.Put(head)
	var whole client.Answer
	for page := 0; ; page++ {
		head.Reset()
		a := l.client.Do(ctx, req, head, lean.HeadSize)
		if page > 0 {
			a.Sent, a.Bytes = whole.Sent, a.Bytes+whole.Bytes
		}
		whole = a
		if !a.OK() {
			return whole
		}
		meta, err := lean.HeadOf(head.Bytes())
		if err != nil {
			whole.Code = client.CodeMalformed
			return whole
		}
		if meta.Continue == "" {
			return whole
		}
		q := url.Values{"continue": {meta.Continue}}
		for k, v := range l.query {
			q[k] = v
		}
		req.Query = q.Encode()
	}
}
