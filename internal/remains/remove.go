package remains

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// removers is how many objects are deleted at once: a cluster of somebody
	// else's is not to be flooded by its being tidied.
	removers = 16
	// lookAgain is how long after a round of deletions the next look is taken.
	lookAgain = 300 * time.Millisecond
)

// Remove deletes everything that bears the run's label, except what keep is true
// of, and returns how many objects that were once all of them are gone. What is
// in the run's namespaces goes with these. Each object is deleted by its UID:
// another one that has taken its name is not touched. keep and tell may be nil;
// tell is told how many are left.
func (c *Cluster) Remove(ctx context.Context, run string, keep func(Object) bool, tell func(left int)) (int, error) {
	if keep == nil {
		keep = func(Object) bool { return false }
	}
	if tell == nil {
		tell = func(int) {}
	}
	resources, err := c.clusterScoped()
	for ; err != nil; resources, err = c.clusterScoped() {
		if !transient(err) || !pause(ctx) {
			return 0, err
		}
	}
	r := &removal{Cluster: c, run: run, keep: keep, asked: map[types.UID]bool{}}
	for looked := resources; ; {
		left, err := r.round(ctx, looked)
		switch {
		case err != nil && (ctx.Err() != nil || !transient(err)):
			return len(r.asked), err
		case err == nil && len(left) == 0 && len(looked) == len(resources):
			return len(r.asked), nil
		case err == nil && len(left) == 0: // those that had any have none: a look at all of them is the proof
			looked = resources
			continue
		case err == nil:
			tell(len(left))
			looked = resourcesOf(left)
		}
		if !pause(ctx) {
			return len(r.asked), errors.Join(r.remain(ctx, left), err)
		}
	}
}

// pause waits until it is time for another look; false where ctx has ended.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(lookAgain):
		return true
	case <-ctx.Done():
		return false
	}
}

// resourcesOf are the resources of some objects. find looks at leases always.
func resourcesOf(all []Object) []schema.GroupVersionResource {
	var out []schema.GroupVersionResource
	for _, o := range all {
		if !slices.Contains(out, o.Resource) && o.Resource != leases {
			out = append(out, o.Resource)
		}
	}
	return out
}

// removal is one call of Remove.
type removal struct {
	*Cluster
	run  string
	keep func(Object) bool

	mu    sync.Mutex
	asked map[types.UID]bool // their deletion was taken
}

// round looks for what is there, and has it deleted.
func (r *removal) round(ctx context.Context, resources []schema.GroupVersionResource) ([]Object, error) {
	found, err := r.find(ctx, r.run, resources)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, r.keep)
	if err := r.all(ctx, slices.DeleteFunc(slices.Clone(found), func(o Object) bool { return o.Deleting }), nil); err != nil {
		return found, err
	}
	// Nobody runs the pods on simulated nodes any more, who would confirm that
	// they have ended: they go at once. Their controllers cannot make others in
	// a namespace that is being deleted.
	atOnce := int64(0)
	for _, ns := range found {
		if ns.Resource != namespaces || !ns.Deleting {
			continue
		}
		inside, err := r.page(ctx, pods, ns.Name, "")
		if err == nil {
			err = r.all(ctx, inside, &atOnce)
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return found, err
		}
	}
	return found, nil
}

// transient errors are such that a later round may not meet.
func transient(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true // the connection's
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsResourceExpired(err)
}

// all deletes objects, some at a time. grace is that of pods, in seconds.
func (r *removal) all(ctx context.Context, list []Object, grace *int64) error {
	work := make(chan Object)
	var pool sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for range min(removers, len(list)) {
		pool.Go(func() {
			for o := range work {
				if err := r.one(ctx, o, grace); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, o := range list {
		if ctx.Err() != nil {
			break
		}
		work <- o
	}
	close(work)
	pool.Wait()
	if len(errs) > 0 { // one says it: thousands may be alike
		return errs[0]
	}
	return nil
}

// one has one object deleted.
func (r *removal) one(ctx context.Context, o Object, grace *int64) error {
	how := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &o.UID}, GracePeriodSeconds: grace}
	err := r.meta.Resource(o.Resource).Namespace(o.Namespace).Delete(ctx, o.Name, how)
	switch {
	case err == nil:
		r.mu.Lock()
		r.asked[o.UID] = true
		r.mu.Unlock()
		return nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), transient(err):
		return nil // gone, or another one's by now; or the next round shows it again
	}
	return fmt.Errorf("deleting %s: %w", o, err)
}

// remain is the error of objects that do not go, with what keeps them as far as
// the API server says it.
func (r *removal) remain(ctx context.Context, left []Object) error {
	const shown = 3
	var texts []string
	for _, o := range left[:min(shown, len(left))] {
		text := o.String()
		if o.Resource == namespaces {
			text += r.keptBy(ctx, o.Name)
		}
		texts = append(texts, text)
	}
	if len(left) > shown {
		texts = append(texts, "…")
	}
	return fmt.Errorf("%d objects of run %s are still there (%s): %w", len(left), r.run, strings.Join(texts, "; "), ctx.Err())
}

// keptBy is what a namespace says of why it is not gone yet.
func (r *removal) keptBy(ctx context.Context, name string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	ns, err := r.kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	var said []string
	for _, is := range ns.Status.Conditions {
		if is.Status == corev1.ConditionTrue && is.Message != "" {
			said = append(said, is.Message)
		}
	}
	if len(said) == 0 {
		return ": no controller has begun to empty it: does a controller manager run?"
	}
	return ": " + strings.Join(said, "; ")
}
