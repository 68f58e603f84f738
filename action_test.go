package storm_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is what a composite action of GitHub has.
type action struct {
	Inputs  map[string]struct{ Required bool }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Uses, Shell, Run string
			With, Env            map[string]string
		}
	}
}

func theAction(t *testing.T) action {
	t.Helper()
	text, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAction: action.yml is a composite action, whose scripts are sound and take
// nothing in by substitution: what a caller gives comes by the environment.
func TestAction(t *testing.T) {
	a := theAction(t)
	if a.Runs.Using != "composite" || len(a.Runs.Steps) < 3 || len(a.Outputs) == 0 {
		t.Fatalf("using %q, %d steps, %d outputs", a.Runs.Using, len(a.Runs.Steps), len(a.Outputs))
	}
	used := regexp.MustCompile(`inputs\.([a-z-]+)`)
	named := map[string]bool{}
	text, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range used.FindAllStringSubmatch(string(text), -1) {
		named[m[1]] = true
		if _, ok := a.Inputs[m[1]]; !ok {
			t.Errorf("inputs.%s is used and not declared", m[1])
		}
	}
	for name := range a.Inputs {
		if !named[name] {
			t.Errorf("the input %s is never used", name)
		}
	}
	for _, s := range a.Runs.Steps {
		if s.Run == "" {
			continue
		}
		if s.Shell != "bash" || strings.Contains(s.Run, "${{") {
			t.Errorf("a script of shell %q, substituted into: %s", s.Shell, s.Run)
		}
		if out, err := exec.Command("bash", "-n", "-c", s.Run).CombinedOutput(); err != nil {
			t.Errorf("a script that bash does not take: %v: %s", err, out)
		}
	}
}

// TestRecipes: the recipes of docs/ci.md are YAML, and the one for GitHub names
// inputs and outputs that the action has.
func TestRecipes(t *testing.T) {
	a := theAction(t)
	text, err := os.ReadFile("docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d recipes, want at least 4", len(blocks))
	}
	for _, b := range blocks {
		var any any
		if err := yaml.Unmarshal([]byte(b[1]), &any); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
		if !strings.Contains(b[1], "storm-harness/storm@") {
			continue
		}
		for _, m := range regexp.MustCompile(`steps\.storm\.outputs\.([a-z-]+)`).FindAllStringSubmatch(b[1], -1) {
			if _, ok := a.Outputs[m[1]]; !ok {
				t.Errorf("the action has no output %s", m[1])
			}
		}
	}
	for name := range a.Inputs {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/ci.md does not name the input %s", name)
		}
	}
}
