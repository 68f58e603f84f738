package workloads

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// objects makes requests for a load's objects that carry bytes.
type objects struct {
	env        *Env
	client     *client.Client
	kind       carrier
	sizes      unit.Sizes
	namespaces []string
	hold       hold
	paths      []string // of the collection in each namespace
}

func newObjects(env *Env, c *client.Client, kind carrier, sizes unit.Sizes, namespaces []string) *objects {
	o := &objects{
		env: env, client: c, kind: kind, sizes: sizes, namespaces: namespaces,
		hold: newHold(env.Seed, kind.limit),
	}
	if !kind.resource.namespaced {
		o.namespaces = []string{""}
	}
	for _, n := range o.namespaces {
		o.paths = append(o.paths, kind.resource.path(n))
	}
	return o
}

// prepare makes what the objects need: namespaces, and the definition of
// widgets. Objects of a scenario's own are tried out.
func (o *objects) prepare(ctx context.Context) error {
	if o.kind.resource.namespaced {
		if err := makeNamespaces(ctx, o.client, o.env, o.namespaces); err != nil {
			return err
		}
	}
	switch {
	case o.kind.template != nil:
		return o.tryOut(ctx)
	case o.kind.build != nil:
		return nil
	}
	if err := makeWidgets(ctx, o.client, o.env); err != nil {
		return fmt.Errorf("widgets: %w", err)
	}
	return nil
}

// name is the name of the n-th object. Where no namespace tells loads apart, it
// has the load's.
func (o *objects) name(m *member) string {
	n := strconv.FormatUint(m.n, 10)
	if !o.kind.resource.namespaced {
		return objectName(o.env.Name) + "-" + n
	}
	return "load-" + n
}

func (o *objects) collection(m *member) string { return o.paths[m.n%uint64(len(o.paths))] }

func (o *objects) path(m *member) string { return o.collection(m) + "/" + o.name(m) }

// encode returns the object as it is to be, of a size and content at random.
func (o *objects) encode(m *member, rng *rand.Rand) ([]byte, error) {
	meta := metav1.ObjectMeta{
		Name: o.name(m), Namespace: o.namespaces[m.n%uint64(len(o.namespaces))],
		Labels: map[string]string{RunLabel: o.env.RunID},
	}
	if m.version != 0 {
		meta.ResourceVersion = strconv.FormatUint(m.version, 10)
	}
	return o.kind.encode(meta, o.hold.take(o.kind.size(o.sizes, rng), rng))
}

// ensure creates an object in a preparation; one that is there already stays.
func (o *objects) ensure(ctx context.Context, m *member, rng *rand.Rand) error {
	body, err := o.encode(m, rng)
	if err != nil {
		return err
	}
	head := heads.Get().(*bytes.Buffer)
	defer heads.Put(head)
	req := o.request(http.MethodPost, o.collection(m), body, o.kind.contentType())
	a, err := o.client.Insist(ctx, req, patience, head, o.kind.head(), http.StatusConflict)
	if err != nil || !a.OK() {
		return err
	}
	m.version, err = lean.VersionOf(head.Bytes())
	return err
}

// create creates an object.
func (o *objects) create(ctx context.Context, m *member, rng *rand.Rand) client.Answer {
	body, err := o.encode(m, rng)
	if err != nil {
		return o.failed()
	}
	return o.do(ctx, m, o.request(http.MethodPost, o.collection(m), body, o.kind.contentType()))
}

// update replaces an object; the API server takes it only where the version
// that is known of it is still the newest.
func (o *objects) update(ctx context.Context, m *member, rng *rand.Rand) client.Answer {
	body, err := o.encode(m, rng)
	if err != nil {
		return o.failed()
	}
	return o.do(ctx, m, o.request(http.MethodPut, o.path(m), body, o.kind.contentType()))
}

// patch sets an annotation, whatever the object's version is.
func (o *objects) patch(ctx context.Context, m *member, n uint64) client.Answer {
	body := `{"metadata":{"annotations":{"storm.dev/revision":"` + strconv.FormatUint(n, 10) + `"}}}`
	return o.do(ctx, m, o.request(http.MethodPatch, o.path(m), []byte(body), client.MergePatch))
}

// get reads an object, for its version.
func (o *objects) get(ctx context.Context, m *member) client.Answer {
	return o.do(ctx, m, o.request(http.MethodGet, o.path(m), nil, ""))
}

// remove deletes an object.
func (o *objects) remove(ctx context.Context, m *member) client.Answer {
	return o.client.Do(ctx, o.request(http.MethodDelete, o.path(m), nil, ""), nil, 0)
}

func (o *objects) request(method, path string, body []byte, content string) *client.Request {
	return &client.Request{Method: method, Path: path, Body: body, ContentType: content, Accept: o.kind.contentType()}
}

// do makes a request that is answered by the object, and learns its version. A
// conflict says that the known one is not the newest: then none is known.
func (o *objects) do(ctx context.Context, m *member, req *client.Request) client.Answer {
	head := heads.Get().(*bytes.Buffer)
	defer heads.Put(head)
	head.Reset()
	a := o.client.Do(ctx, req, head, o.kind.head())
	switch {
	case a.Status == http.StatusConflict:
		m.version = 0
	case a.OK():
		version, err := lean.VersionOf(head.Bytes())
		if err != nil {
			a.Code = client.CodeMalformed
		}
		m.version = version
	}
	return a
}

// failed is the answer where storm itself could not make the request.
func (o *objects) failed() client.Answer {
	now := o.env.Clock.Now()
	return client.Answer{Sent: now, Done: now, Code: client.CodeLocal}
}
