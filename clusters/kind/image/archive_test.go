package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// podImagesOf are three images, of which two are of one layer.
func podImagesOf(t *testing.T) []podImage {
	l := sample(t)
	var other layout
	other.binary("/pause", binaryFile(t, "pause", "another program"))
	return []podImage{
		{name: "registry.example/a:v1", files: l, entrypoint: []string{"a"}},
		{name: "registry.example/b/b:v1", files: l, entrypoint: []string{"b"}},
		{name: "registry.example:5000/pause:3.10", files: other},
	}
}

// The archive is what the specification of image layouts asks for: every blob
// has its digest for a name, and what points to it says its size.
func TestArchiveIsAnImageLayout(t *testing.T) {
	images := podImagesOf(t)
	var out bytes.Buffer
	if err := writeArchive(&out, images); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, out.Bytes())
	if string(files["oci-layout"]) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout: %s", files["oci-layout"])
	}
	blob := func(d descriptor) []byte {
		t.Helper()
		data, ok := files["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if sum := sha256.Sum256(data); !ok || int64(len(data)) != d.Size || "sha256:"+hex.EncodeToString(sum[:]) != d.Digest {
			t.Fatalf("%s is not what %+v points to", data, d)
		}
		return data
	}
	var index struct{ Manifests []descriptor }
	decode(t, files["index.json"], &index)
	var names []string
	layers := map[string]bool{}
	for i, d := range index.Manifests {
		names = append(names, d.Annotations["io.containerd.image.name"])
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		decode(t, blob(d), &manifest)
		var config struct {
			Config struct{ Entrypoint []string }
			RootFS struct {
				DiffIDs []string `json:"diff_ids"`
			}
		}
		decode(t, blob(manifest.Config), &config)
		if !slices.Equal(config.Config.Entrypoint, images[i].entrypoint) {
			t.Errorf("%s runs %q", names[i], config.Config.Entrypoint)
		}
		if len(manifest.Layers) != 1 || !slices.Equal(config.RootFS.DiffIDs, []string{manifest.Layers[0].Digest}) {
			t.Errorf("layers of %s: %+v, %q", names[i], manifest.Layers, config.RootFS.DiffIDs)
		}
		layers[manifest.Layers[0].Digest] = true
		if len(unpack(t, blob(manifest.Layers[0]))) == 0 {
			t.Errorf("the layer of %s is empty", names[i])
		}
	}
	if want := []string{images[0].name, images[1].name, images[2].name}; !slices.Equal(names, want) {
		t.Errorf("images are called %q, want %q", names, want)
	}
	if len(layers) != 2 || len(files) != 2+2+3+3 {
		t.Errorf("%d layers in %d files: a layer that two images have is stored once", len(layers), len(files))
	}
	if tag := index.Manifests[2].Annotations["org.opencontainers.image.ref.name"]; tag != "3.10" {
		t.Errorf("tag %q of an image whose registry has a port", tag)
	}
}

func TestKeyOfImages(t *testing.T) {
	images := podImagesOf(t)
	key := archiveKey(images)
	images[0], images[2] = images[2], images[0]
	if archiveKey(images) != key {
		t.Error("the key depends on the order")
	}
	images[0].entrypoint = []string{"/pause"}
	if archiveKey(images) == key {
		t.Error("another entry point has the same key")
	}
}

func unpack(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		files[h.Name] = content
	}
}

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}
