package workloads

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// List is the load of a controller that lists a resource again and again. The
// bodies are counted as they come over the wire, gzipped where the server does
// that, and never held.
type List struct {
	OpenLoop        `yaml:",inline"`
	Resource        string `yaml:"resource" required:"true" doc:"what to list: pods, nodes, events, deployments …, or resource.version.group"`
	Namespace       string `yaml:"namespace" doc:"the namespace to list; all of them by default"`
	LabelSelector   string `yaml:"labelSelector" doc:"only objects with these labels, such as app=web,tier!=cache"`
	FieldSelector   string `yaml:"fieldSelector" doc:"only objects with these fields, such as spec.nodeName=node-1"`
	Unpaginated     *bool  `yaml:"unpaginated" doc:"whether to ask for everything in one answer; true unless a limit is given"`
	Limit           int    `yaml:"limit" min:"1" max:"100000" doc:"objects a page; a list then follows the pages to the end"`
	ResourceVersion string `yaml:"resourceVersion" enum:",0,current" doc:"0 to be content with whatever the watch cache holds; current for the newest version that the load knows, which it asks for once a second; empty for the newest state"`
	Match           string `yaml:"match" enum:"exact,notOlderThan" doc:"how resourceVersion is meant: exact for the state at just that version, notOlderThan for any from there on"`
	Content         string `yaml:"content" enum:"protobuf,json,table" doc:"form of the answer: protobuf (JSON for custom resources, which have no other), json, or the table that kubectl get prints; protobuf by default"`
	Parallel        int    `yaml:"parallel" min:"1" max:"1000" doc:"lists that start at each instant, rate times a second; 1 by default"`

	version newest // what "current" is
}

// The values of resourceVersion and match.
const (
	versionCurrent    = "current"
	matchExact        = "exact"
	matchNotOlderThan = "notOlderThan"
)

// matches are the values of match as the API has them.
var matches = map[string]string{matchExact: "Exact", matchNotOlderThan: "NotOlderThan"}

// accepts are the media types that the values of content ask for. Protobuf
// takes JSON for what has no Protobuf: custom resources.
var accepts = map[string]string{
	"protobuf": client.Protobuf + "," + client.JSON,
	"json":     client.JSON,
	"table":    client.JSON + ";as=Table;v=v1;g=meta.k8s.io",
}

// defaultLimit is the page size of kubectl and of client-go's pager.
const defaultLimit = 500

func newList() Workload {
	return &List{OpenLoop: OpenLoop{InFlight: 100, Timeout: unit.Duration(client.DefaultTimeout)}, Content: "protobuf", Parallel: 1}
}

// Check implements Workload.
func (l *List) Check() []string {
	problems := append(l.check(), checkCollection(l.Resource, l.Namespace, l.LabelSelector, l.FieldSelector)...)
	if l.Limit < 0 {
		problems = append(problems, "limit: must be 1 or more")
	}
	if l.Limit > 0 && l.Unpaginated != nil && *l.Unpaginated {
		problems = append(problems, "limit: contradicts unpaginated: true")
	}
	problems = append(problems, l.checkVersion()...)
	if accepts[l.Content] == "" {
		problems = append(problems, fmt.Sprintf("content: %q is not one of protobuf, json, table", l.Content))
	}
	if l.Parallel < 1 || l.Parallel > 1000 {
		problems = append(problems, fmt.Sprintf("parallel: %d is not between 1 and 1000", l.Parallel))
	}
	if n := l.Rate.Peak().PerSecond() * float64(l.Parallel); len(problems) == 0 && n > maxRate {
		problems = append(problems, fmt.Sprintf("rate: %d at each instant, %s, are %.0f lists a second, above the limit of %s", l.Parallel, l.Rate.Peak(), n, unit.Rate(maxRate)))
	}
	if len(problems) == 0 && l.Parallel > l.InFlight {
		problems = append(problems, fmt.Sprintf("parallel: %d lists at each instant are more than the limit of %d in flight: raise inFlight", l.Parallel, l.InFlight))
	}
	return problems
}

// checkVersion holds the combinations to those that the API server takes
// (k8s.io/apimachinery, meta/internalversion/validation).
func (l *List) checkVersion() []string {
	var problems []string
	switch l.ResourceVersion {
	case "":
		if l.Match != "" {
			problems = append(problems, "match: says nothing without a resourceVersion")
		}
	case "0":
		if l.limit() > 0 {
			problems = append(problems, "resourceVersion: at 0 the API server ignores a limit, so the list cannot be paginated")
		}
		if l.Match == matchExact {
			problems = append(problems, "match: the API server refuses exact at resourceVersion 0")
		}
	case versionCurrent:
		if l.Match == "" {
			problems = append(problems, "match: say how resourceVersion: current is meant, exact or notOlderThan")
		}
	default:
		problems = append(problems, fmt.Sprintf("resourceVersion: %q is not one of 0, current, nor empty", l.ResourceVersion))
	}
	if l.Match != "" && matches[l.Match] == "" {
		problems = append(problems, fmt.Sprintf("match: %q is not one of exact, notOlderThan", l.Match))
	}
	return problems
}

