package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/kind"
)

func (a *app) clusterVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Clusters for use by hand: up, list, logs, down",
		Args:  onlyVerbs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.clusterUpVerb(), a.clusterListVerb(), a.clusterLogsVerb(), a.clusterDownVerb())
	return cmd
}

// handCluster is a cluster by hand, as up and list print it.
type handCluster struct {
	Name       string              `json:"name"`
	Status     string              `json:"status"` // up; degraded: …; not up: …; gone: …
	Started    time.Time           `json:"started,omitzero"`
	Kubeconfig string              `json:"kubeconfig"`
	KindName   string              `json:"kindName,omitempty"` // as kind's own commands call it
	APIServers []string            `json:"apiservers"`
	Etcd       map[string][]string `json:"etcd"` // client URLs by shard
	EtcdCA     string              `json:"etcdCA"`
	EtcdCert   string              `json:"etcdCert"`
	EtcdKey    string              `json:"etcdKey"`
	Logs       string              `json:"logs"`
	Versions   map[string]string   `json:"versions,omitempty"`
	Supervisor int                 `json:"supervisor"` // its process
	Processes  map[string]int      `json:"processes"`  // those that run, by name
}

// handClusterOf puts together what is known of a cluster.
func handClusterOf(f hand.Found) handCluster {
	out := handCluster{
		Name: f.Name, Status: handStatus(f), Started: f.Started, Kubeconfig: f.Kubeconfig,
		APIServers: []string{}, Etcd: map[string][]string{},
		EtcdCA: f.EtcdCA, EtcdCert: f.EtcdCert, Logs: f.Logs, Versions: f.Versions, Supervisor: f.Supervisor, Processes: map[string]int{},
	}
	if f.Spec.Provider == clusters.KindCluster {
		out.KindName = kind.NameOf(f.RunID)
	}
	if base, ok := strings.CutSuffix(f.EtcdCert, ".crt"); ok {
		out.EtcdKey = base + ".key"
	}
	for _, s := range f.Processes {
		if s.Running {
			out.Processes[s.Name] = s.PID
		}
	}
	spec := f.Spec.Defaulted()
	for i := range *spec.Kubernetes.APIServer.Replicas {
		if url, ok := f.Endpoints[clusters.ID{Kind: clusters.KindAPIServer, Index: i}.String()]; ok {
			out.APIServers = append(out.APIServers, url)
		}
	}
	for _, sh := range spec.AllShards() {
		for i := range sh.Members {
			if url, ok := f.Endpoints[clusters.ID{Kind: clusters.KindEtcd, Shard: sh.Name, Index: i}.String()]; ok {
				out.Etcd[sh.Name] = append(out.Etcd[sh.Name], url)
			}
		}
	}
	return out
}

// handStatus is a cluster's state in words.
func handStatus(f hand.Found) string {
	switch {
	case f.Problem != "" && f.Started.IsZero():
		return strings.TrimPrefix(f.Problem, "cluster "+f.Name+" is ")
	case f.Problem != "":
		return "gone: " + f.Problem
	}
	var ended []string
	for _, name := range slices.Sorted(maps.Keys(f.Processes)) {
		if s := f.Processes[name]; !s.Running {
			ended = append(ended, fmt.Sprintf("%s ended with %s", name, s.Exit))
		}
	}
	if len(ended) > 0 {
		return "degraded: " + strings.Join(ended, ", ")
	}
	return "up"
}

// handNames completes the names of the clusters that there are.
func handNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	found, err := hand.List(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
