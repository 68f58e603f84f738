package acts

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/measure"
)

// Kube returns a client with the cluster's admin access, which waits for nothing
// but the API server. Each of its requests takes 30 s at most.
func Kube(c clusters.Cluster) (kubernetes.Interface, error) {
	config := measure.Unthrottled(rest.CopyConfig(c.Access().REST))
	config.Timeout = 30 * time.Second
	return kubernetes.NewForConfig(config)
}

// Watches is what the API servers say of the watches that they serve, by
// resource, summed over all of them.
type Watches struct {
	Open  map[string]float64 // apiserver_longrunning_requests
	Ended map[string]float64 // apiserver_request_total, which counts a watch when it ends
}

// ReadWatches reads the metrics of every API server.
func ReadWatches(ctx context.Context, c clusters.Cluster) (Watches, error) {
	w := Watches{Open: map[string]float64{}, Ended: map[string]float64{}}
	tls, err := rest.TLSConfigFor(c.Access().REST)
	if err != nil {
		return w, err
	}
	for _, api := range clusters.OfKind(c, clusters.KindAPIServer, "") {
		target := measure.ScrapeTarget{Component: api.ID().String(), URL: api.Endpoints().Metrics, TLS: tls, Auth: c.Access().REST}
		if target.URL == "" {
			return w, fmt.Errorf("metrics of %s: the cluster does not show them, so what its watches do cannot be observed", api.ID())
		}
		samples, err := measure.ScrapeOnce(ctx, target)
		if err != nil {
			return w, fmt.Errorf("metrics of %s: %w", api.ID(), err)
		}
		for key, v := range samples {
			name, labels, _ := strings.Cut(key, "{")
			if !strings.Contains(labels, `verb="WATCH"`) {
				continue
			}
			switch name {
			case "apiserver_longrunning_requests":
				w.Open[label(labels, "resource")] += v
			case "apiserver_request_total":
				w.Ended[label(labels, "resource")] += v
			}
		}
	}
	return w, nil
}

// label returns the value of a label of a sample's, whose values have no commas.
func label(labels, name string) string {
	for part := range strings.SplitSeq(strings.TrimSuffix(labels, "}"), ",") {
		if quoted, ok := strings.CutPrefix(part, name+"="); ok {
			value, err := strconv.Unquote(quoted)
			if err == nil {
				return value
			}
		}
	}
	return ""
}
