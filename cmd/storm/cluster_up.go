package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/hand"
)

// defaultCluster is the name of a cluster that is given none.
const defaultCluster = "storm"

func (a *app) clusterUpVerb() *cobra.Command {
	var name string
	var f specFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster that stays until it is ended",
		Long: `up starts a control plane as processes of this machine: etcd, its shards, and
the Kubernetes servers, with mutual TLS. It stays until ` + "`storm cluster down`" + `,
also when this shell ends. --file takes the cluster of a scenario, or a file
with just what a scenario has under "cluster"; the other flags win over it.

With --provider kind it is a kind cluster instead: containers of Docker, one for
each apiserver and each etcd member.`,
		Example: `  storm cluster up
  storm cluster up --members 3 --shard events=/events
  storm cluster up --name old --kubernetes v1.35 --etcd v3.5
  storm cluster up --file my.yaml --profile fast-election
  storm cluster up --provider kind --members 3`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, err := f.spec()
			if err != nil {
				return err
			}
			store, err := components.Open(components.Options{})
			if err != nil {
				return err
			}
			show := newDisplay(a.stderr)
			defer show.close()
			show.line("starting the cluster %s", name)
			state, err := providerOf(spec).upByHand(cmd.Context(), name, upOptions{spec: spec, store: store, sink: show.event, imageFlags: a.images})
			if err != nil {
				return err
			}
			show.close()
			return a.printUp(cmd.Context(), state, store)
		},
	}
	cmd.Flags().StringVar(&name, "name", defaultCluster, "name of the cluster")
	f.add(cmd)
	a.images.add(cmd)
	a.outputFlag(cmd)
	return cmd
}

// printUp says how a cluster that is up is reached, and what comes next.
func (a *app) printUp(ctx context.Context, state hand.ByHand, store *components.Store) error {
	list, err := hand.List(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(f hand.Found) bool { return f.RunID == state.RunID })
	if i < 0 {
		return fmt.Errorf("cluster %s was up, and is gone again: its supervisor was ended", state.Name)
	}
	c := handClusterOf(list[i])
	if a.output == "table" {
		fmt.Fprint(a.stdout, upText(c, etcdctl(store, c.Versions["etcd main"])))
		return nil
	}
	return a.print(listing{data: c, names: []string{c.Name}})
}

// etcdctl is the cache's etcdctl of a version, or else the one in the PATH.
func etcdctl(store *components.Store, version string) string {
	list, err := store.List()
	if err != nil {
		return components.Etcdctl
	}
	for _, b := range list {
		if b.Name == components.Etcdctl && b.Version == version {
			return b.Path
		}
	}
	return components.Etcdctl
}

// upText is what up prints for people.
func upText(c handCluster, etcdctl string) string {
	var b strings.Builder
	line := func(what, value string) { fmt.Fprintf(&b, "  %-12s %s\n", what, plain(value)) }
	fmt.Fprintf(&b, "Cluster %s is %s.\n\n", plain(c.Name), plain(c.Status))
	line("kubeconfig", c.Kubeconfig)
	if c.KindName != "" {
		line("kind's name", c.KindName) // such as for kind load docker-image
	}
	for _, url := range c.APIServers {
		line("apiserver", url)
	}
	shards := slices.SortedFunc(maps.Keys(c.Etcd), func(x, y string) int { // main first
		return cmp.Or(cmp.Compare(btoi(y == clusters.MainShard), btoi(x == clusters.MainShard)), cmp.Compare(x, y))
	})
	for _, shard := range shards {
		line("etcd "+shard, strings.Join(c.Etcd[shard], ","))
	}
	line("etcd CA", c.EtcdCA)
	line("etcd cert", c.EtcdCert)
	line("etcd key", c.EtcdKey)
	line("logs", c.Logs)
	b.WriteString("\nNext:\n")
	fmt.Fprintf(&b, "  export KUBECONFIG=%s\n  kubectl get namespaces\n", quoted(c.Kubeconfig))
	if members := c.Etcd[clusters.MainShard]; len(members) > 0 {
		fmt.Fprintf(&b, "  %s \\\n    --endpoints %s \\\n    --cacert %s \\\n    --cert %s \\\n    --key %s \\\n    member list\n",
			quoted(etcdctl), strings.Join(members, ","), quoted(c.EtcdCA), quoted(c.EtcdCert), quoted(c.EtcdKey))
	}
	fmt.Fprintf(&b, "  storm cluster down %s\n", plain(c.Name))
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._-+,:@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return "'" + strings.ReplaceAll(plain(path), "'", `'\''`) + "'"
	}
	return path
}
