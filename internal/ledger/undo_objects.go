package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/remains"
)

// objectsPatience bounds how long it is waited until objects are gone: their
// namespaces are emptied kind by kind.
const objectsPatience = 10 * time.Minute

// undoObjects removes what bears the run's label in the cluster where it was
// made. A cluster that cannot be asked, or is another one by now, may have left
// objects behind: that is for its user to say.
func undoObjects(ctx context.Context, run string, e Entry) (result, why string, err error) {
	if e.Intent.Place == nil {
		return "", "", errors.New("the record of where the objects are was lost: remove those with the label " + remains.RunLabel + "=" + run)
	}
	cfg, err := sameCluster(ctx, *e.Intent.Place)
	if err != nil {
		return "", "", fmt.Errorf("%w: if that cluster is no more, delete %s; else, once it can be reached, run `storm cleanup` again", err, pathOf(run))
	}
	cluster, err := remains.Open(cfg)
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, objectsPatience)
	defer cancel()
	n, err := cluster.Remove(ctx, run, nil, nil)
	switch {
	case err != nil:
		return "", "", err
	case n == 0:
		return Gone, "", nil
	}
	return Removed, fmt.Sprintf("%d objects, and what their namespaces held", n), nil
}

// sameCluster is the access to a place, if it leads to the cluster that it led
// to when the objects were made.
func sameCluster(ctx context.Context, at remains.Place) (*rest.Config, error) {
	cfg, err := at.Config()
	if err != nil {
		return nil, err
	}
	uid, err := remains.UIDOf(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if uid != at.UID {
		return nil, fmt.Errorf("%s leads to another cluster now (its kube-system has the UID %s, not %s)", at, uid, at.UID)
	}
	return cfg, nil
}

// pathOf is the file of a run's ledger.
func pathOf(run string) string {
	dir, err := Dir()
	if err != nil {
		return run + suffix
	}
	return filepath.Join(dir, run+suffix)
}
