package main

import (
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/storm-harness/storm/clusters/hand"
)

func (a *app) clusterListVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the clusters that were started by hand",
		Example: "  storm cluster list\n  storm cluster list -o yaml",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := hand.List(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(listHandClusters(found, time.Now()))
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// listHandClusters is the listing of the clusters that were found.
func listHandClusters(found []hand.Found, now time.Time) listing {
	data := []handCluster{}
	l := listing{head: []string{"NAME", "AGE", "KUBERNETES", "ETCD", "STATUS"}}
	for _, f := range found {
		data = append(data, handClusterOf(f))
		age := "-"
		if !f.Started.IsZero() {
			age = duration.HumanDuration(now.Sub(f.Started))
		}
		l.rows = append(l.rows, []string{f.Name, age, orDash(f.Versions["kube-apiserver"]), orDash(f.Versions["etcd main"]), handStatus(f)})
		l.names = append(l.names, f.Name)
	}
	if len(found) == 0 {
		l.head, l.rows = nil, [][]string{{"There is no cluster: run `storm cluster up`."}}
	}
	l.data = data
	return l
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
