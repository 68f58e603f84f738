package local

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/internal/ledger"
)

// UpByHand starts a cluster that stays until hand.Down.
func UpByHand(ctx context.Context, name string, spec clusters.Spec, store *components.Store, sink clusters.Sink) (hand.ByHand, error) {
	return hand.Up(ctx, name, func(ctx context.Context, dir, logs string, book *ledger.Ledger) (hand.Standing, error) {
		if _, err := Obtain(ctx, store, spec.Defaulted(), sink); err != nil {
			return hand.Standing{}, err
		}
		found, _, err := Unknown(ctx, store, spec)
		if err == nil && len(found) > 0 {
			err = errors.New(strings.Join(found, "\n"))
		}
		if err != nil {
			return hand.Standing{}, fmt.Errorf("the cluster cannot be started: %w", err)
		}
		c, err := Up(ctx, Options{Spec: spec, Dir: dir, LogDir: logs, Store: store, Ledger: book, Sink: sink})
		if err != nil {
			return hand.Standing{}, err
		}
		return c.standing(), nil
	})
}

// standing is what another storm needs to know of the cluster.
func (c *Cluster) standing() hand.Standing {
	versions := map[string]string{}
	for key, b := range c.binaries {
		versions[key] = b.Version
	}
	return hand.Standing{
		Cluster: c, Supervisor: c.supervisor, EtcdCert: c.pki.Crt(pki.EtcdClientPair), EtcdCA: c.pki.Crt(pki.EtcdTrust), Versions: versions,
		LetGo: func() error {
			c.end()
			return c.supervisor.Close()
		},
	}
}
