package workloads

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// EventChurn is the load of kubelets and controllers that report what they do:
// Events created, and some of them patched into a series as client-go's
// recorder does it when the same happens again, and, where it is asked for,
// somebody who lists them. In clusters that live, events are most of what etcd
// writes.
type EventChurn struct {
	OpenLoop   `yaml:",inline"`
	Namespaces int          `yaml:"namespaces" min:"1" max:"10000" doc:"namespaces to spread the events over; 1 by default"`
	Content    string       `yaml:"content" enum:"protobuf,json" doc:"encoding of the Events, in requests, in answers and in lists; protobuf by default. Patches are JSON"`
	Series     unit.Percent `yaml:"series" doc:"share of the requests that count an earlier event up instead of creating one; 20% by default"`
	Lists      unit.Percent `yaml:"lists" doc:"share of the requests that list the events of one of the namespaces, all in one answer and from the newest state; none by default"`
}

func newEventChurn() Workload {
	return &EventChurn{
		OpenLoop:   OpenLoop{InFlight: 1000, Timeout: unit.Duration(client.DefaultTimeout)},
		Namespaces: 1, Content: "protobuf", Series: .2,
	}
}

// Check implements Workload.
func (e *EventChurn) Check() []string {
	problems := append(e.check(), checkContent(e.Content)...)
	if e.Namespaces < 1 || e.Namespaces > 10_000 {
		problems = append(problems, fmt.Sprintf("namespaces: %d is not between 1 and 10000", e.Namespaces))
	}
	shares := []share{{"series", e.Series}, {"lists", e.Lists}}
	if problem := checkShares(shares); problem != "" {
		problems = append(problems, problem)
	} else if sum := sumOf(shares); sum > 1 {
		problems = append(problems, fmt.Sprintf("lists: with series: %s they are %s, above 100%%", e.Series, sum))
	}
	return problems
}

// Describe implements Workload.
func (e *EventChurn) Describe() string {
	where := "one namespace"
	if e.Namespaces > 1 {
		where = fmt.Sprintf("%d namespaces", e.Namespaces)
	}
	if e.Content == "json" {
		where += ", in JSON"
	}
	if e.Lists > 0 {
		return fmt.Sprintf("Writes and lists Events at %s in %s; %s of the requests count an earlier event up, and %s list all events of a namespace.",
			e.Rate.Phrase(), where, e.Series, e.Lists)
	}
	return fmt.Sprintf("Writes Events at %s in %s; %s of the writes count an earlier event up.",
		e.Rate.Phrase(), where, e.Series)
}

// Prepare implements Workload: it makes the namespaces.
func (e *EventChurn) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(e.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	return makeNamespaces(ctx, c, env, namespaces(env.Name, e.Namespaces))
}

// Run implements Workload.
func (e *EventChurn) Run(ctx context.Context, env *Env) error {
	c, err := env.client(e.Timeout)
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	of := func(verb, scope, detail string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: verb, Resource: "events", Scope: scope, Detail: detail})
	}
	ch := &churn{
		EventChurn: e, env: env, client: c, namespaces: namespaces(env.Name, e.Namespaces),
		create: of("create", "resource", ""), patch: of("patch", "resource", ""), list: of("list", "namespace", "unpaginated"),
		// The instant tells the names of one run of the load from another's.
		prefix: strconv.FormatInt(env.Clock.Now(), 36), content: contents[e.Content],
	}
	e.run(ctx, env, e.schedule(env.Seed), ch.slot, ch.draw)
	return nil
}

// churn is one run of the load.
type churn struct {
	*EventChurn
	env        *Env
	client     *client.Client
	namespaces []string
	create     *measure.Series
	patch      *measure.Series
	list       *measure.Series
	prefix     string
	content    string // type of what is written and asked for

	mu   sync.Mutex
	made [256]event // the events that were acknowledged last, a ring
	n    int
}

// event is one that the server has acknowledged.
type event struct {
	namespace, name string
	count           int32
}

// draw says what a slot is for, by its series; the seed alone decides.
func (c *churn) draw(slot pace.Slot) *measure.Series {
	switch u := rand.New(rand.NewPCG(uint64(c.env.Seed), slot.N)).Float64(); {
	case u < c.Series.Fraction():
		return c.patch
	case u < c.Series.Fraction()+c.Lists.Fraction():
		return c.list
	}
	return c.create
}

