package pki

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
)

// Issuer opens the authority of a cluster that another process has started, by
// its directory of certificates (clusters.Access.PKI). What it returns is
// clusters.Access.Issue for this process; it shares a key of its own.
func Issuer(dir string) (func(user string, groups ...string) (tls.Certificate, error), error) {
	// Opening makes what is not there: that would be another authority.
	if _, err := os.Stat(filepath.Join(dir, ClusterCA+".key")); err != nil {
		return nil, fmt.Errorf("the cluster's authority: %w", err)
	}
	p, err := Open(dir)
	if err != nil {
		return nil, err
	}
	return p.Issue, nil
}
