package kind

import (
	"context"
	"errors"
	"fmt"
	"strings"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/internal/ledger"
)

// UpByHand starts a cluster that stays until hand.Down. Of the options it takes the
// spec, the store, the sink, the node image and whether to retain; refused says
// which flags what runs does not take.
func UpByHand(ctx context.Context, name string, o Options, refused func(context.Context) ([]string, error)) (hand.ByHand, error) {
	return hand.Up(ctx, name, func(ctx context.Context, dir, logs string, book *ledger.Ledger) (hand.Standing, error) {
		if err := Obtain(ctx, o); err != nil {
			return hand.Standing{}, err
		}
		found, err := refused(ctx)
		if err == nil && len(found) > 0 {
			err = errors.New(strings.Join(found, "\n"))
		}
		if err != nil {
			return hand.Standing{}, fmt.Errorf("the cluster cannot be started: %w", err)
		}
		o.Dir, o.LogDir, o.Ledger = dir, logs, book
		c, err := Up(ctx, o)
		if err != nil {
			return hand.Standing{}, err
		}
		return c.standing(), nil
	})
}

// ExportLogs has kind write what the nodes of a run's cluster and their containers
// have logged into a directory.
func ExportLogs(run, dir string) error {
	return kindcluster.NewProvider(runtime()).CollectLogs(NameOf(run), dir)
}

// standing is what another storm needs to know of the cluster.
func (c *Cluster) standing() hand.Standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	versions := map[string]string{}
	for shard, b := range c.binaries {
		versions["etcd "+shard] = b.Version
	}
	for _, kind := range []clusters.Kind{clusters.KindAPIServer, clusters.KindControllerManager, clusters.KindScheduler} {
		versions[string(kind)] = c.image.version
	}
	return hand.Standing{
		Cluster: c, Supervisor: c.supervisor, EtcdCert: c.pki.Crt(pki.EtcdClientPair), EtcdCA: c.pki.Crt(pki.EtcdTrust),
		Containers: c.name, Versions: versions,
		LetGo: func() error {
			c.end()
			c.closeNodes()
			return c.supervisor.Close()
		},
	}
}
