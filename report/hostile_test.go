package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

const hostile = "<script>alert(1)</script>\x1b[2J\x1b]0;owned\a\u202egnp.exe\u0085\nnext"

// Whatever a cluster or a file calls things, no text of a result can move a
// terminal's cursor or turn the reading direction. Markup is left to the
// renderers, which must find it here.
func TestHostileNames(t *testing.T) {
	w := newWorld()
	w.run.Profiles[1].Name, w.run.Profiles[1].About = hostile, hostile
	w.run.About, w.run.Limits, w.run.Command = hostile, []string{hostile}, []string{"storm", "run", hostile}
	for i := range w.run.Plan {
		if w.run.Plan[i].Profile == "fast" {
			w.run.Plan[i].Profile = hostile
		}
	}
	w.change = func(tr *rundir.Trial) {
		a := &tr.Acts[0]
		a.Name, a.Proof, a.Target, a.Notes, a.Facts = hostile, hostile, hostile, []string{hostile}, map[string]float64{hostile: 1}
		a.Recovery[0].Target, a.Recovery[0].Shard = hostile, hostile
		tr.Warnings, tr.Journal[0].Examples = []string{hostile}, []string{hostile}
	}
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var text any
	if err := json.Unmarshal(data, &text); err != nil {
		t.Fatal(err)
	}
	markup := false
	eachString(text, func(s string) {
		markup = markup || strings.Contains(s, "<script>")
		for _, c := range s {
			if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
				t.Fatalf("%q holds %q", s, c)
			}
		}
	})
	if !markup {
		t.Error("the hostile names did not get through: the test looked at nothing")
	}
	if !strings.Contains(r.Headline[0], "alert(1)") || strings.Contains(r.Run.Repeat, "\n") {
		t.Errorf("headline %q, repeat %q", r.Headline[0], r.Run.Repeat)
	}
}

func eachString(v any, use func(string)) {
	switch v := v.(type) {
	case string:
		use(v)
	case []any:
		for _, e := range v {
			eachString(e, use)
		}
	case map[string]any:
		for k, e := range v {
			use(k)
			eachString(e, use)
		}
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := newWorld().write(t).Path()
	file := filepath.Join(path, rundir.RunFile)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), `"format": 1`, `"format": 2`, 1))
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rundir.Open(path); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("a newer format: %v", err)
	}
}

// A run directory that lost something after the run may become invalid; it may
// never pass for another reason than before, or on less than all of it.
func TestDamageIsNeverAPass(t *testing.T) {
	trial := filepath.Join(rundir.TrialsDir, "003-b2-fast")
	whole := os.DirFS(newWorld().write(t).Path())
	for name, c := range map[string]struct {
		file   string
		damage func([]byte) []byte
		reason string
	}{
		"windows cut off":     {rundir.WindowsFile, func(b []byte) []byte { return b[:len(b)/2] }, "windows.jsonl is cut off"},
		"windows overwritten": {rundir.WindowsFile, func(b []byte) []byte { copy(b[900:], "\x00\x00\x00"); return b }, "windows.jsonl has lines that cannot be read"},
		"histogram damaged": {rundir.WindowsFile, func(b []byte) []byte {
			return []byte(strings.Replace(string(b), "HISTF", "HISTQ", 1))
		}, "windows.jsonl has lines that cannot be read: histogram"},
		"events cut off":  {rundir.EventsFile, func(b []byte) []byte { return b[:len(b)-5] }, "events.jsonl is cut off"},
		"process cut off": {rundir.ProcessFile, func(b []byte) []byte { return b[:len(b)-5] }, "process.jsonl is cut off"},
		"record cut off":  {rundir.TrialFile, func(b []byte) []byte { return b[:len(b)/2] }, "trial.json cannot be read"},
		"record empty":    {rundir.TrialFile, func([]byte) []byte { return nil }, "trial.json cannot be read"},
		"record gone":     {rundir.TrialFile, nil, "it was cut off"},
		"windows backwards": {rundir.WindowsFile, func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"to":1000000000`, `"to":-5`, 1))
		}, "ends before it begins"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(path, whole); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(path, trial, c.file)
			if c.damage == nil {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			} else {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, c.damage(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := rundir.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := report.Analyse(d)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != report.Invalid {
				t.Errorf("verdict %s", r.Verdict)
			}
			got := r.Trials[2]
			if got.State == report.TrialValid || !strings.Contains(strings.Join(got.Reasons, "; "), c.reason) {
				t.Errorf("trial is %s because %q, want %q", got.State, got.Reasons, c.reason)
			}
		})
	}
}

func FuzzAnalyse(f *testing.F) {
	w := newWorld()
	w.run.Plan = w.run.Plan[:2]
	dir := w.write(f)
	base := filepath.Join(dir.Path(), rundir.TrialsDir, w.run.Plan[0].ID)
	files := []string{rundir.TrialFile, rundir.EventsFile, rundir.WindowsFile, rundir.ScrapesFile, rundir.ProcessFile}
	for i, name := range files {
		data, err := os.ReadFile(filepath.Join(base, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
		f.Add(uint8(i), []byte(strings.ReplaceAll(string(data), "1000000000", "9223372036854775807")))
		f.Add(uint8(i), []byte(strings.ReplaceAll(string(data), "1000000000", "-9223372036854775808")))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		// Fuzzing runs in several processes: each has a directory of its own.
		own := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(own, os.DirFS(dir.Path())); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(own, rundir.TrialsDir, w.run.Plan[0].ID, files[int(which)%len(files)])
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := rundir.Open(own)
		if err != nil {
			t.Fatal(err)
		}
		r, err := report.Analyse(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	})
}
