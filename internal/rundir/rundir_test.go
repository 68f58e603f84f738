package rundir

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sampleRun() Run {
	return Run{
		ID: "r1", Scenario: "quickstart", Started: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Plan: []Planned{{ID: "001-b1-stock", Block: 1, Profile: "stock"}, {ID: "002-b1-fast", Block: 1, Profile: "fast"}},
	}
}

func create(t *testing.T) *Dir {
	t.Helper()
	d, err := Create(filepath.Join(t.TempDir(), "run"), sampleRun())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func collect[T any](t *testing.T, seq func(func(T, error) bool)) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestATrialReadsBackAsItWasWritten(t *testing.T) {
	d := create(t)
	td, err := d.Trial("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	origin := time.Date(2026, 11, 23, 10, 0, 1, 5, time.UTC)
	event := Event{Kind: EventOrigin, Wall: origin, Text: "a <b> & c", Data: map[string]string{"term": "2"}}
	window := Window{Key: Key{Workload: "fleet", Verb: "update", Resource: "leases.coordination.k8s.io", Scope: "resource"}, From: 1, To: 2, OK: 3, Errors: map[string]uint64{"429": 1}, Bytes: 9, LagMax: 4}
	probe := Probe{Intended: 1, Done: 2, Layer: "etcd", Op: "write", Shard: "main", Target: "etcd-main-0", Err: "timeout"}
	scrape := Scrape{At: 3, Component: "etcd-main-0", Samples: map[string]float64{`m{a="b"}`: 1.5}}
	process := Process{At: 4, Component: "storm", PID: 7, UserNS: 1, SystemNS: 2, RSS: 3, RunQueue: 4, Written: 5}
	write := Write{Intended: 5, Done: 6, Via: "etcd", Shard: "main", Key: "/storm/witness/r1/1", Revision: 8}
	td.AppendEvent(event)
	td.AppendWindow(window)
	td.AppendProbe(probe)
	td.AppendScrape(scrape)
	td.AppendProcess(process)
	td.AppendWrite(write)
	trial := Trial{Origin: origin, Duration: 10, Outcome: "done", Phases: []Phase{{"steady", 0, 10}}}
	if err := td.Finish(trial); err != nil {
		t.Fatal(err)
	}

	o, err := Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	r, err := o.Records("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	check := func(got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read back otherwise (-written +read):\n%s", diff)
		}
	}
	check(collect(t, r.Events()), []Event{event})
	check(collect(t, r.Windows()), []Window{window})
	check(collect(t, r.Probes()), []Probe{probe})
	check(collect(t, r.Scrapes()), []Scrape{scrape})
	check(collect(t, r.Processes()), []Process{process})
	check(collect(t, r.Writes()), []Write{write})
	got, err := r.Trial()
	if err != nil {
		t.Fatal(err)
	}
	trial.Planned, trial.Files = sampleRun().Plan[0], map[string]int64{}
	for _, name := range []string{EventsFile, WindowsFile, ProbesFile, ScrapesFile, ProcessFile, JournalFile} {
		data, err := os.ReadFile(filepath.Join(r.Path(), name))
		if err != nil {
			t.Fatal(err)
		}
		trial.Files[name] = int64(len(data))
	}
	check(got, trial)
	check(o.Trials(), []TrialState{{trial.Planned, true, true}, {sampleRun().Plan[1], false, false}})
}

func TestEverythingIsPrivate(t *testing.T) {
	d := create(t)
	td, err := d.Trial("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	if err := td.Finish(Trial{}); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(d.Path(), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != 9 { // run.json, the run's events, six .jsonl, trial.json; nothing left aside
		t.Errorf("%d files, want 9", files)
	}
}

// A kill leaves what was written out so far; the flusher sees to it that this
// is all but the last second, without any call by the writer.
func TestLinesReachTheFileWithoutAFinish(t *testing.T) {
	d := create(t)
	td, err := d.Trial("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	defer td.Close() //nolint:errcheck // given up
	td.AppendProbe(Probe{Target: "a"})
	r, err := d.Records("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	for len(collect(t, r.Probes())) == 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("the line never came")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if _, err := r.Trial(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unfinished trial has trial.json: %v", err)
	}
}

func TestConcurrentAppendsKeepLinesWhole(t *testing.T) {
	d := create(t)
	td, err := d.Trial("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	long := strings.Repeat("x", 3000) // so that the buffer is written out many times
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				td.AppendProbe(Probe{Intended: int64(g), Done: int64(i), Err: long})
			}
		})
	}
	wg.Wait()
	if err := td.Finish(Trial{}); err != nil {
		t.Fatal(err)
	}
	r, err := d.Records("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	next := map[int64]int64{}
	for _, p := range collect(t, r.Probes()) {
		if p.Done != next[p.Intended] || p.Err != long {
			t.Fatalf("line of goroutine %d: number %d, want %d", p.Intended, p.Done, next[p.Intended])
		}
		next[p.Intended]++
	}
	for g := range int64(8) {
		if next[g] != 200 {
			t.Errorf("goroutine %d: %d lines, want 200", g, next[g])
		}
	}
}

func TestErrorsOfAppendsAreReported(t *testing.T) {
	d := create(t)
	td, err := d.Trial("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	var zero float64
	td.AppendScrape(Scrape{Samples: map[string]float64{"bad": 1 / zero}})
	if err := td.Err(); err == nil || !strings.Contains(err.Error(), ScrapesFile) {
		t.Errorf("an infinite sample gave %v, want an error naming %s", err, ScrapesFile)
	}
	if err := td.Finish(Trial{}); err == nil {
		t.Error("Finish hid the error of an append")
	}
	r, err := d.Records("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Trial(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a trial with lost lines was finished: %v", err)
	}
	td.AppendEvent(Event{})
	if err := td.Err(); err == nil || !strings.Contains(err.Error(), EventsFile) {
		t.Errorf("an append after the end gave %v, want an error naming %s", err, EventsFile)
	}
}

