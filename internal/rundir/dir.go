package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// The names of the files of a run directory and of a trial's directory.
const (
	RunFile        = "run.json"
	ScenarioFile   = "scenario.yaml"
	ComponentsFile = "components.json"
	TrialsDir      = "trials"
	LogsDir        = "logs"

	TrialFile   = "trial.json"
	EventsFile  = "events.jsonl"
	WindowsFile = "windows.jsonl"
	ProbesFile  = "probes.jsonl"
	ScrapesFile = "scrapes.jsonl"
	ProcessFile = "process.jsonl"
	JournalFile = "journal.jsonl"
)

// Dir is a run directory, open for writing (Create) or for reading (Open).
// Its methods are safe for concurrent use.
type Dir struct {
	path   string
	events *appender // of the run as a whole; nil when open for reading

	mu  sync.Mutex
	run Run
}

// Create makes the run directory at path, mode 0700, with run.json in it. The
// directory may exist, but may hold no run yet. Call Close in the end.
func Create(path string, run Run) (*Dir, error) {
	run.Format = FormatVersion
	if err := checkPlan(run.Plan); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(path, TrialsDir), 0o700); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	if Holds(path) {
		return nil, fmt.Errorf("%s holds a run already: name another directory", path)
	}
	if err := writeJSON(filepath.Join(path, RunFile), run); err != nil {
		return nil, err
	}
	events, err := newAppender(filepath.Join(path, EventsFile))
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, run: run, events: events}
	return d, nil
}

// Holds says whether a directory has a run in it.
func Holds(path string) bool {
	_, err := os.Stat(filepath.Join(path, RunFile))
	return err == nil
}

// Open opens a run directory for reading, finished or not. It refuses a
// format newer than FormatVersion.
func Open(path string) (*Dir, error) {
	data, err := os.ReadFile(filepath.Join(path, RunFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no %s: name the directory of a run", path)
		}
		return nil, fmt.Errorf("%s is no run directory: it has no %s", path, RunFile)
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%s is a file: name the directory of a run", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	run, err := parseRun(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(path, RunFile), err)
	}
	return &Dir{path: path, run: run}, nil
}

// parseRun reads run.json, the format first: the rest of a newer one may not
// even have the types that this version expects.
func parseRun(data []byte) (Run, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Run{}, fmt.Errorf("not the record of a run: %w", err)
	}
	switch {
	case head.Format > FormatVersion:
		return Run{}, fmt.Errorf("written in format %d, and this storm reads formats up to %d: read it with the version of storm that wrote it, or a newer one",
			head.Format, FormatVersion)
	case head.Format < 1:
		return Run{}, errors.New("not the record of a run: it has no format")
	}
	var run Run
	if err := json.Unmarshal(data, &run); err != nil {
		return Run{}, fmt.Errorf("not the record of a run: %w", err)
	}
	if err := checkPlan(run.Plan); err != nil {
		return Run{}, err
	}
	return run, nil
}

// checkPlan refuses trial ids that are not the name of a file, since they
// become one, and ids that occur twice.
func checkPlan(plan []Planned) error {
	seen := map[string]bool{}
	for _, p := range plan {
		if err := checkID(p.ID); err != nil {
			return err
		}
		if seen[p.ID] {
			return fmt.Errorf("trial id %q occurs twice in the plan", p.ID)
		}
		seen[p.ID] = true
	}
	return nil
}

func checkID(id string) error {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/\\\x00") || len(id) > 200 {
		return fmt.Errorf("trial id %q cannot be the name of a directory", id)
	}
	return nil
}

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// Run returns what run.json says.
func (d *Dir) Run() Run {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.run
}

// Update changes run.json: a reader sees it before or after the change, never
// half of it.
func (d *Dir) Update(change func(*Run)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.run
	change(&next)
	next.Format = FormatVersion
	if err := checkPlan(next.Plan); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(d.path, RunFile), next); err != nil {
		return err
	}
	d.run = next
	return nil
}

// WriteScenario keeps the scenario as it was resolved, and its digest.
func (d *Dir) WriteScenario(text []byte) error {
	if err := writeFile(filepath.Join(d.path, ScenarioFile), text); err != nil {
		return err
	}
	return d.Update(func(run *Run) { run.ScenarioSHA256 = digestOf(text) })
}

// Scenario returns the scenario as it was resolved, nil if none was kept. One
// that was kept and is not there as it was written is an error.
func (d *Dir) Scenario() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(d.path, ScenarioFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.run.ScenarioSHA256 == "":
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is missing, though the run wrote it", ScenarioFile)
	case err != nil:
		return nil, err
	case d.run.ScenarioSHA256 != "" && digestOf(text) != d.run.ScenarioSHA256:
		return nil, fmt.Errorf("%s is not as the run wrote it: it was cut off or changed since", ScenarioFile)
	}
	return text, nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// WriteComponents keeps where the components came from.
func (d *Dir) WriteComponents(list []Provenance) error {
	return writeJSON(filepath.Join(d.path, ComponentsFile), list)
}

// Components returns where the components came from, nil if it is not known.
func (d *Dir) Components() ([]Provenance, error) {
	var list []Provenance
	err := readJSON(filepath.Join(d.path, ComponentsFile), &list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// AppendEvent adds an event of the run as a whole. It does nothing on a
// directory that is open for reading.
func (d *Dir) AppendEvent(e Event) {
	if d.events != nil {
		d.events.append(e)
	}
}

// Close writes out what is buffered and returns the first error of any append.
func (d *Dir) Close() error {
	if d.events == nil {
		return nil
	}
	return d.events.close()
}

// TrialState is a planned trial and how far it got.
type TrialState struct {
	Planned
	Begun    bool // its directory exists
	Finished bool // trial.json exists: it was not cut off
}

// Trials lists the planned trials in their order.
func (d *Dir) Trials() []TrialState {
	var out []TrialState
	for _, p := range d.Run().Plan {
		dir := d.trialPath(p.ID)
		out = append(out, TrialState{Planned: p, Begun: exists(dir), Finished: exists(filepath.Join(dir, TrialFile))})
	}
	return out
}

// planned returns the plan's entry of that id.
func (d *Dir) planned(id string) (Planned, bool) {
	plan := d.Run().Plan
	i := slices.IndexFunc(plan, func(p Planned) bool { return p.ID == id })
	if i < 0 {
		return Planned{}, false
	}
	return plan[i], true
}

func (d *Dir) trialPath(id string) string { return filepath.Join(d.path, TrialsDir, id) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
