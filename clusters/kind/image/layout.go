package image

import (
	"archive/tar"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters/components"
)

// layout is what is laid over a file system: directories, files and symbolic
// links, all of root.
type layout []entry

// entry is one of them. Its path is absolute.
type entry struct {
	path string
	mode fs.FileMode // with fs.ModeDir and fs.ModeSymlink
	link string      // where a symbolic link points
	data []byte      // of a small file
	// file is where a large one's content is, of the digest sum.
	file, sum string
}

// dir, text, put, symlink and binary add to a layout; binary an executable of
// the cache.
func (l *layout) dir(name string) { *l = append(*l, entry{path: name, mode: fs.ModeDir | 0o755}) }

func (l *layout) text(name, data string) { l.put(name, 0o644, []byte(data)) }

func (l *layout) put(name string, mode fs.FileMode, data []byte) {
	*l = append(*l, entry{path: name, mode: mode, data: data})
}

func (l *layout) symlink(name, target string) {
	*l = append(*l, entry{path: name, mode: fs.ModeSymlink | 0o777, link: target})
}

func (l *layout) binary(name string, b components.Binary) {
	*l = append(*l, entry{path: name, mode: 0o755, file: b.Path, sum: b.SHA256})
}

// sorted returns the entries by path, so that a directory comes before what is
// in it, and the same layout is always the same bytes.
func (l layout) sorted() layout {
	return slices.SortedFunc(slices.Values(l), func(a, b entry) int { return cmp.Compare(a.path, b.path) })
}

// key is the digest of all that the layout is.
func (l layout) key() string {
	h := sha256.New()
	for _, e := range l.sorted() {
		sum := e.sum
		if e.file == "" {
			digest := sha256.Sum256(e.data)
			sum = hex.EncodeToString(digest[:])
		}
		fmt.Fprintf(h, "%q %s %q %s\n", e.path, e.mode, e.link, sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// String lists the layout, a line an entry.
func (l layout) String() string {
	var b strings.Builder
	for _, e := range l.sorted() {
		fmt.Fprintf(&b, "%s %s", e.mode, e.path)
		switch {
		case e.link != "":
			fmt.Fprintf(&b, " -> %s", e.link)
		case e.file != "":
			fmt.Fprintf(&b, " = %s", path.Base(e.file))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// writeTar writes the layout as a tar archive. Its bytes depend on nothing but
// the layout.
func (l layout) writeTar(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, e := range l.sorted() {
		if err := e.writeTo(tw); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return tw.Close()
}

func (e entry) writeTo(tw *tar.Writer) error {
	h := &tar.Header{
		Name: strings.TrimPrefix(e.path, "/"), Mode: int64(e.mode.Perm()), Linkname: e.link,
		ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Size: int64(len(e.data)),
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag = tar.TypeDir
		h.Name += "/"
	case e.link != "":
		h.Typeflag = tar.TypeSymlink
	case e.file != "":
		f, err := os.Open(e.file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		h.Size = info.Size()
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.Copy(tw, f)
		return err
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := tw.Write(e.data)
	return err
}
