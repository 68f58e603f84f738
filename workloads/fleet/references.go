package fleet

import (
	"context"
	"hash/fnv"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
	"github.com/storm-harness/storm/workloads/reflector"
)

// reference is a ConfigMap or a Secret that a pod names.
type reference struct {
	kind            int // refConfigMap, refSecret
	namespace, name string
}

// held is a reference that some pods of a node need, and the watch of it.
type held struct {
	pods  int
	watch reflector.Reflector
}

// referencesOf returns what a pod names, each once.
func referencesOf(p *lean.Pod) []reference {
	var out []reference
	seen := map[reference]bool{}
	add := func(kind int, names []string) {
		for _, name := range names {
			r := reference{kind, p.Namespace, name}
			if name != "" && !seen[r] {
				seen[r] = true
				out = append(out, r)
			}
		}
	}
	add(refConfigMap, p.ConfigMaps)
	add(refSecret, p.Secrets)
	return out
}

// hold watches what a pod refers to, as a kubelet does: an object each, for as
// long as a pod on the node needs it. The lock is held.
func (k *kubelet) hold(p *pod) {
	for _, ref := range p.references {
		h := k.refs[ref]
		if h == nil {
			of := k.Fleet.refs[ref.kind]
			h = &held{watch: reflector.Reflector{
				Shared: of.shared, Client: k.node.calls, As: k.node.as,
				Path:  "/api/v1/namespaces/" + ref.namespace + "/" + of.resource,
				Query: "fieldSelector=metadata.name%3D" + ref.name,
				ID:    ref.id(k.node.index),
			}}
			if k.refs == nil {
				k.refs = map[reference]*held{}
			}
			k.refs[ref] = h
			h.watch.Start(k.env.Clock.Now())
		}
		h.pods++
	}
}

// id tells the reflector of a reference on a node from all others, so that the watches of a
// node neither end nor back off together: its kind, 24 bits of its name, the node.
func (r reference) id(node int) uint64 {
	h := fnv.New64a()
	h.Write([]byte(r.namespace + "/" + r.name)) //nolint:errcheck // a hash takes everything
	return uint64(16+r.kind)<<56 | h.Sum64()>>40<<32 | uint64(node)
}

// release ends the watches that no pod needs any more; the lock is held.
func (k *kubelet) release(p *pod) {
	for _, ref := range p.references {
		h := k.refs[ref]
		if h.pods--; h.pods == 0 {
			delete(k.refs, ref)
			h.watch.Stop()
		}
	}
	p.references = nil
}

// A token is refreshed when this share of its life is over.
const refreshAt = .8

// retoken requests the tokens of a pod that runs already, as a kubelet does that
// has been started anew: it keeps them in memory. The lock is held.
func (k *kubelet) retoken(at int64, p *pod) {
	if k.cfg.Pods.Tokens && len(p.tokens) > 0 {
		k.agenda.Add(at, func(ctx context.Context, _ int64) {
			if k.is(p, running) {
				k.request(ctx, p, p.tokens, func(context.Context, *pod) {})
			}
		})
	}
}

// request requests a pod's tokens, one after the other, puts their refreshing on the
// agenda, and goes on to then once it has them all: no container starts before.
func (k *kubelet) request(ctx context.Context, p *pod, tokens []lean.Token, then func(context.Context, *pod)) {
	if !k.cfg.Pods.Tokens || len(tokens) == 0 {
		then(ctx, p)
		return
	}
	k.token(ctx, k.env.Clock.Now(), p, tokens[0], func(ctx context.Context, p *pod) { k.request(ctx, p, tokens[1:], then) })
}

// token requests one, again every second until it has it, and then goes on to then.
func (k *kubelet) token(ctx context.Context, intended int64, p *pod, t lean.Token, then func(context.Context, *pod)) {
	r := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &t.Seconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.name, UID: types.UID(p.uid)},
	}}
	if t.Audience != "" {
		r.Spec.Audiences = []string{t.Audience}
	}
	body, err := client.Encode(r)
	if err != nil {
		k.env.Log.Error("encode a TokenRequest", "error", err)
		return
	}
	a := k.node.ask(ctx, k.node.calls, &client.Request{
		Method: http.MethodPost, Path: "/api/v1/namespaces/" + p.namespace + "/serviceaccounts/" + p.account + "/token",
		Body: body, ContentType: client.Protobuf, As: k.node.as,
	}, nil, 0)
	a.Record(k.series.tokens, intended)
	if a.Cut {
		return
	}
	life := time.Duration(float64(t.Seconds) * refreshAt * float64(time.Second))
	next := func(context.Context, *pod) {}
	if !a.OK() {
		life, next = time.Second, then
	}
	k.agenda.Add(k.env.Clock.Now()+int64(life), func(ctx context.Context, at int64) {
		if k.is(p, starting) || k.is(p, running) || k.is(p, waiting) {
			k.token(ctx, at, p, t, next)
		}
	})
	if a.OK() {
		then(ctx, p)
	}
}
