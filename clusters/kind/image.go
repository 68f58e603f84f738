package kind

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/docker"
)

// Repositories of node images: storm's own, which `make kind-image` builds, and
// kind's.
const (
	ownNodes  = "storm/node"
	kindNodes = "kindest/node"
)

// image is a node image.
type image struct {
	name    string
	id      string // sha256:…; empty until it is there
	version string // of Kubernetes: v1.36.3, or v1.36 where the name does not say

	goVersion string // of its servers; empty until one has said it
}

// imageOf finds the node image of a spec: the one that was named, or else storm's
// own of the version, or kind's. Of a minor version, the newest that is there.
func imageOf(ctx context.Context, spec clusters.Spec, named string) (image, error) {
	version := spec.Kubernetes.Version
	if named != "" {
		i := image{name: named, version: cmp.Or(versionIn(named), version)}
		if err := i.fits(version); err != nil {
			return i, err
		}
		return i.look(ctx)
	}
	there := map[string][]string{}
	for _, repository := range []string{ownNodes, kindNodes} {
		tags, err := docker.Lines(ctx, "image", "ls", "--format", "{{.Tag}}", repository)
		if err != nil {
			return image{}, err
		}
		there[repository] = tags
	}
	return chosen(version, there, defaults.Image).look(ctx)
}

// chosen picks an image of a version among the tags that are there, by
// repository; usual is what this kind takes by itself.
func chosen(version string, there map[string][]string, usual string) image {
	for _, repository := range []string{ownNodes, kindNodes} {
		var fit []string
		for _, tag := range there[repository] {
			if isOf(tag, version) {
				fit = append(fit, tag)
			}
		}
		if len(fit) > 0 {
			newest := slices.MaxFunc(fit, semver.Compare)
			return image{name: repository + ":" + newest, version: newest}
		}
	}
	if isOf(versionIn(usual), version) {
		return image{name: usual, version: versionIn(usual)}
	}
	return image{name: kindNodes + ":" + version, version: version}
}

// isOf says whether a version is the one that is wanted, or of the minor version
// that is.
func isOf(version, wanted string) bool {
	return version == wanted || strings.Count(wanted, ".") == 1 && semver.IsValid(version) && semver.MajorMinor(version) == wanted
}

// fits returns an error for an image of another version than is wanted: profiles
// of two versions would otherwise run the same, and be compared.
func (i image) fits(wanted string) error {
	if isOf(i.version, wanted) {
		return nil
	}
	return fmt.Errorf("the node image %s is of Kubernetes %s, and the cluster is to be of %s: set kubernetes.version (--kubernetes) to %s, or name another image", i.name, i.version, wanted, semver.MajorMinor(i.version))
}

// versionIn is the version in an image's name, empty where there is none.
func versionIn(name string) string {
	name, _, _ = strings.Cut(name, "@")
	tag := name[strings.LastIndexByte(name, ':')+1:]
	if semver.IsValid(tag) {
		return tag
	}
	return ""
}

// look notes which image it is, if it is there.
func (i image) look(ctx context.Context) (image, error) {
	id, err := docker.Run(ctx, "image", "inspect", "--format", "{{.Id}}", i.name)
	if docker.Says(err, "no such image", "not found") {
		return i, nil
	}
	i.id = id
	return i, err
}

// get gets the image, unless it is there.
func (i image) get(ctx context.Context, store *components.Store, sink clusters.Sink) (image, error) {
	if i.id != "" {
		return i, nil
	}
	if !i.open() {
		return i.pull(ctx, sink)
	}
	const otherwise = "name the patch release (kubernetes.version: %[1]s.N), an image with --node-image, or build one with `make kind-image`"
	newest, err := store.Newest(ctx, components.APIServer, i.version)
	if err != nil {
		return i, fmt.Errorf("no node image of Kubernetes %[1]s is there, and which patch releases it has is not known: "+otherwise+" (%[2]w)", i.version, err)
	}
	var last error
	for _, p := range patches(newest) {
		got, err := p.pull(ctx, sink)
		if err == nil {
			return got, nil
		}
		if last = err; !docker.Says(err, "manifest unknown", "manifest for", "not found") {
			break // not for want of that image
		}
	}
	return i, fmt.Errorf("no node image of Kubernetes %[1]s is there, and none can be had: "+otherwise+" (%[2]w)", i.version, last)
}

// open says that the image is kind's of a minor version, of which there are some of
// patch releases. An image that somebody named is none other.
func (i image) open() bool {
	return i.name == kindNodes+":"+i.version && strings.Count(i.version, ".") == 1
}

// patches are kind's images of a patch release and of those before it.
func patches(newest string) []image {
	minor, patch := semver.MajorMinor(newest), 0
	if _, err := fmt.Sscanf(newest, minor+".%d", &patch); err != nil {
		return nil
	}
	var out []image
	for ; patch >= 0; patch-- {
		version := fmt.Sprintf("%s.%d", minor, patch)
		out = append(out, image{name: kindNodes + ":" + version, version: version})
	}
	return out
}

// pull gets the image from its registry.
func (i image) pull(ctx context.Context, sink clusters.Sink) (image, error) {
	sink(clusters.Event{Text: "pulling the node image " + i.name})
	if _, err := docker.Run(ctx, "pull", "--quiet", i.name); err != nil {
		return i, fmt.Errorf("the node image %s is not there and cannot be pulled: name another with --node-image, load one with `docker load`, or build one with `make kind-image` (%w)", i.name, err)
	}
	return i.look(ctx)
}

// Obtain gets what a spec runs: the node image, and etcd's binaries.
func Obtain(ctx context.Context, o Options) error {
	o.Spec = o.Spec.Defaulted()
	if _, err := docker.Ping(ctx); err != nil {
		return err
	}
	i, err := imageOf(ctx, o.Spec, o.NodeImage)
	if err != nil {
		return err
	}
	if _, err := i.get(ctx, o.Store, o.Sink); err != nil {
		return err
	}
	_, err = etcdBinaries(ctx, o.Store, o.Spec, o.Sink)
	return err
}
