package workloads

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// ObjectChurn is the load of whoever keeps state in the API: objects of one
// kind, and of any size that the API server takes, that are created, updated,
// patched and deleted. Nothing sets to work at the kinds that storm makes by
// itself, so that what is measured is the API server and etcd alone.
type ObjectChurn struct {
	OpenLoop   `yaml:",inline"`
	Shape      `yaml:",inline"`
	Size       unit.Sizes   `yaml:"size" doc:"bytes that an object carries beside its metadata, 1KiB by default; at most 1MiB for configmaps and secrets, 1532KiB for widgets and where cargo is given, and 255KiB for the others"`
	Population int          `yaml:"population" min:"1" max:"1000000" doc:"how many objects there may be at once; half of them are there at the start, or all where no creation adds to them; 1000 by default"`
	Namespaces int          `yaml:"namespaces" min:"1" max:"10000" doc:"namespaces to spread the objects over; 1 by default"`
	Content    string       `yaml:"content" enum:"protobuf,json" doc:"encoding of the objects, in requests and in answers: protobuf (JSON for custom resources, which have no other), or json; protobuf by default. Patches are JSON"`
	Create     unit.Percent `yaml:"create" doc:"share of the requests that create an object, or at the full population delete one; 25% by default"`
	Update     unit.Percent `yaml:"update" doc:"share that replace an object, with the resourceVersion that is known of it; 25% by default"`
	Patch      unit.Percent `yaml:"patch" doc:"share that patch an annotation; 25% by default"`
	Delete     unit.Percent `yaml:"delete" doc:"share that delete an object, or create one where there is none; 25% by default"`

	kind   carrier     // found by Prepare
	people *population // filled by Prepare
}

func newObjectChurn() Workload {
	return &ObjectChurn{
		OpenLoop: OpenLoop{InFlight: 1000, Timeout: unit.Duration(client.DefaultTimeout)},
		Size:     unit.OneSize(1 << 10), Population: 1000, Namespaces: 1, Content: "protobuf",
		Create: .25, Update: .25, Patch: .25, Delete: .25,
	}
}

func (o *ObjectChurn) shares() []share {
	return []share{{"create", o.Create}, {"update", o.Update}, {"patch", o.Patch}, {"delete", o.Delete}}
}

// Check implements Workload.
func (o *ObjectChurn) Check() []string {
	problems := append(o.check(), checkPopulation(o.Population, o.InFlight)...)
	problems = append(problems, checkContent(o.Content)...)
	kind, wrong := o.carrier()
	if len(wrong) == 0 {
		wrong = kind.checkSize("size", o.Size)
	}
	problems = append(problems, wrong...)
	if o.Namespaces < 1 || o.Namespaces > 10_000 {
		problems = append(problems, fmt.Sprintf("namespaces: %d is not between 1 and 10000", o.Namespaces))
	}
	if problem := checkShares(o.shares()); problem != "" {
		problems = append(problems, problem)
	} else if sum := sumOf(o.shares()); sum != 1 {
		problems = append(problems, fmt.Sprintf("create: with update, patch and delete it makes %s of the requests, not 100%%", sum))
	}
	return problems
}

// Describe implements Workload.
func (o *ObjectChurn) Describe() string {
	var mix []string
	for _, s := range o.shares() {
		if s.of > 0 {
			mix = append(mix, fmt.Sprintf("%s %s", s.of, s.field))
		}
	}
	manner := ""
	if o.Content == "json" {
		manner = ", in JSON"
	}
	return fmt.Sprintf("Churns %s of %s at %s%s: %s; there are at most %s at once.",
		o.Resource, o.Size, o.Rate.Phrase(), manner, strings.Join(mix, ", "), unit.Grouped(o.Population))
}

// Prepare implements Workload: it makes the namespaces, the definition of
// widgets, and the objects that are there at the start.
func (o *ObjectChurn) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(o.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.kind, err = o.made(ctx, env, o.Namespaces, o.verbs()...); err != nil {
		return err
	}
	o.kind.json = o.Content == "json"
	objects := o.objects(env, c)
	if err := objects.prepare(ctx); err != nil {
		return err
	}
	o.people = &population{most: o.Population}
	there := o.Population
	if o.Create > 0 {
		there /= 2
	}
	return fill(ctx, env, fillers, there, "object", func(ctx context.Context, i int) error {
		m, _ := o.people.take(true, 0)
		if err := objects.ensure(ctx, &m, rand.New(rand.NewPCG(uint64(env.Seed)+1, uint64(i)))); err != nil {
			return err
		}
		o.people.put(m)
		return nil
	})
}

