package ready

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
)

// elsewhere are resources that an API server serves and keeps by no override: Events
// of the newer group are those of the older one, and two servers within it have a
// storage of their own (k8s.io/apiextensions-apiserver, k8s.io/kube-aggregator).
var elsewhere = []string{"events.k8s.io/events", "apiextensions.k8s.io/customresourcedefinitions", "apiregistration.k8s.io/apiservices"}

// Held returns an error where a further shard is to hold a resource that the
// API server does not keep by its overrides: it takes the override, the shard stays
// empty, and nothing would tell a scenario so. Custom resources, which always are in
// the main shard, are not there yet when it is asked.
func Held(ctx context.Context, config *rest.Config, spec clusters.Spec) error {
	further := spec.AllShards()[1:]
	if len(further) == 0 {
		return nil
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	var served map[string]bool
	if err := Patiently(ctx, func(context.Context) (err error) {
		served, err = keptBy(client)
		return err
	}); err != nil {
		return fmt.Errorf("which resources the API server has: %w", err)
	}
	return unserved(further, served)
}

// keptBy are the resources of an API server that have objects, by group/resource.
func keptBy(client discovery.DiscoveryInterface) (map[string]bool, error) {
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			// What cannot be watched is a subresource, or is kept nowhere.
			if slices.Contains(r.Verbs, "watch") {
				kept[gv.Group+"/"+r.Name] = true
			}
		}
	}
	for _, name := range elsewhere {
		delete(kept, name)
	}
	return kept, nil
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
			return fmt.Errorf("etcd.shards[%d].resources[%d]: the API server keeps no built-in resource %s by its overrides, so that the shard %s would stay empty of it: %s", i, j, r, sh.Name, hint)
		}
	}
	return nil
}
