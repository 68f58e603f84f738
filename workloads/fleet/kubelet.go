package fleet

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/workloads/lean"
)

// kubelet takes the pods of one node through their life: what is bound to the
// node goes Running after a while, may crash or come to its end, and what is
// deleted is removed once its containers would have stopped. It is the sink of
// the node's watch of its pods.
type kubelet struct {
	*Fleet
	node *node

	mu   sync.Mutex
	pods map[string]*pod // by UID
	refs map[reference]*held
	turn uint64 // of random numbers
}

// stage is how far a pod has come on its node.
type stage int

const (
	starting stage = iota + 1
	running
	waiting // after a crash, for its back-off
	ended   // its containers have come to their end
	stopping
)

// pod is what the kubelet keeps of a pod. What does not change is read without
// the kubelet's lock.
type pod struct {
	namespace, name, uid string
	account              string
	hostNetwork, finite  bool // finite: its containers are to come to an end
	containers           []lean.Container
	tokens               []lean.Token
	references           []reference

	// Guarded by the kubelet's lock.
	stage    stage
	listed   bool // in the list that is coming in
	ready    bool // as the server has it
	crashes  int32
	streak   int   // crashes in a row, by which the back-off grows
	since    int64 // when its containers came to run
	tries    int
	observed int64 // the last generation that the server was told of
	started  time.Time
}

func newKubelet(f *Fleet, n *node) *kubelet { return &kubelet{Fleet: f, node: n} }

// Event implements reflector.Sink.
func (k *kubelet) Event(at int64, ev lean.Event) error {
	var p lean.Pod
	if err := ev.Pod(&p); err != nil {
		return err
	}
	k.see(ev.Type, at, &p)
	return nil
}

// see takes what a watch or a list shows of a pod.
func (k *kubelet) see(kind string, at int64, p *lean.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.pods[p.UID]
	if kind == "DELETED" {
		k.drop(known)
		return
	}
	if known == nil {
		next := stageOf(p)
		if next == 0 {
			return // it has come to its end by itself
		}
		known = k.take(p)
		known.stage = next
		k.hold(known) // a pod that only waits for its end needs what it refers to until then
		switch next {
		case starting:
			k.bound(at, known)
		case running:
			k.resumed(at, known)
		case stopping:
			k.terminate(at, known)
		}
	}
	k.unready(at, known, p)
	known.listed = known.listed || kind == "LISTED"
	if p.Deleting && known.stage != stopping {
		known.stage = stopping
		known.tries = 0
		k.terminate(at, known)
	}
}

// syncPeriod is how often a kubelet compares all its pods' statuses with the server's.
const syncPeriod = 10 * time.Second

// unready takes whether the server has a pod for ready. Where it had, and has not any
// more, though the pod runs, somebody else has said so, as the controllers do of the
// pods of a node that was away, and the kubelet tells at its next look how the pod is.
// The lock is held.
func (k *kubelet) unready(at int64, known *pod, p *lean.Pod) {
	was := known.ready
	known.ready = p.Ready
	if !was || p.Ready || known.stage != running {
		return
	}
	k.agenda.Add(at+int64(k.draw()*float64(syncPeriod)), func(ctx context.Context, at int64) { k.correct(ctx, at, known) })
}

// stageOf says how far a pod has come that the kubelet does not know; 0 for one
// that needs nothing any more.
func stageOf(p *lean.Pod) stage {
	switch {
	case p.Deleting:
		return stopping
	case p.Phase == string(corev1.PodPending), p.Phase == "":
		return starting
	case p.Phase == string(corev1.PodRunning):
		return running
	}
	return 0
}

// take keeps a pod; the lock is held.
func (k *kubelet) take(p *lean.Pod) *pod {
	kept := &pod{
		namespace: p.Namespace, name: p.Name, uid: p.UID, account: p.ServiceAccount, hostNetwork: p.HostNetwork,
		finite:     p.RestartPolicy != "" && p.RestartPolicy != string(corev1.RestartPolicyAlways),
		containers: slices.Clone(p.Containers), tokens: slices.Clone(p.Tokens), started: time.Now(),
		crashes: p.Restarts, ready: p.Ready,
	}
	if k.cfg.Pods.References {
		kept.references = referencesOf(p)
	}
	if k.pods == nil {
		k.pods = map[string]*pod{}
	}
	k.pods[p.UID] = kept
	return kept
}

// drop forgets a pod; the lock is held.
func (k *kubelet) drop(p *pod) {
	if p != nil && k.pods[p.uid] == p {
		delete(k.pods, p.uid)
		k.release(p)
	}
}

// Synced implements reflector.Sink: what the list did not hold is gone.
func (k *kubelet) Synced(int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range slices.Collect(maps.Values(k.pods)) {
		if !p.listed {
			k.drop(p)
		}
		p.listed = false
	}
}

// forget forgets everything, as a kubelet that is started again has.
func (k *kubelet) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range slices.Collect(maps.Values(k.pods)) {
		k.drop(p)
	}
}

// is says whether a pod is still at that stage: what was put on the agenda for
// it may be out of date.
func (k *kubelet) is(p *pod, s stage) bool {
	if k.node.silent.Load() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pods[p.uid] == p && p.stage == s
}

// enter brings a pod to its next stage, unless it has left the one before.
func (k *kubelet) enter(p *pod, from, to stage) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pods[p.uid] != p || p.stage != from {
		return false
	}
	p.stage, p.tries = to, 0
	return true
}

// draw returns a random number of [0, 1); the lock is held.
func (k *kubelet) draw() float64 {
	k.turn++
	return rand.New(rand.NewPCG(uint64(k.env.Seed)^uint64(k.node.index+1)<<32, k.turn)).Float64()
}
