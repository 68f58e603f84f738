package existing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/remains"
)

// Claim is the namespace that a run makes first and holds to its end. To make it
// is atomic: of two storms one has it.
const Claim = "storm-run"

func isClaim(o remains.Object) bool { return o.Resource.Resource == "namespaces" && o.Name == Claim }

// claim makes the claim.
func (c *Cluster) claim(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Claim, Labels: map[string]string{remains.RunLabel: c.o.Ledger.RunID()}}}
	_, err := c.seen.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: another run has just claimed the cluster (namespace %s): wait until it is over", c.seen.place, Claim)
	case err != nil:
		return fmt.Errorf("%s: claiming the cluster (namespace %s): %w", c.seen.place, Claim, err)
	}
	return nil
}

// free says what is in the way of a run: another's objects, or anybody's that
// have the names of those that it makes.
func (s *Seen) free(ctx context.Context, found *remains.Cluster, run string, names []string) error {
	others, err := found.Others(ctx, run)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("the run %s of storm has objects in this cluster (%s): it is under way, or it was killed: then run `storm cleanup` where it ran",
			others[0].Run, few(others, remains.Object.String))
	}
	taken, err := found.Taken(ctx, run, func(o remains.Object) bool {
		for _, name := range append(names, Claim) {
			if o.Name == name || strings.HasPrefix(o.Name, name+"-") {
				return true
			}
		}
		return false
	})
	if err == nil && len(taken) > 0 {
		err = errors.New("there are objects that are not storm's and have the names of those that it would make (" +
			few(taken, remains.Object.String) + "): give the workloads of the scenario other names")
	}
	return err
}

// shown is how many things of many a message names.
const shown = 5

// few names some things of many.
func few[T any](all []T, name func(T) string) string {
	var out []string
	for _, one := range all[:min(shown, len(all))] {
		out = append(out, name(one))
	}
	if n := len(all) - shown; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, ", ")
}
