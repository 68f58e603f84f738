package workloads

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// Deployments is the load of teams that deploy: Deployments that are scaled,
// rolled out anew, and deleted and made again, so that the controllers and the
// scheduler have work. Their pods run on whatever nodes there are.
type Deployments struct {
	Count    int           `yaml:"count" required:"true" min:"1" max:"100000" doc:"how many deployments"`
	Replicas int           `yaml:"replicas" min:"0" max:"10000" doc:"replicas of each; 10 by default"`
	Churn    unit.Schedule `yaml:"churn" required:"true" doc:"changes a second, as a rate or a schedule: one in two scales a deployment, one in four rolls it out anew, one in four deletes it and makes it again"`
	Arrivals string        `yaml:"arrivals" enum:"constant,poisson" doc:"whether changes come evenly or at random with that rate on average; constant by default"`
	Pausing  `yaml:",inline"`
	InFlight int           `yaml:"inFlight" min:"1" max:"100000" doc:"changes that may be in flight at once; beyond it one is refused at its intended time and counts as failed"`
	Timeout  unit.Duration `yaml:"timeout" min:"1ms" doc:"deadline of a request, 10s by default"`
}

func newDeployments() Workload {
	return &Deployments{Replicas: 10, InFlight: 100, Timeout: unit.Duration(client.DefaultTimeout)}
}

func (d *Deployments) loop() OpenLoop {
	return OpenLoop{Rate: d.Churn, Arrivals: d.Arrivals, InFlight: d.InFlight, Timeout: d.Timeout}
}

// Sockets implements Connected.
func (d *Deployments) Sockets() uint64 { return d.loop().Sockets() }

// maxDeployments and maxReplicas are beyond what a control plane is known to bear.
const (
	maxDeployments = 100_000
	maxReplicas    = 10_000
)

// Check implements Workload.
func (d *Deployments) Check() []string {
	var problems []string
	if d.Count < 1 || d.Count > maxDeployments {
		problems = append(problems, fmt.Sprintf("count: %d is not between 1 and %d", d.Count, maxDeployments))
	}
	if d.Replicas < 0 || d.Replicas > maxReplicas {
		problems = append(problems, fmt.Sprintf("replicas: %d is not between 0 and %d", d.Replicas, maxReplicas))
	}
	return append(append(problems, checkRate("churn", d.Churn)...), d.loop().checkBounds()...)
}

// Describe implements Workload.
func (d *Deployments) Describe() string {
	return fmt.Sprintf("%s of %s, changed at %s: scaled, rolled out anew, or deleted and made again.",
		unit.Count(d.Count, "deployment"), unit.Count(d.Replicas, "replica"), d.Churn.Phrase())
}

// Prepare implements Workload: it makes the deployments, and does not wait for
// their pods, because those may need nodes that another load simulates.
func (d *Deployments) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(d.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	names := namespaces(env.Name, 1)
	if err := makeNamespaces(ctx, c, env, names); err != nil {
		return err
	}
	return fill(ctx, env, fillers, d.Count, "deployment", func(ctx context.Context, i int) error {
		req, err := createDeployment(env, names[0], i, d.Replicas, d.Pausing)
		if err != nil {
			return err
		}
		return insist(ctx, c, req)
	})
}

// Run implements Workload.
func (d *Deployments) Run(ctx context.Context, env *Env) error {
	c, err := env.client(d.Timeout)
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	of := func(verb, detail string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: verb, Resource: "deployments.apps", Scope: "resource", Detail: detail})
	}
	ch := &changes{
		Deployments: d, env: env, client: c, namespace: namespaces(env.Name, 1)[0],
		scale: of("patch", "scale"), roll: of("patch", "roll"), remove: of("delete", ""), create: of("create", ""),
		busy: make([]sync.Mutex, d.Count),
	}
	loop := d.loop()
	loop.run(ctx, env, loop.schedule(env.Seed), ch.slot, func(s pace.Slot) *measure.Series {
		return ch.draw(s).series
	})
	return nil
}

// changes is one run of the load.
type changes struct {
	*Deployments
	env       *Env
	client    *client.Client
	namespace string

	scale, roll, remove, create *measure.Series
	// busy keeps two changes of one deployment from being in flight at once.
	busy []sync.Mutex
}

// change is what one slot does.
type change struct {
	series   *measure.Series
	index    int
	replicas int
}

// draw returns what a slot does; the seed alone decides. Scaling goes to
// anything from half to one and a half of the replicas.
func (c *changes) draw(slot pace.Slot) change {
	rng := rand.New(rand.NewPCG(uint64(c.env.Seed), slot.N))
	ch := change{index: rng.IntN(c.Count), replicas: c.Replicas - c.Replicas/2 + rng.IntN(c.Replicas+1)}
	ch.series = [...]*measure.Series{c.scale, c.scale, c.roll, c.remove}[rng.IntN(4)]
	return ch
}

