package acts

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
)

// AwaitHealthy waits until the cluster is whole: every component runs, every
// etcd member answers a linearizable read, every apiserver says it is ready.
func AwaitHealthy(ctx context.Context, c clusters.Cluster) error {
	return Until(ctx, func(ctx context.Context) error { return Healthy(ctx, c) })
}

// Healthy looks once.
func Healthy(ctx context.Context, c clusters.Cluster) error {
	for _, comp := range c.Components() {
		if st := comp.State(); !st.Running {
			return fmt.Errorf("%s does not run (%s); its log is %s", comp.ID(), st.Exit, comp.Log())
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, sh := range c.Spec().Defaulted().AllShards() {
		g.Go(func() error {
			s, err := OpenShard(c, sh.Name)
			if err != nil {
				return err
			}
			defer s.Close()
			for _, m := range s.Members() {
				rctx, cancel := context.WithTimeout(ctx, 2*time.Second)
				err := s.Client(m).Health(rctx)
				cancel()
				if err != nil {
					return fmt.Errorf("%s: linearizable read: %w", m.ID(), err)
				}
			}
			return nil
		})
	}
	for _, api := range clusters.OfKind(c, clusters.KindAPIServer, "") {
		g.Go(func() error { return ready(ctx, c.Access().REST, api) })
	}
	return g.Wait()
}

// ready asks one apiserver's /readyz.
func ready(ctx context.Context, admin *rest.Config, api clusters.Component) error {
	config := rest.CopyConfig(admin)
	config.Host = api.Endpoints().Client
	config.Timeout = 2 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("%s: %w", api.ID(), err)
	}
	if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		return fmt.Errorf("%s: /readyz: %w", api.ID(), err)
	}
	return nil
}