// slot makes one request. While there is no event to patch, it creates one.
func (c *churn) slot(ctx context.Context, slot pace.Slot) {
	namespace := c.namespaces[slot.N%uint64(len(c.namespaces))]
	switch c.draw(slot) {
	case c.list:
		lister := &lister{client: c.client, path: resources["events"].path(namespace), accept: c.content}
		lister.list(ctx).Record(c.list, slot.Intended)
		return
	case c.patch:
		if ev, ok := c.earlier(slot); ok {
			a := c.again(ctx, ev)
			a.Record(c.patch, slot.Intended)
			if a.Status == http.StatusNotFound { // it has expired: a recorder makes it anew, as the first of its series
				ev.count = 1
				c.write(ctx, ev, slot.N).Record(c.create, a.Done)
			}
			return
		}
	}
	ev := event{
		namespace: namespace,
		name:      fmt.Sprintf("load-%d.%s%x", slot.N%1000, c.prefix, slot.N),
		count:     1,
	}
	a := c.write(ctx, ev, slot.N)
	a.Record(c.create, slot.Intended)
	if a.OK() {
		c.mu.Lock()
		c.made[c.n%len(c.made)] = ev
		c.n++
		c.mu.Unlock()
	}
}

// earlier takes an acknowledged event and counts it up.
func (c *churn) earlier(slot pace.Slot) (event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		return event{}, false
	}
	ev := &c.made[slot.N%uint64(min(c.n, len(c.made)))]
	ev.count++
	return *ev, true
}

// what happens to pods, in the kubelet's and the scheduler's words.
var happenings = []struct{ kind, reason, component, message string }{
	{"Normal", "Scheduled", "default-scheduler", "Successfully assigned %s to storm-node"},
	{"Normal", "Pulled", "kubelet", "Container image \"registry.k8s.io/pause:3.10\" already present on machine and can be accessed by the pod %s"},
	{"Normal", "Created", "kubelet", "Container created in pod %s"},
	{"Normal", "Started", "kubelet", "Container started in pod %s"},
	{"Warning", "Unhealthy", "kubelet", "Readiness probe failed: Get \"http://10.0.0.1:8080/healthz\": context deadline exceeded (Client.Timeout exceeded while awaiting headers), pod %s"},
	{"Warning", "BackOff", "kubelet", "Back-off restarting failed container main in pod %s"},
}

// write creates the event.
func (c *churn) write(ctx context.Context, ev event, n uint64) client.Answer {
	what := happenings[n%uint64(len(happenings))]
	pod := ev.namespace + "/load-" + strconv.FormatUint(n%1000, 10)
	now := metav1.Now()
	body, err := client.EncodeAs(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: ev.name, Namespace: ev.namespace, Labels: map[string]string{RunLabel: c.env.RunID}},
		InvolvedObject: corev1.ObjectReference{
			Kind: "Pod", Namespace: ev.namespace, Name: pod[len(ev.namespace)+1:], APIVersion: "v1",
			UID: types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012x", n%1000)), FieldPath: "spec.containers{main}",
		},
		Reason: what.reason, Message: fmt.Sprintf(what.message, pod), Type: what.kind,
		Source:         corev1.EventSource{Component: what.component, Host: "storm-node"},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
		ReportingController: what.component,
	}, c.content)
	if err != nil {
		now := c.env.Clock.Now()
		return client.Answer{Sent: now, Done: now, Code: client.CodeLocal}
	}
	return c.client.Do(ctx, &client.Request{
		Method: http.MethodPost, Path: "/api/v1/namespaces/" + ev.namespace + "/events",
		Body: body, ContentType: c.content, Accept: c.content,
	}, nil, 0)
}

// again patches the event's count, as client-go's recorder does.
func (c *churn) again(ctx context.Context, ev event) client.Answer {
	body, _ := json.Marshal(struct {
		Count         int32     `json:"count"`
		LastTimestamp time.Time `json:"lastTimestamp"`
	}{ev.count, time.Now().UTC().Truncate(time.Second)}) // cannot fail
	return c.client.Do(ctx, &client.Request{
		Method: http.MethodPatch, Path: "/api/v1/namespaces/" + ev.namespace + "/events/" + ev.name,
		Body: body, ContentType: client.StrategicPatch, Accept: c.content,
	}, nil, 0)
}
