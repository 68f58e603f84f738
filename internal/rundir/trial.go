package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// TrialDir is a trial's directory, open for writing. The Append methods are
// safe for concurrent use and cheap: lines are buffered, and written out at
// least once a second, so that a kill loses at most the last second. They
// return nothing; Err, Close and Finish report the first error of any.
type TrialDir struct {
	planned Planned
	path    string

	events, windows, probes, scrapes, process, journal *appender
}

// Trial makes the directory of a planned trial and opens it for writing. End
// it with Finish, or with Close where the trial was given up.
func (d *Dir) Trial(id string) (*TrialDir, error) {
	planned, ok := d.planned(id)
	if !ok {
		return nil, fmt.Errorf("trial %q is not in the plan", id)
	}
	t := &TrialDir{planned: planned, path: d.trialPath(id)}
	if err := os.MkdirAll(t.path, 0o700); err != nil {
		return nil, fmt.Errorf("make trial directory: %w", err)
	}
	for name, to := range t.files() {
		a, err := newAppender(filepath.Join(t.path, name))
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		*to = a
	}
	return t, nil
}

// files names the files and where their appenders are kept.
func (t *TrialDir) files() map[string]**appender {
	return map[string]**appender{
		EventsFile: &t.events, WindowsFile: &t.windows, ProbesFile: &t.probes,
		ScrapesFile: &t.scrapes, ProcessFile: &t.process, JournalFile: &t.journal,
	}
}

// Path returns the trial's directory.
func (t *TrialDir) Path() string { return t.path }

// AppendEvent adds a line to events.jsonl. The first must be of EventOrigin.
func (t *TrialDir) AppendEvent(e Event) { t.events.append(e) }

// AppendWindow adds a line to windows.jsonl.
func (t *TrialDir) AppendWindow(w Window) { t.windows.append(w) }

// AppendProbe adds a line to probes.jsonl.
func (t *TrialDir) AppendProbe(p Probe) { t.probes.append(p) }

// AppendScrape adds a line to scrapes.jsonl. Samples may not be NaN or
// infinite, which JSON cannot say.
func (t *TrialDir) AppendScrape(s Scrape) { t.scrapes.append(s) }

// AppendProcess adds a line to process.jsonl.
func (t *TrialDir) AppendProcess(p Process) { t.process.append(p) }

// AppendWrite adds a line to journal.jsonl.
func (t *TrialDir) AppendWrite(w Write) { t.journal.append(w) }

// Err returns the first error of any append so far.
func (t *TrialDir) Err() error {
	var errs []error
	for _, a := range t.files() {
		errs = append(errs, (*a).failure())
	}
	return errors.Join(errs...)
}

// Finish writes out what is buffered, and then trial.json, atomically: its
// presence says that the trial's files are whole. The trial's Planned is set
// from the plan, and its Files from what was written. An append after it is an error.
func (t *TrialDir) Finish(trial Trial) error {
	if err := t.Close(); err != nil {
		return err
	}
	trial.Planned = t.planned
	trial.Files = map[string]int64{}
	for name := range t.files() {
		info, err := os.Stat(filepath.Join(t.path, name))
		if err != nil {
			return fmt.Errorf("measure what the trial wrote: %w", err)
		}
		trial.Files[name] = info.Size()
	}
	return writeJSON(filepath.Join(t.path, TrialFile), trial)
}

// Close writes out what is buffered and closes the files, without trial.json.
// Further calls are harmless.
func (t *TrialDir) Close() error {
	var errs []error
	for _, a := range t.files() {
		if *a != nil {
			errs = append(errs, (*a).close())
		}
	}
	return errors.Join(errs...)
}
