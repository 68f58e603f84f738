package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters/components"
)

// binaryFile is an executable of a cache.
func binaryFile(t *testing.T, name, content string) components.Binary {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	sum, err := components.Digest(file)
	if err != nil {
		t.Fatal(err)
	}
	return components.Binary{Name: name, Version: "v1.2.3", Path: file, SHA256: sum}
}

func sample(t *testing.T) layout {
	var l layout
	l.binary("/usr/bin/tool", binaryFile(t, "tool", "a program"))
	l.text("/etc/b", "text\n")
	l.symlink("/usr/bin/other", "tool")
	l.dir("/etc")
	return l
}

func TestTarOfALayout(t *testing.T) {
	l := sample(t)
	var archive bytes.Buffer
	if err := l.writeTar(&archive); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for tr := tar.NewReader(bytes.NewReader(archive.Bytes())); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(h.FileInfo().Mode().String() + " " + h.Name + " " + h.Linkname + " " + strings.TrimSpace(string(data)) + "\n")
	}
	const want = `drwxr-xr-x etc/  
-rw-r--r-- etc/b  text
Lrwxrwxrwx usr/bin/other tool 
-rwxr-xr-x usr/bin/tool  a program
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
	var again bytes.Buffer
	l[0], l[3] = l[3], l[0]
	if err := l.writeTar(&again); err != nil || !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Errorf("in another order the layout is another archive: %v", err)
	}
}

// Whatever of a layout changes, its key does; and its order is none of it.
func TestKeyOfALayout(t *testing.T) {
	l := sample(t)
	key := l.key()
	seen := map[string]string{key: "as it was"}
	for what, change := range map[string]func(l layout){
		"another path":    func(l layout) { l[1].path = "/etc/c" },
		"another mode":    func(l layout) { l[1].mode = 0o755 },
		"another text":    func(l layout) { l[1].data = []byte("Text\n") },
		"another link":    func(l layout) { l[2].link = "tools" },
		"another program": func(l layout) { l[0].sum = l[0].sum[1:] + "0" },
	} {
		changed := append(layout{}, l...)
		change(changed)
		if was, ok := seen[changed.key()]; ok {
			t.Errorf("%s has the key of %s", what, was)
		}
		seen[changed.key()] = what
	}
	l[0], l[3] = l[3], l[0]
	if l.key() != key {
		t.Error("the key depends on the order")
	}
}