func TestUpdateIsSeenByReaders(t *testing.T) {
	d := create(t)
	d.AppendEvent(Event{Kind: EventNote, Text: "hello"})
	if err := d.Update(func(r *Run) { r.Outcome = "complete" }); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteComponents([]Provenance{{Component: "etcd", Version: "3.6.16"}}); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteScenario([]byte("kind: Scenario\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := sampleRun()
	want.Format, want.Outcome = FormatVersion, "complete"
	// sha256sum of the text
	want.ScenarioSHA256 = "3463bc52500ff1aaa97136806fb03318ac1362e68daef98a0f65f34bfa3fec6c"
	if diff := cmp.Diff(want, o.Run()); diff != "" {
		t.Error(diff)
	}
	list, err := o.Components()
	if err != nil || len(list) != 1 || list[0].Component != "etcd" {
		t.Errorf("components: %v, %v", list, err)
	}
	text, err := o.Scenario()
	if err != nil || string(text) != "kind: Scenario\n" {
		t.Errorf("scenario: %q, %v", text, err)
	}
	path := filepath.Join(d.Path(), ScenarioFile)
	for said, damage := range map[string]func() error{
		"is missing":              func() error { return os.Remove(path) },
		"is not as the run wrote": func() error { return os.WriteFile(path, text[:5], 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if text, err := o.Scenario(); text != nil || err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("damaged: %q, %v, want that it %s", text, err, said)
		}
	}
	if events := collect(t, o.Events()); len(events) != 1 || events[0].Text != "hello" {
		t.Errorf("events: %v", events)
	}
}

func TestRefusals(t *testing.T) {
	d := create(t)
	if _, err := Create(d.Path(), sampleRun()); err == nil || !strings.Contains(err.Error(), "holds a run already") {
		t.Errorf("Create over a run: %v", err)
	}
	if _, err := d.Trial("../escape"); err == nil || !strings.Contains(err.Error(), "not in the plan") {
		t.Errorf("a trial outside the plan: %v", err)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "r"), Run{Plan: []Planned{{ID: "../x"}}}); err == nil {
		t.Error("a trial id that leaves the directory was taken")
	}
	td, err := d.Trial("001-b1-stock")
	if err != nil {
		t.Fatal(err)
	}
	defer td.Close() //nolint:errcheck // given up
	if _, err := d.Trial("001-b1-stock"); err == nil || !errors.Is(err, fs.ErrExist) {
		t.Errorf("a trial begun twice: %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no run directory") {
		t.Errorf("Open of an empty directory: %v", err)
	}
}

func TestRunJSONThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"newer":     {`{"format": 2, "plan": "in a way this version does not know"}`, "format 2, and this storm reads formats up to 1"},
		"no format": {`{}`, "it has no format"},
		"cut off":   {`{"format": 1, "id": "r`, "not the record of a run"},
		"escape":    {`{"format": 1, "plan": [{"id": "../../etc"}]}`, "cannot be the name of a directory"},
		"twice":     {`{"format": 1, "plan": [{"id": "a"}, {"id": "a"}]}`, "occurs twice"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, RunFile), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTornAndBadLines(t *testing.T) {
	read := func(text string) (good []int64, bad []string) {
		decode(strings.NewReader(text), "probes.jsonl", func(p Probe, err error) bool {
			if err != nil {
				bad = append(bad, err.Error())
			} else {
				good = append(good, p.Intended)
			}
			return true
		})
		return good, bad
	}
	big, err := json.Marshal(Probe{Intended: 7, Err: strings.Repeat("y", 200<<10)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		good []int64
		bad  string // in the only error; empty: none
	}{
		"empty":             {"", nil, ""},
		"torn last line":    {"{\"i\":1}\n{\"i\":2", []int64{1}, ""},
		"no end of line":    {"{\"i\":1}\n{\"i\":2}", []int64{1}, ""},
		"torn in between":   {"{\"i\":1}\n{\"i\":\n{\"i\":3}\n", []int64{1, 3}, "probes.jsonl:2: "},
		"no object":         {"null\n{\"i\":2}\n", []int64{2}, "probes.jsonl:1: not a JSON object"},
		"blank line":        {"{\"i\":1}\n\n{\"i\":3}\n", []int64{1, 3}, "probes.jsonl:2: not a JSON object"},
		"wrong type":        {"{\"i\":\"x\"}\n", nil, "probes.jsonl:1: "},
		"unknown field":     {"{\"i\":1,\"later\":true}\n", []int64{1}, ""},
		"beyond the buffer": {"{\"i\":1}\n" + string(big) + "\n{\"i\":3}\n", []int64{1, 7, 3}, ""},
		"beyond the limit":  {"{\"i\":1}\n" + strings.Repeat(" ", maxLine+1) + "\n{\"i\":3}\n", []int64{1}, "probes.jsonl:2: longer than"},
	} {
		good, bad := read(c.text)
		if diff := cmp.Diff(c.good, good); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.bad == "" && len(bad) > 0 || c.bad != "" && (len(bad) != 1 || !strings.HasPrefix(bad[0], c.bad)) {
			t.Errorf("%s: errors %q, want one with %q", name, bad, c.bad)
		}
	}
}
