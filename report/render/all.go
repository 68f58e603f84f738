package render

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/storm-harness/storm/report"
)

// Paths are the files that All wrote.
type Paths struct {
	HTML, Markdown, JSON, JUnit string
}

// All writes report.html, report.md, report.json and junit.xml into dir. Each
// is written aside and renamed, so that a reader never sees half a report, and
// an older report stays where a new one cannot be written.
func All(dir string, r *report.Result) (Paths, error) {
	paths := Paths{
		HTML: filepath.Join(dir, "report.html"), Markdown: filepath.Join(dir, "report.md"),
		JSON: filepath.Join(dir, "report.json"), JUnit: filepath.Join(dir, "junit.xml"),
	}
	for _, f := range []struct {
		path   string
		render func(io.Writer, *report.Result) error
	}{{paths.HTML, HTML}, {paths.Markdown, Markdown}, {paths.JSON, JSON}, {paths.JUnit, JUnit}} {
		var b bytes.Buffer
		if err := f.render(&b, r); err != nil {
			return Paths{}, fmt.Errorf("render %s: %w", filepath.Base(f.path), err)
		}
		if err := replace(f.path, b.Bytes()); err != nil {
			return Paths{}, fmt.Errorf("write the report: %w", err)
		}
	}
	return paths, nil
}

// replace writes a file aside and renames it into place.
func replace(path string, data []byte) error {
	aside, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(aside.Name()) }() // after the rename there is nothing to remove
	if _, err := aside.Write(data); err != nil {
		_ = aside.Close()
		return err
	}
	if err := aside.Close(); err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}
