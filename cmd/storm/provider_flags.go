package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/existing"
	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/scenarios"
)

// providerFlags say where a run's cluster is. A cluster that storm did not make
// is named here and nowhere else: no file that somebody else wrote makes storm
// touch one.
type providerFlags struct {
	provider                  string
	kubeconfig, context       string
	etcd                      []string
	etcdCA, etcdCert, etcdKey string
}

func (f *providerFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.provider, "provider", "", "where the cluster runs: local, kind or existing (default what the scenario says)")
	flags.StringVar(&f.context, "context", "", "`name` of the kubeconfig's context whose cluster to use, with --provider existing")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "`file` that has the context (default as kubectl: KUBECONFIG, or ~/.kube/config)")
	flags.StringArrayVar(&f.etcd, "etcd-endpoints", nil, "`URL[,URL]` of the members of the existing cluster's etcd, or SHARD=URL[,URL]; they are read and never written to; repeatable")
	flags.StringVar(&f.etcdCA, "etcd-cacert", "", "`file` of the CA of these members")
	flags.StringVar(&f.etcdCert, "etcd-cert", "", "`file` of a client certificate for them")
	flags.StringVar(&f.etcdKey, "etcd-key", "", "`file` of its key")
}

// given names the first flag that is for existing clusters alone.
func (f *providerFlags) given() string {
	switch {
	case f.context != "":
		return "--context"
	case f.kubeconfig != "":
		return "--kubeconfig"
	case len(f.etcd) > 0:
		return "--etcd-endpoints"
	case cmp.Or(f.etcdCA, f.etcdCert, f.etcdKey) != "":
		return "--etcd-cacert, --etcd-cert and --etcd-key"
	}
	return ""
}

// check holds the flags to the cluster that the scenario has by them. named says
// that an existing cluster is to be used, and so must be named.
func (f *providerFlags) check(s *scenarios.Scenario, named bool) error {
	t, err := s.Trial(s.Profiles[0].Name, "")
	if err != nil {
		return err
	}
	provider := t.Cluster.Provider
	if flag := f.given(); flag != "" && provider != clusters.Existing {
		return usage("%s: it is for --provider existing, and this cluster is %s", flag, provider)
	}
	if provider != clusters.Existing {
		return nil
	}
	if _, err := f.shards(); err != nil {
		return err
	}
	if named && f.context == "" {
		return usage("provider existing: storm uses no cluster that is not named: give --context NAME%s", f.contexts())
	}
	return nil
}

// contexts says which there are to be named.
func (f *providerFlags) contexts() string {
	p, err := remains.PlaceOf(f.kubeconfig, "")
	if err != nil {
		return ""
	}
	names, err := p.Contexts()
	if err != nil || len(names) == 0 {
		return ", and --kubeconfig FILE where that is not kubectl's own"
	}
	return ", one of " + strings.Join(names, ", ")
}

// shards are the members that the flags name.
func (f *providerFlags) shards() ([]existing.Shard, error) {
	var out []existing.Shard
	seen := map[string]bool{}
	for _, arg := range f.etcd {
		shard := existing.Shard{Name: clusters.MainShard}
		urls := arg
		if name, rest, ok := strings.Cut(arg, "="); ok && !strings.Contains(name, "/") {
			shard.Name, urls = name, rest
		}
		for url := range strings.SplitSeq(urls, ",") {
			if !strings.HasPrefix(url, "https://") {
				return nil, usage("--etcd-endpoints %s: want https://host:port, or SHARD=https://host:port, several with commas", arg)
			}
			shard.Endpoints = append(shard.Endpoints, url)
		}
		if seen[shard.Name] {
			return nil, usage("--etcd-endpoints %s: the shard %s is given twice", arg, shard.Name)
		}
		seen[shard.Name] = true
		out = append(out, shard)
	}
	return out, nil
}
