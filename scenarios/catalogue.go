package scenarios

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/scenarios/catalog"
)

// Catalogue lists the names of the scenarios that come with storm.
func Catalogue() ([]string, error) {
	files, err := fs.Glob(catalog.Files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the catalogue: %w", err)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f, ".yaml")
	}
	return names, nil
}

// Open returns the scenario of that name in the catalogue, or the file of that
// path; what ends in .yaml or .yml, or has a slash, is a path.
func Open(nameOrPath string) (Source, error) {
	if strings.ContainsRune(nameOrPath, '/') || strings.HasSuffix(nameOrPath, ".yaml") || strings.HasSuffix(nameOrPath, ".yml") {
		text, err := os.ReadFile(nameOrPath)
		if err != nil {
			return Source{}, fmt.Errorf("read the scenario: %w", err)
		}
		return Source{nameOrPath, text}, nil
	}
	text, err := catalog.Files.ReadFile(nameOrPath + ".yaml")
	if err != nil {
		names, err := Catalogue()
		if err != nil {
			return Source{}, err
		}
		return Source{}, fmt.Errorf("there is no scenario %q: %s; a file is named by its path, such as ./%s.yaml",
			nameOrPath, strict.Suggest(nameOrPath, "scenarios", names), nameOrPath)
	}
	return Source{nameOrPath, text}, nil
}
