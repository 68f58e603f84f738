package workloads

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// NamespaceChurn is the load of test and preview environments: namespaces made
// at a rate with some objects in each, and deleted again after a while, which
// the namespace controller then empties kind by kind. What is there at the end
// of the load stays until the cluster is reset.
type NamespaceChurn struct {
	OpenLoop   `yaml:",inline"`
	Life       unit.Durations `yaml:"life" doc:"how long after its intended creation a namespace is deleted; 10s by default"`
	ConfigMaps int            `yaml:"configMaps" min:"0" max:"1000" doc:"ConfigMaps made in each; 1 by default, beside the one that every namespace gets"`
	Secrets    int            `yaml:"secrets" min:"0" max:"1000" doc:"Secrets made in each; 1 by default"`
	Size       unit.Sizes     `yaml:"size" doc:"bytes in each of these; 1KiB by default"`

	eye    *eye // opened by Prepare, closed by Run or Release
	client *client.Client
}

func newNamespaceChurn() Workload {
	return &NamespaceChurn{
		OpenLoop: OpenLoop{InFlight: 1000, Timeout: unit.Duration(client.DefaultTimeout)},
		Life:     unit.OneDuration(10 * time.Second), ConfigMaps: 1, Secrets: 1, Size: unit.OneSize(1 << 10),
	}
}

// Limits of a namespace's content: a number that is beyond reason, and the data
// that the API takes in one ConfigMap or Secret (corev1.MaxSecretSize).
const (
	maxInNamespace = 1000
	maxData        = corev1.MaxSecretSize
)

// Check implements Workload.
func (n *NamespaceChurn) Check() []string {
	problems := n.check()
	if n.ConfigMaps < 0 || n.ConfigMaps > maxInNamespace {
		problems = append(problems, fmt.Sprintf("configMaps: %d is not between 0 and %d", n.ConfigMaps, maxInNamespace))
	}
	if n.Secrets < 0 || n.Secrets > maxInNamespace {
		problems = append(problems, fmt.Sprintf("secrets: %d is not between 0 and %d", n.Secrets, maxInNamespace))
	}
	if n.Size.Most() > maxData {
		problems = append(problems, fmt.Sprintf("size: %s is above the limit of %s, which is what the API takes", n.Size, unit.Size(maxData)))
	}
	return problems
}

// Describe implements Workload.
func (n *NamespaceChurn) Describe() string {
	return fmt.Sprintf("Makes namespaces at %s, each with %s and %s of %s, and deletes each after %s.",
		n.Rate.Phrase(), unit.Count(n.ConfigMaps, "ConfigMap"), unit.Count(n.Secrets, "Secret"), n.Size, n.Life)
}

// loadLabel marks with the load's name what a watch is to tell from other
// loads' objects.
const loadLabel = "storm.dev/load"

// Prepare implements Workload: it opens the watch that sees the namespaces go.
func (n *NamespaceChurn) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(n.Timeout)
	if err != nil {
		return err
	}
	n.client = c
	r := resources["namespaces"]
	mine := url.Values{"labelSelector": {loadLabel + "=" + objectName(env.Name)}}.Encode()
	n.eye, err = env.observe(ctx, c, r, "", mine, newSpans(env, "finalize", r, "deleted-gone", seeNamespace))
	return err
}

// seeNamespace reads whether a namespace is being deleted, or gone.
func seeNamespace(ev lean.Event) (sight, error) {
	m, err := ev.Meta()
	return sight{uid: m.UID, begun: m.Deleting, ended: ev.Type == "DELETED"}, err
}

// Release implements Releaser.
func (n *NamespaceChurn) Release() {
	if n.eye != nil {
		n.eye.close()
		n.eye = nil
	}
	if n.client != nil {
		n.client.Close()
		n.client = nil
	}
}

