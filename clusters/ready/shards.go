package ready

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
)

// Held returns an error where a further shard is to hold a resource that the
// API server does not serve: it takes the override, the shard stays empty, and
// nothing would tell a scenario so. Custom resources, which always are in the main
// shard, are not there yet when it is asked.
func Held(config *rest.Config, spec clusters.Spec) error {
	further := spec.AllShards()[1:]
	if len(further) == 0 {
		return nil
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	served := map[string]bool{}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return fmt.Errorf("which resources the API server has: %w", err)
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return fmt.Errorf("which resources the API server has: %w", err)
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") { // that is a subresource
				served[gv.Group+"/"+r.Name] = true
			}
		}
	}
	return unserved(further, served)
}

// unserved is an error where a shard is to hold what is not served, by group/resource.
func unserved(shards []clusters.Shard, served map[string]bool) error {
	for i, sh := range shards {
		for j, r := range sh.Resources {
			if served[r] {
				continue
			}
			_, name, _ := strings.Cut(r, "/")
			var meant []string
			for s := range served {
				if strings.HasSuffix(s, "/"+name) {
					meant = append(meant, s)
				}
			}
			slices.Sort(meant)
			hint := "see `kubectl api-resources`"
			if len(meant) > 0 {
				hint = "did you mean " + strings.Join(meant, " or ") + "?"
			}
			return fmt.Errorf("etcd.shards[%d].resources[%d]: the API server has no built-in resource %s, so that the shard %s would stay empty of it: %s", i, j, r, sh.Name, hint)
		}
	}
	return nil
}