// verbs are what the load does to its objects.
func (o *ObjectChurn) verbs() []string {
	verbs := []string{"create", "get", "delete"} // of the other two there may be none
	for _, s := range []share{{"update", o.Update}, {"patch", o.Patch}} {
		if s.of > 0 {
			verbs = append(verbs, s.field)
		}
	}
	return verbs
}

func (o *ObjectChurn) objects(env *Env, c *client.Client) *objects {
	return newObjects(env, c, o.kind, o.Size, namespaces(env.Name, o.Namespaces))
}

// Run implements Workload.
func (o *ObjectChurn) Run(ctx context.Context, env *Env) error {
	if o.people == nil {
		return fmt.Errorf("workload %s: its objects are not there: call Prepare first", env.Name)
	}
	c, err := env.client(o.Timeout)
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	objects := o.objects(env, c)
	of := func(verb string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: verb, Resource: objects.kind.resource.String(), Scope: "resource"})
	}
	ch := &objectChanges{
		ObjectChurn: o, objects: objects, seed: uint64(env.Seed),
		create: of("create"), update: of("update"), patch: of("patch"), remove: of("delete"), get: of("get"),
	}
	o.run(ctx, env, o.schedule(env.Seed), ch.slot, func(s pace.Slot) *measure.Series {
		verb, _ := ch.draw(s)
		return verb
	})
	return nil
}

// objectChanges is one run of the load.
type objectChanges struct {
	*ObjectChurn
	objects *objects
	seed    uint64

	create, update, patch, remove, get *measure.Series
}

// draw returns what a slot is for, by its series, and the numbers that decide
// the rest; the seed alone decides.
func (c *objectChanges) draw(slot pace.Slot) (*measure.Series, *rand.Rand) {
	rng := rand.New(rand.NewPCG(c.seed, slot.N))
	series := [...]*measure.Series{c.create, c.update, c.patch, c.remove}
	return series[pick(rng.Float64(), c.Create, c.Update, c.Patch, c.Delete)], rng
}

// slot makes one change.
func (c *objectChanges) slot(ctx context.Context, slot pace.Slot) {
	verb, rng := c.draw(slot)
	m, fresh := c.people.take(verb == c.create, rng.Uint64())
	var a client.Answer
	there := true
	switch {
	case fresh:
		verb, a = c.create, c.objects.create(ctx, &m, rng)
		// One whose creation failed is forgotten: it may be there all the same,
		// but nobody knows.
		there = a.OK()
	case verb == c.update && m.version == 0:
		c.replaceUnknown(ctx, m, rng, slot)
		return
	case verb == c.update:
		a = c.objects.update(ctx, &m, rng)
	case verb == c.patch:
		a = c.objects.patch(ctx, &m, slot.N)
	default: // also a creation that found the population full
		verb, a = c.remove, c.objects.remove(ctx, &m)
		there = !a.OK()
	}
	a.Record(verb, slot.Intended)
	c.settle(m, a, there)
}

// replaceUnknown updates an object whose version is not known, since somebody
// else wrote it: it is read first, as any client must. The update is then
// intended for the moment at which that is done.
func (c *objectChanges) replaceUnknown(ctx context.Context, m member, rng *rand.Rand, slot pace.Slot) {
	a := c.objects.get(ctx, &m)
	a.Record(c.get, slot.Intended)
	if a.OK() {
		read := a.Done
		a = c.objects.update(ctx, &m, rng)
		a.Record(c.update, read)
	}
	c.settle(m, a, true)
}

// settle puts an object back, unless it is gone.
func (c *objectChanges) settle(m member, a client.Answer, there bool) {
	if there && a.Status != http.StatusNotFound {
		c.people.put(m)
		return
	}
	c.people.drop()
}