// take takes a deployment; how long its last change has kept it is no lateness of
// storm's, as the context that is returned says.
func (c *changes) take(ctx context.Context, index int) context.Context {
	if c.busy[index].TryLock() {
		return ctx
	}
	begun := c.env.Clock.Now()
	c.busy[index].Lock()
	return measure.Held(ctx, c.env.Clock.Now()-begun)
}

// slot makes one change.
func (c *changes) slot(ctx context.Context, slot pace.Slot) {
	ch := c.draw(slot)
	ctx = c.take(ctx, ch.index)
	defer c.busy[ch.index].Unlock()
	path := deploymentsPath(c.namespace) + "/" + deploymentName(ch.index)
	patch := func(v any) client.Answer {
		body, _ := json.Marshal(v) // maps of texts and numbers cannot fail
		return c.client.Do(ctx, &client.Request{Method: http.MethodPatch, Path: path, Body: body, ContentType: client.MergePatch}, nil, 0)
	}
	type object = map[string]any
	switch ch.series {
	case c.scale:
		c.found(ctx, patch(object{"spec": object{"replicas": ch.replicas}}), ch, slot.Intended)
	case c.roll:
		revision := strconv.FormatUint(slot.N, 10)
		c.found(ctx, patch(object{"spec": object{"template": object{"metadata": object{"annotations": object{"storm.dev/revision": revision}}}}}), ch, slot.Intended)
	default:
		c.again(ctx, path, ch.index, slot.Intended)
	}
}

// found counts the change of a deployment. One that is gone, because a deletion was
// done whose answer was lost, or a creation failed, is made again: its changes would
// fail for as long as no deletion is drawn for it.
func (c *changes) found(ctx context.Context, a client.Answer, ch change, intended int64) {
	a.Record(ch.series, intended)
	if a.Status == http.StatusNotFound {
		c.make(ctx, ch.index, a.Done)
	}
}

// again deletes a deployment and makes it again. The creation is intended for
// the moment at which the deletion is done.
func (c *changes) again(ctx context.Context, path string, index int, intended int64) {
	body, _ := json.Marshal(map[string]string{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}) // cannot fail
	deleted := c.client.Do(ctx, &client.Request{Method: http.MethodDelete, Path: path, Body: body, ContentType: client.JSON}, nil, 0)
	deleted.Record(c.remove, intended)
	// Where the deletion failed the deployment may still be there; the answer
	// to a creation would only say that, so there is none, except where an
	// earlier creation failed and it is known to be gone.
	if !deleted.OK() && deleted.Status != http.StatusNotFound {
		return
	}
	c.make(ctx, index, deleted.Done)
}

// make makes a deployment.
func (c *changes) make(ctx context.Context, index int, intended int64) {
	req, err := createDeployment(c.env, c.namespace, index, c.Replicas, c.Pausing)
	if err != nil {
		c.env.Log.Error("encode a deployment", "error", err)
		return
	}
	c.client.Do(ctx, req, nil, 0).Record(c.create, intended)
}

func deploymentsPath(namespace string) string {
	return "/apis/apps/v1/namespaces/" + namespace + "/deployments"
}

func deploymentName(i int) string { return "load-" + strconv.Itoa(i) }

// createDeployment returns the request that makes one.
func createDeployment(env *Env, namespace string, i, replicas int, pods Pausing) (*client.Request, error) {
	count := int32(replicas)
	labels := map[string]string{"app": deploymentName(i), RunLabel: env.RunID}
	body, err := client.Encode(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: deploymentName(i), Namespace: namespace, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &count,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": deploymentName(i)}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       confine(env, pods.pod()),
			},
		},
	})
	return &client.Request{Method: http.MethodPost, Path: deploymentsPath(namespace), Body: body, ContentType: client.Protobuf}, err
}

// Pausing is what pods are like that do nothing.
type Pausing struct {
	Token bool `yaml:"token" doc:"whether the pods have what the API server gives a pod that does not refuse it: a token of their service account, and the ConfigMap kube-root-ca.crt, for both of which their kubelets ask; they refuse it by default"`
}

// pod is one as small as they come: one container that does nothing.
func (p Pausing) pod() corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken: &p.Token,
		Containers: []corev1.Container{{
			Name: "main", Image: "registry.k8s.io/pause:3.10",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: quantity.MustParse("10m"), corev1.ResourceMemory: quantity.MustParse("16Mi"),
			}},
		}},
	}
}
