package storm_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is what a composite action of GitHub has.
type action struct {
	Inputs map[string]struct {
		Required bool
		Default  string
	}
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

// step is one of the action's, by its id.
func (a action) step(t *testing.T, id string) (run string, env map[string]string) {
	t.Helper()
	for _, s := range a.Runs.Steps {
		if s.ID == id {
			return s.Run, s.Env
		}
	}
	t.Fatalf("the action has no step %s", id)
	return "", nil
}

// fakeStorm stands for storm where only what is made of its exit code matters.
const fakeStorm = `#!/bin/sh
printf '%s\n' "$@" >"$FAKE_ARGS"
exit "$FAKE_CODE"
`

// done is what came of the action's step.
type done struct {
	code    int
	said    string
	outputs map[string]string
	args    []string // that storm was given
}

// runStep runs the step as GitHub does, with a storm that ends with a code.
func (a action) runStep(t *testing.T, inputs map[string]string, code int) done {
	t.Helper()
	script, env := a.step(t, "run")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"bin/storm": fakeStorm, "script.sh": script, "outputs": ""} {
		if err := os.WriteFile(at(name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", at("script.sh"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GITHUB_ACTION_PATH="+dir, "GITHUB_OUTPUT="+at("outputs"), "FAKE_ARGS="+at("args"), fmt.Sprint("FAKE_CODE=", code))
	for name, value := range env {
		m := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`).FindStringSubmatch(value)
		if m == nil {
			t.Fatalf("%s is %q, and no input", name, value)
		}
		given, ok := inputs[m[1]]
		if !ok {
			given = a.Inputs[m[1]].Default
		}
		cmd.Env = append(cmd.Env, name+"="+given)
	}
	said, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	out := done{code: cmd.ProcessState.ExitCode(), said: string(said), outputs: map[string]string{}}
	out.args = linesOf(t, at("args"))
	for _, line := range linesOf(t, at("outputs")) {
		name, value, _ := strings.Cut(line, "=")
		out.outputs[name] = value
	}
	return out
}

func linesOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// TestActionsExitCode: the job fails as storm does, but where an inconclusive run
// is to pass; the output is storm's exit code either way.
func TestActionsExitCode(t *testing.T) {
	a := theAction(t)
	for _, c := range []struct {
		storm  int
		inputs map[string]string
		want   int
	}{
		{0, nil, 0},
		{3, nil, 3},
		{4, nil, 4}, // fail is the default
		{5, nil, 5},
		{0, map[string]string{"inconclusive": "fail"}, 0},
		{3, map[string]string{"inconclusive": "fail"}, 3},
		{4, map[string]string{"inconclusive": "fail"}, 4},
		{5, map[string]string{"inconclusive": "fail"}, 5},
		{0, map[string]string{"inconclusive": "pass"}, 0},
		{3, map[string]string{"inconclusive": "pass"}, 3},
		{4, map[string]string{"inconclusive": "pass"}, 0},
		{5, map[string]string{"inconclusive": "pass"}, 5},
		{4, map[string]string{"inconclusive": "Passed"}, 4}, // what is no value lets nothing pass
		{1, map[string]string{"inconclusive": "pass"}, 1},
	} {
		inputs := map[string]string{"scenario": "quickstart"}
		maps.Copy(inputs, c.inputs)
		got := a.runStep(t, inputs, c.storm)
		what := fmt.Sprintf("storm ended with %d, inputs %v", c.storm, inputs)
		if got.code != c.want {
			t.Errorf("%s: the step ended with %d, want %d: %s", what, got.code, c.want, got.said)
		}
		want := map[string]string{"exit-code": fmt.Sprint(c.storm), "report": "storm-run/report.html", "junit": "storm-run/junit.xml"}
		if !maps.Equal(got.outputs, want) {
			t.Errorf("%s: the outputs are %v, want %v", what, got.outputs, want)
		}
		if warned := strings.Contains(got.said, "::warning title=storm::inconclusive"); warned != (c.storm != c.want) {
			t.Errorf("%s: it said %q", what, got.said)
		}
		for name, o := range a.Outputs {
			if _, ok := got.outputs[name]; !ok || o.Value != "${{ steps.run.outputs."+name+" }}" {
				t.Errorf("the output %s is %s, and the step gives %v", name, o.Value, got.outputs)
			}
		}
	}
}

// TestActionsArguments: each line of args is one argument, whatever is in it.
func TestActionsArguments(t *testing.T) {
	got := theAction(t).runStep(t, map[string]string{
		"scenario": "ci/my storm.yaml", "dir": "out dir",
		"args": "--set=blocks=8\n\n--profile=head=binDir:my build/bin\n--set=note=$(exit 9)`exit 9`;*\n",
	}, 0)
	want := []string{"run", "ci/my storm.yaml", "--dir", "out dir", "--set=blocks=8", "--profile=head=binDir:my build/bin", "--set=note=$(exit 9)`exit 9`;*"}
	if !slices.Equal(got.args, want) {
		t.Errorf("storm was given %q, want %q", got.args, want)
	}
	if got.outputs["report"] != "out dir/report.html" || got.code != 0 {
		t.Errorf("exit code %d, outputs %v", got.code, got.outputs)
	}
}

// calls are the steps within a recipe that use the action.
func calls(recipe any) (out []map[string]any) {
	switch r := recipe.(type) {
	case []any:
		for _, item := range r {
			out = append(out, calls(item)...)
		}
	case map[string]any:
		if uses, _ := r["uses"].(string); strings.HasPrefix(uses, "storm-harness/storm@") {
			out = append(out, r)
		}
		for _, item := range r {
			out = append(out, calls(item)...)
		}
	}
	return out
}

// checkCall holds a step of a recipe to the action's inputs.
func (a action) checkCall(t *testing.T, step map[string]any) {
	t.Helper()
	with, _ := step["with"].(map[string]any)
	for name := range with {
		if _, ok := a.Inputs[name]; !ok {
			t.Errorf("a recipe gives %s, which is no input of the action", name)
		}
	}
	for name, input := range a.Inputs {
		if _, ok := with[name]; input.Required && !ok {
			t.Errorf("a recipe does not give the input %s, which is required: %v", name, step)
		}
	}
	if v, ok := with["inconclusive"]; ok && v != "fail" && v != "pass" {
		t.Errorf("a recipe has inconclusive: %v", v)
	}
}

// TestRecipes: the recipes of docs/ci.md are YAML, and those for GitHub name
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
	called := 0
	for _, b := range blocks {
		var recipe any
		if err := yaml.Unmarshal([]byte(b[1]), &recipe); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
		for _, step := range calls(recipe) {
			called++
			a.checkCall(t, step)
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
	if n := strings.Count(string(text), "uses: storm-harness/storm@"); called != n || n < 2 {
		t.Errorf("%d steps of recipes were held to the action, of %d", called, n)
	}
	for name := range a.Inputs {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/ci.md does not name the input %s", name)
		}
	}
}
