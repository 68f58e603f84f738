package workloads

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/workloads/client"
)

// RunLabel marks everything that a load makes, with the run's ID.
const RunLabel = remains.RunLabel

// patience is how long a preparation goes on trying while the server says
// that it is not there yet.
const patience = 60 * time.Second

// objectName is what the names of a load's objects begin with: storm-NAME. A
// long name is cut and told from others by a hash, because labels and the names
// of namespaces take 63 bytes, of which a number at the end needs some.
func objectName(workload string) string {
	const room = 48
	if len(workload) > room {
		h := fnv.New32a()
		_, _ = h.Write([]byte(workload)) // cannot fail
		workload = fmt.Sprintf("%s-%08x", workload[:room-9], h.Sum32())
	}
	return "storm-" + workload
}

// namespaces returns the names of a load's namespaces: storm-NAME, or, where
// there are several, storm-NAME-0 and so on.
func namespaces(workload string, count int) []string {
	if count == 1 {
		return []string{objectName(workload)}
	}
	names := make([]string, count)
	for i := range names {
		names[i] = objectName(workload) + "-" + strconv.Itoa(i)
	}
	return names
}

// makeNamespaces makes the namespaces; those that are there stay.
func makeNamespaces(ctx context.Context, c *client.Client, env *Env, names []string) error {
	for _, name := range names {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{RunLabel: env.RunID}}}
		if err := makeObject(ctx, c, "/api/v1/namespaces", namespace); err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	return nil
}

// insist repeats a creation until the object is there: a server that has only
// just become ready may refuse one for some moments. It is for preparations
// alone; in the load a failure is data.
func insist(ctx context.Context, c *client.Client, req *client.Request) error {
	_, err := c.Insist(ctx, req, patience, nil, 0, http.StatusConflict)
	return err
}

// makeObject makes an object in a collection; one that is there stays.
func makeObject(ctx context.Context, c *client.Client, path string, object runtime.Object) error {
	body, err := client.Encode(object)
	if err != nil {
		return err
	}
	return insist(ctx, c, &client.Request{Method: http.MethodPost, Path: path, Body: body, ContentType: client.Protobuf})
}
