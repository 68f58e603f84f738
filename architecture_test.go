package storm_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/storm-harness/storm/"

// TestImportsFollowTheArchitecture holds the code to the table of
// docs/architecture.md: dependencies go one way.
func TestImportsFollowTheArchitecture(t *testing.T) {
	allowed := table(t)
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name, inside := strings.CutPrefix(p.ImportPath, module)
		if !inside {
			continue
		}
		seen++
		row := rowOf(allowed, name)
		if row == "" {
			t.Errorf("%s has no row in docs/architecture.md", name)
			continue
		}
		for _, imported := range p.Imports {
			target, ours := strings.CutPrefix(imported, module)
			if ours && !permitted(allowed[row], row, target) {
				t.Errorf("%s imports %s, which docs/architecture.md does not allow %s", name, target, row)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

// permitted says whether a row's packages may import the target.
func permitted(may []string, row, target string) bool {
	for _, m := range append(may, row) {
		if m == "everything" || target == m || strings.HasPrefix(target, m+"/") {
			return true
		}
	}
	return false
}

// rowOf is the longest folder of the table that holds the package.
func rowOf(allowed map[string][]string, name string) string {
	best := ""
	for folder := range allowed {
		if (name == folder || strings.HasPrefix(name, folder+"/")) && len(folder) > len(best) {
			best = folder
		}
	}
	return best
}

// table reads the folders and what each may import.
func table(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\|.*\\| ([^|]+) \\|$")
	out := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		out[m[1]] = strings.Split(strings.TrimPrefix(m[2], "nothing of storm but "), ", ")
	}
	if len(out) < 8 {
		t.Fatalf("the table of docs/architecture.md has %d rows: its form has changed", len(out))
	}
	return out
}
