package acts

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
)

// AwaitHealthy waits until the cluster is whole, as far as it shows itself:
// every component runs, every etcd member answers a linearizable read, every
// apiserver a consistent one.
// Connections are made once: to dial anew at every look would be a load of its
// own on a cluster that has trouble enough.
func AwaitHealthy(ctx context.Context, c clusters.Cluster) error {
	h, err := openHealth(c)
	if err != nil {
		return err
	}
	defer h.close()
	return Until(ctx, h.look)
}

// lookFor bounds one answer, on a machine that may be busy.
const lookFor = 5 * time.Second

// health looks at a whole cluster.
type health struct {
	cluster clusters.Cluster
	shards  []*Shard
	apis    map[clusters.ID]rest.Interface
}

func openHealth(c clusters.Cluster) (*health, error) {
	h := &health{cluster: c, apis: map[clusters.ID]rest.Interface{}}
	for _, shard := range shardsOf(c) {
		s, err := OpenShard(c, shard)
		if err != nil {
			h.close()
			return nil, err
		}
		h.shards = append(h.shards, s)
	}
	for _, api := range clusters.OfKind(c, clusters.KindAPIServer, "") {
		config := rest.CopyConfig(c.Access().REST)
		config.Host, config.Timeout = api.Endpoints().Client, lookFor
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			h.close()
			return nil, fmt.Errorf("%s: %w", api.ID(), err)
		}
		h.apis[api.ID()] = client.Discovery().RESTClient()
	}
	return h, nil
}

// shardsOf are the shards whose members the cluster shows.
func shardsOf(c clusters.Cluster) []string {
	var names []string
	for _, m := range clusters.OfKind(c, clusters.KindEtcd, "") {
		if shard := m.ID().Shard; !slices.Contains(names, shard) {
			names = append(names, shard)
		}
	}
	return names
}

// Whole says what AwaitHealthy has seen.
func Whole(c clusters.Cluster) string {
	if len(shardsOf(c)) == 0 {
		return "every apiserver answers a consistent read"
	}
	return "every member answers a linearizable read, every apiserver a consistent one"
}

func (h *health) close() {
	for _, s := range h.shards {
		s.Close()
	}
}

// look returns nil if the cluster is whole now.
func (h *health) look(ctx context.Context) error {
	for _, comp := range h.cluster.Components() {
		if st := comp.State(); !st.Running {
			return fmt.Errorf("%s does not run (%s); its log is %s", comp.ID(), st.Exit, comp.Log())
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range h.shards {
		for _, m := range s.Members() {
			g.Go(func() error {
				rctx, cancel := context.WithTimeout(ctx, lookFor)
				defer cancel()
				if err := s.Client(m).Health(rctx); err != nil {
					return fmt.Errorf("%s: linearizable read: %w", m.ID(), err)
				}
				return nil
			})
		}
	}
	for id, api := range h.apis {
		g.Go(func() error {
			// A read that goes through to etcd, as a client's does. /readyz asks
			// every shard in turn and takes seconds on a busy machine.
			if _, err := api.Get().AbsPath("/api/v1/namespaces/default").DoRaw(ctx); err != nil {
				return fmt.Errorf("%s: reading a namespace: %w", id, err)
			}
			return nil
		})
	}
	return g.Wait()
}
