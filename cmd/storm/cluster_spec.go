package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/scenarios"
)

// mostMembers is what a scenario may ask for too.
const mostMembers = 9

// specFlags are the flags that say what cluster is wanted.
type specFlags struct {
	cmd        *cobra.Command
	file       string
	profile    string
	kubernetes string
	etcd       string
	members    int
	shards     []string
	network    string
	provider   string
}

func (f *specFlags) add(cmd *cobra.Command) {
	f.cmd = cmd
	kubernetes, etcd := defaultVersions()
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "`file` of a scenario, or of a cluster's spec; or the name of a scenario that comes with storm")
	cmd.Flags().StringVar(&f.profile, "profile", "", "which of the scenario's profiles (default the first)")
	cmd.Flags().StringVar(&f.kubernetes, "kubernetes", kubernetes, "version of Kubernetes")
	cmd.Flags().StringVar(&f.etcd, "etcd", etcd, "version of etcd")
	cmd.Flags().IntVar(&f.members, "members", 1, "members of the main etcd shard")
	cmd.Flags().StringArrayVar(&f.shards, "shard", nil, "`name=resource[,resource]` of a further shard with one member, such as events=/events; repeatable")
	cmd.Flags().StringVar(&f.provider, "provider", "local", "where it runs: local or kind")
	cmd.Flags().StringVar(&f.network, "network", "auto", "how members are connected: auto, namespaces or loopback")
}

// spec is the wanted cluster: the file's, with the flags that were given over it.
func (f *specFlags) spec() (clusters.Spec, error) {
	spec, err := f.base()
	if err != nil {
		return spec, err
	}
	given := f.cmd.Flags().Changed
	if given("kubernetes") {
		k := &spec.Kubernetes
		k.Version, k.APIServer.Version, k.ControllerManager.Version, k.Scheduler.Version = f.kubernetes, "", "", ""
	}
	if given("etcd") {
		spec.Etcd.Version = f.etcd
		for i := range spec.Etcd.Shards {
			spec.Etcd.Shards[i].Version = ""
		}
	}
	if given("members") {
		if f.members < 1 || f.members > mostMembers {
			return spec, usage("--members %d: a shard has 1 to %d members", f.members, mostMembers)
		}
		spec.Etcd.Members = f.members
	}
	if given("network") {
		spec.Network = f.network
	}
	for _, text := range f.shards {
		name, resources, ok := strings.Cut(text, "=")
		if !ok || name == "" || resources == "" {
			return spec, usage("--shard %s: want name=resource[,resource], such as events=/events", text)
		}
		spec.Etcd.Shards = append(spec.Etcd.Shards, clusters.Shard{Name: name, Resources: strings.Split(resources, ",")})
	}
	switch spec.Network {
	case "", "auto", "namespaces", "loopback":
	default:
		return spec, usage("--network %s: the networks are auto, namespaces and loopback", spec.Network)
	}
	if given("provider") {
		spec.Provider = f.provider
	}
	if providerOf(spec).upByHand == nil {
		return spec, usage("the provider %s: storm starts no cluster of it by hand", spec.Provider)
	}
	if problems := checkCluster(spec); len(problems) > 0 {
		return spec, usage("the cluster cannot be started:\n  %s", strings.Join(problems, "\n  "))
	}
	return spec, nil
}

// base is the file's spec.
func (f *specFlags) base() (clusters.Spec, error) {
	if f.file == "" {
		if f.profile != "" {
			return clusters.Spec{}, usage("--profile %s: name the scenario that it is of with --file", f.profile)
		}
		return clusters.Spec{}, nil
	}
	src, err := scenarios.Open(f.file)
	if err != nil {
		return clusters.Spec{}, usage("--file: %w", err)
	}
	root, problems := strict.Parse(src.Name, src.Text)
	if err := problems.Err(); err != nil {
		return clusters.Spec{}, problemsOf(f.file, err)
	}
	if root.Kind == strict.Map && (root.Get("kind") != nil || root.Get("apiVersion") != nil) {
		return f.ofScenario(src)
	}
	if f.profile != "" {
		return clusters.Spec{}, usage("--profile %s: %s is no scenario, and has no profiles", f.profile, f.file)
	}
	var spec clusters.Spec
	if err := (strict.Decoder{}).Decode(root, &spec).Sorted().Err(); err != nil {
		return spec, problemsOf(f.file, err)
	}
	return spec, nil
}

// ofScenario is the cluster of a scenario under a profile.
func (f *specFlags) ofScenario(src scenarios.Source) (clusters.Spec, error) {
	s, err := scenarios.Load(src, kinds(), scenarios.Changes{})
	if err != nil {
		return clusters.Spec{}, problemsOf(f.file, err)
	}
	var names []string
	for _, p := range s.Profiles {
		names = append(names, p.Name)
	}
	profile := cmp.Or(f.profile, names[0])
	if !slices.Contains(names, profile) {
		return clusters.Spec{}, usage("--profile %s: %s has no such profile: %s", profile, s.Name, strict.Suggest(profile, "profiles", names))
	}
	t, err := s.Trial(profile, "")
	return t.Cluster, err
}