// Run implements Workload.
func (n *NamespaceChurn) Run(ctx context.Context, env *Env) error {
	if n.eye == nil {
		return errors.New("workload " + env.Name + ": its namespaces are not watched: call Prepare first")
	}
	c, err := env.client(n.Timeout) // the watch has its own connection: what is in flight must not delay what it shows
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	defer n.Release() // first, since deletions in flight belong to its agenda
	of := func(verb, resource string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: verb, Resource: resource, Scope: "resource"})
	}
	t := &tenants{
		NamespaceChurn: n, env: env, client: c, ends: ctx, prefix: objectName(env.Name) + "-" + runOf(env),
		create: of("create", "namespaces"), remove: of("delete", "namespaces"),
		configMap: of("create", "configmaps"), secret: of("create", "secrets"),
	}
	n.run(ctx, env, n.schedule(env.Seed), t.slot, func(pace.Slot) *measure.Series { return t.create })
	return nil
}

// runOf is short and tells one run of a load from another, for names that have
// little room.
func runOf(env *Env) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(env.RunID + strconv.FormatInt(env.Clock.Now(), 36))) // cannot fail
	return strconv.FormatUint(uint64(h.Sum32()&0xffff), 36)
}

// tenants is one run of the load.
type tenants struct {
	*NamespaceChurn
	env    *Env
	client *client.Client
	ends   context.Context // with the load
	prefix string

	create, remove, configMap, secret *measure.Series
}

// slot makes a namespace and what is in it, one after the other: each is
// intended for the moment at which the one before was done. The deletion is
// intended for a life after the slot, or for the last creation if that is later.
func (t *tenants) slot(ctx context.Context, slot pace.Slot) {
	rng := rand.New(rand.NewPCG(uint64(t.env.Seed), slot.N))
	name := t.prefix + "-" + strconv.FormatUint(slot.N, 36)
	end := slot.Intended + int64(t.Life.At(rng.Float64()))
	labels := map[string]string{RunLabel: t.env.RunID, loadLabel: objectName(t.env.Name)}
	made := t.post(ctx, "/api/v1/namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, t.create, slot.Intended)
	if made.Status != 0 && !made.OK() {
		return // it was refused; where there was no answer it may be there
	}
	if made.OK() {
		now, meta := made.Done, metav1.ObjectMeta{Namespace: name, Labels: map[string]string{RunLabel: t.env.RunID}}
		for i := range t.ConfigMaps {
			meta.Name = "load-" + strconv.Itoa(i)
			now = t.post(ctx, "/api/v1/namespaces/"+name+"/configmaps", &corev1.ConfigMap{ObjectMeta: meta, BinaryData: t.data(rng)}, t.configMap, now).Done
		}
		for i := range t.Secrets {
			meta.Name = "load-" + strconv.Itoa(i)
			now = t.post(ctx, "/api/v1/namespaces/"+name+"/secrets", &corev1.Secret{ObjectMeta: meta, Data: t.data(rng)}, t.secret, now).Done
		}
		end = max(end, now)
	}
	t.eye.agenda.Add(end, func(ctx context.Context, intended int64) {
		if t.ends.Err() != nil {
			return
		}
		a := t.client.Do(measure.Held(t.ends, measure.HeldIn(ctx)), &client.Request{Method: http.MethodDelete, Path: "/api/v1/namespaces/" + name}, nil, 0)
		if made.OK() || a.Status != http.StatusNotFound {
			a.Record(t.remove, intended)
		}
	})
}

// data is what a ConfigMap or a Secret holds: bytes that do not compress.
func (t *tenants) data(rng *rand.Rand) map[string][]byte {
	b := make([]byte, min(t.Size.At(rng.Float64()), maxData))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return map[string][]byte{"data": b}
}

// post creates an object.
func (t *tenants) post(ctx context.Context, path string, o runtime.Object, series *measure.Series, intended int64) client.Answer {
	body, err := client.Encode(o)
	if err != nil {
		t.env.Log.Error("encode an object", "path", path, "error", err)
		now := t.env.Clock.Now()
		return client.Answer{Sent: now, Done: now, Code: client.CodeLocal}
	}
	a := t.client.Do(ctx, &client.Request{Method: http.MethodPost, Path: path, Body: body, ContentType: client.Protobuf}, nil, 0)
	a.Record(series, intended)
	return a
}