// checkCollection returns what is wrong with the fields that say what is read.
func checkCollection(name, namespace, labelSelector, fieldSelector string) []string {
	var problems []string
	r, err := findResource(name)
	if err != nil {
		problems = append(problems, "resource: "+err.Error())
	}
	if namespace != "" {
		if err == nil && !r.namespaced {
			problems = append(problems, fmt.Sprintf("namespace: %s are in no namespace", name))
		}
		if len(content.IsDNS1123Label(namespace)) > 0 {
			problems = append(problems, fmt.Sprintf("namespace: %q is not a name of one", namespace))
		}
	}
	if _, err := labels.Parse(labelSelector); err != nil {
		problems = append(problems, fmt.Sprintf("labelSelector: %q does not parse: %v", labelSelector, err))
	}
	if _, err := fields.ParseSelector(fieldSelector); err != nil {
		problems = append(problems, fmt.Sprintf("fieldSelector: %q does not parse: %v", fieldSelector, err))
	}
	return problems
}

// selectors returns the query of selectors.
func selectors(labelSelector, fieldSelector string) url.Values {
	q := url.Values{}
	if labelSelector != "" {
		q.Set("labelSelector", labelSelector)
	}
	if fieldSelector != "" {
		q.Set("fieldSelector", fieldSelector)
	}
	return q
}

// where says in words what is read.
func where(name, namespace, labelSelector, fieldSelector string) string {
	s := "in all namespaces"
	if r, err := findResource(name); err == nil && !r.namespaced {
		s = "of the cluster"
	}
	if namespace != "" {
		s = "in namespace " + namespace
	}
	if both := strings.Trim(labelSelector+","+fieldSelector, ","); both != "" {
		s += " with " + both
	}
	return s
}

// scopeIn is the scope of a collection, as the API server's metrics name it: what is
// selected by its name is one resource.
func scopeIn(namespace, fieldSelector string) string {
	if f, err := fields.ParseSelector(fieldSelector); err == nil {
		if _, named := f.RequiresExactMatch("metadata.name"); named {
			return "resource"
		}
	}
	if namespace != "" {
		return "namespace"
	}
	return "cluster"
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
	parts := []string{"unpaginated"}
	switch {
	case l.limit() > 0:
		parts[0] = "paginated"
	case l.ResourceVersion == "0":
		parts[0] = "rv0"
	}
	if l.ResourceVersion == versionCurrent {
		parts = append(parts, l.Match)
	}
	if l.LabelSelector != "" || l.FieldSelector != "" {
		parts = append(parts, "selected")
	}
	if l.Content == "table" {
		parts = append(parts, "table")
	}
	return strings.Join(parts, "-")
}

// Describe implements Workload.
func (l *List) Describe() string {
	how, state := "in one answer", ""
	if l.limit() > 0 {
		how = fmt.Sprintf("in pages of %d", l.limit())
	}
	switch {
	case l.ResourceVersion == "0":
		state = ", from the watch cache as it is"
	case l.ResourceVersion == versionCurrent && l.Match == matchExact:
		state = ", exactly at the newest version that the load knows"
	case l.ResourceVersion == versionCurrent:
		state = ", from the watch cache once it is as new as the load knows"
	case l.limit() == 0:
		state = ", from the newest state"
	}
	switch l.Content {
	case "json":
		state += ", in JSON"
	case "table":
		state += ", as a table"
	}
	many := ""
	if l.Parallel > 1 {
		many = fmt.Sprintf(", %d at once", l.Parallel)
	}
	return fmt.Sprintf("Lists all %s %s at %s%s, %s%s.",
		l.Resource, where(l.Resource, l.Namespace, l.LabelSelector, l.FieldSelector), l.Rate.Phrase(), many, how, state)
}

// Prepare implements Workload. It asks for one object: the answer tells whether
// the server knows the resource and the selectors' fields, and the version to
// begin with.
func (l *List) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(l.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	lister, err := l.lister(c)
	if err != nil {
		return err
	}
	if err := lister.first(ctx); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	return nil
}

func (l *List) lister(c *client.Client) (*lister, error) {
	r, err := findResource(l.Resource)
	if err != nil {
		return nil, err
	}
	return &lister{
		client: c, path: r.path(l.Namespace), selectors: selectors(l.LabelSelector, l.FieldSelector),
		accept: accepts[l.Content], limit: l.limit(), fixed: l.ResourceVersion, match: matches[l.Match], newest: &l.version,
	}, nil
}

// Run implements Workload.
func (l *List) Run(ctx context.Context, env *Env) error {
	c, err := env.client(l.Timeout)
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	lister, err := l.lister(c)
	if err != nil {
		return err
	}
	r, err := findResource(l.Resource)
	if err != nil {
		return err
	}
	series := func(detail string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: "list", Resource: r.String(), Scope: scopeIn(l.Namespace, l.FieldSelector), Detail: detail})
	}
	if l.ResourceVersion == versionCurrent {
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			l.keepCurrent(ctx, env, lister, series("version"))
		}()
	}
	lists := series(l.detail())
	l.run(ctx, env, pace.Batch(l.schedule(env.Seed), l.Parallel), func(ctx context.Context, slot pace.Slot) {
		lister.list(ctx).Record(lists, slot.Intended)
	}, func(pace.Slot) *measure.Series { return lists })
	return nil
}

// keepCurrent asks once a second for the newest version, by a list of one
// object: lists at a version do not tell of a newer one.
func (l *List) keepCurrent(ctx context.Context, env *Env, lister *lister, series *measure.Series) {
	p := pace.Pacer{Clock: env.Clock, Schedule: pace.Constant(1), InFlight: 10}
	p.Run(ctx, func(ctx context.Context, slot pace.Slot) {
		lister.one(ctx).Record(series, slot.Intended)
	}, func(slot pace.Slot) {
		series.Record(slot.Intended, slot.Intended, slot.Intended, measure.CodeRefused, 0)
	})
}
