package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/internal/golden"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"storm": main})
}

// storm runs a command line in this process.
func storm(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = newApp(&out, &errs).execute(t.Context(), args)
	return out.String(), errs.String(), code
}

// leaves calls f with every verb that a user sees.
func leaves(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "completion" && sub.Name() != "help" {
			leaves(sub, f)
		}
	}
}

func TestHelp(t *testing.T) {
	leaves(newApp(nil, nil).root(), func(c *cobra.Command) {
		args := strings.Fields(c.CommandPath() + " --help")[1:]
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			stdout, stderr, code := storm(t, args...)
			if code != exitPass || stderr != "" {
				t.Errorf("exit code %d, stderr %q", code, stderr)
			}
			for line := range strings.Lines(stdout) {
				if utf8.RuneCountInString(line) > 81 {
					t.Errorf("a line of %d columns: %s", utf8.RuneCountInString(line)-1, line)
				}
			}
			if c.Runnable() && !c.HasSubCommands() && c.Example == "" {
				t.Error("it shows no example")
			}
			golden.Check(t, "help/"+strings.ReplaceAll(c.CommandPath(), " ", "-"), stdout)
		})
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       golden.Updating(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("STORM_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			// No script may get as far as to download or build a component.
			path, _, _ := strings.Cut(env.Getenv("PATH"), string(filepath.ListSeparator))
			env.Setenv("PATH", path)
			env.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
			env.Setenv("GOPROXY", "off")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
