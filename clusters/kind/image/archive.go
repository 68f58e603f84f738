package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// podImage is an image that is loaded into a node: what pods of the control
// plane are of. It has one layer; several images may have the same one.
type podImage struct {
	name       string // registry.k8s.io/kube-apiserver:v1.36.3
	files      layout
	entrypoint []string // nil where a pod names its command
}

// The media types of the OCI image specification.
const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
)

// descriptor points to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// writeArchive writes images as an archive of the OCI image layout, which
// containerd imports. Its bytes depend on nothing but the images. Layers are not
// compressed: they are read once, on the same machine.
func writeArchive(w io.Writer, images []podImage) error {
	a := archive{tar: tar.NewWriter(w), written: map[string]bool{}}
	if err := a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	layers := map[string]descriptor{} // by the key of the layout
	var manifests []descriptor
	for _, image := range images {
		key := image.files.key()
		layer, ok := layers[key]
		if !ok {
			var err error
			if layer, err = a.layer(image.files); err != nil {
				return fmt.Errorf("layer of %s: %w", image.name, err)
			}
			layers[key] = layer
		}
		manifest, err := a.image(image, layer)
		if err != nil {
			return err
		}
		manifests = append(manifests, manifest)
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": manifests})
	if err != nil {
		return err
	}
	if err := a.file("index.json", index); err != nil {
		return err
	}
	return a.tar.Close()
}

// archive is one that is being written.
type archive struct {
	tar     *tar.Writer
	written map[string]bool // blobs, by their digest
}

// layer writes a layout as a layer. It is read twice: an entry of an archive
// begins with its digest and its size.
func (a *archive) layer(l layout) (descriptor, error) {
	measure := &meter{hash: sha256.New()}
	if err := l.writeTar(measure); err != nil {
		return descriptor{}, err
	}
	d := descriptor{MediaType: typeLayer, Digest: measure.digest(), Size: measure.size}
	if err := a.tar.WriteHeader(blobHeader(d)); err != nil {
		return d, err
	}
	return d, l.writeTar(a.tar)
}

// image writes the configuration and the manifest of an image, and returns what
// points to it.
func (a *archive) image(image podImage, layer descriptor) (descriptor, error) {
	config, err := a.blob(typeConfig, map[string]any{
		"architecture": runtime.GOARCH, "os": runtime.GOOS,
		"config": map[string]any{
			"Env":        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			"Entrypoint": image.entrypoint,
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	})
	if err != nil {
		return config, err
	}
	manifest, err := a.blob(typeManifest, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "config": config, "layers": []descriptor{layer},
	})
	if err != nil {
		return manifest, err
	}
	_, tag, _ := strings.Cut(image.name[strings.LastIndex(image.name, "/")+1:], ":")
	manifest.Annotations = map[string]string{"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": tag}
	return manifest, nil
}

// blob writes a value as JSON, once.
func (a *archive) blob(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	sum := sha256.Sum256(data)
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(data))}
	if a.written[d.Digest] {
		return d, nil
	}
	a.written[d.Digest] = true
	if err := a.tar.WriteHeader(blobHeader(d)); err != nil {
		return d, err
	}
	_, err = a.tar.Write(data)
	return d, err
}

func (a *archive) file(name string, data []byte) error {
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	_, err := a.tar.Write(data)
	return err
}

func blobHeader(d descriptor) *tar.Header {
	return &tar.Header{
		Name: "blobs/sha256/" + strings.TrimPrefix(d.Digest, "sha256:"), Mode: 0o644, Size: d.Size, ModTime: time.Unix(0, 0),
	}
}

// meter takes the digest and the size of what is written.
type meter struct {
	hash hash.Hash
	size int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return m.hash.Write(p)
}

func (m *meter) digest() string { return "sha256:" + hex.EncodeToString(m.hash.Sum(nil)) }

// archiveKey is the digest of all that the images are.
func archiveKey(images []podImage) string {
	h := sha256.New()
	for _, image := range slices.SortedFunc(slices.Values(images), func(a, b podImage) int { return strings.Compare(a.name, b.name) }) {
		fmt.Fprintf(h, "%s %q %s\n", image.name, image.entrypoint, image.files.key())
	}
	return hex.EncodeToString(h.Sum(nil))
}
