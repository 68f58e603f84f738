package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/strict"
)

func read(t *testing.T, path string) Source {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Source{filepath.Base(path), text}
}

func TestInvalidFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := Load(read(t, file), testKinds(), Changes{})
			var problems strict.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("wanted problems, got %v", err)
			}
			golden.File(t, strings.TrimSuffix(file, ".yaml")+".golden", problems.Error()+"\n")
		})
	}
}

func TestWarnings(t *testing.T) {
	files, err := filepath.Glob("testdata/warning-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			s, err := Load(read(t, file), testKinds(), Changes{})
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Warnings) == 0 {
				t.Fatal("no warning")
			}
			golden.File(t, strings.TrimSuffix(file, ".yaml")+".golden", s.Warnings.Error()+"\n")
		})
	}
}
