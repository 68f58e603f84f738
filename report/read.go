package report

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// trial is what was read of one planned trial.
type trial struct {
	rundir.Planned
	order    int
	state    State
	reasons  []string
	warnings []string
	done     rundir.Trial // trial.json; of a cut-off trial what its events tell
	origin   time.Time
	end      int64 // ns, the latest time seen
	events   []rundir.Event
	acted    bool     // its group is drawn from the first act on
	planned  []string // the components that it was to have; of a tour, which may have others, none are known
	measured          // of the body
}

// measured is the body of a trial: what its windows, scrapes and process
// samples add up to.
type measured struct {
	cells map[cellKey]*cell
	bins  []timeBin
	grid  grid
	size  map[string][]sample  // etcd's database size by component
	procs map[string][]process // by component

	machine []machine

	scrapes map[string][]scraped // by component, of what metrics of servers look at

	readings map[string][]gauged // by component
	witness  map[string][]int64  // when the witness's writes were acknowledged, by shard
	nodes    float64             // that the loads had made by the end of the last steady phase
	late     int64               // ns, the largest send lag beside faults and operations, where it decides nothing
	seen     seen                // of the servers' own metrics
	texts    texts
}

// cellKey is a series in a phase.
type cellKey struct {
	rundir.Key
	phase string
}

// cell is what a series did in a phase.
type cell struct {
	ok, failed, bytes uint64
	inflated          int64 // what bodies held beyond their bytes on the wire
	codes             map[string]uint64
	again             map[string]uint64 // attempts that were turned away and made again, by code
	hist              latency.Hist
	hung              hung
}

// decoded is what bodies held, decompressed.
func (c *cell) decoded() uint64 { return uint64(max(0, int64(c.bytes)+c.inflated)) }

type sample struct {
	at int64
	v  float64
}

type process struct {
	at       int64
	pid      int
	cpu, rss float64 // seconds since the process's start, bytes
}

// readHead reads trial.json and the events: all but the measurements.
func readHead(dir *rundir.Dir, order int, s rundir.TrialState) (*trial, error) {
	t := &trial{Planned: s.Planned, order: order, state: TrialValid}
	rec, err := dir.Records(s.ID)
	if err != nil {
		return nil, err
	}
	if !s.Begun {
		t.state = TrialMissing
		t.reasons = append(t.reasons, "it was planned and not started")
		return t, nil
	}
	for e, err := range rec.Events() {
		if !t.readable(rundir.EventsFile, err) {
			continue
		}
		if e.Kind == rundir.EventOrigin {
			t.origin = e.Wall
		}
		t.end = max(t.end, e.At)
		t.events = append(t.events, e)
	}
	t.done, err = rec.Trial()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.cutOff("it was cut off before its record was written")
	case err != nil:
		t.cutOff(fmt.Sprintf("trial.json cannot be read: %v", err))
	default:
		if !t.done.Origin.IsZero() {
			t.origin = t.done.Origin
		}
		t.end = max(t.end, t.done.Duration)
		t.judge()
		t.whole(rec)
		t.discard()
	}
	return t, nil
}

// discard takes a trial of the warm-up block out of everything that is judged,
// whatever else is to be said of it.
func (t *trial) discard() {
	if t.Discarded {
		t.state = TrialDiscarded
		t.reasons = append([]string{"it is of the warm-up block, which is run and never judged"}, t.reasons...)
	}
}

// judge says whether anything may be concluded from a trial that ended. Most
// reasons were found by the run; those that the record itself shows are looked
// for again, so that none is missed.
func (t *trial) judge() {
	t.warnings = append(t.warnings, t.done.Warnings...)
	if t.done.Outcome != "done" {
		t.reasons = append(t.reasons, strings.TrimSuffix(fmt.Sprintf("it ended as %q: %s", t.done.Outcome, t.done.Error), ": "))
	}
	t.reasons = append(t.reasons, t.done.Invalid...)
	for _, a := range t.done.Acts {
		switch {
		case a.Error != "":
			t.because(a.Name, fmt.Sprintf("%s %s: %s", a.Sort, a.Name, a.Error))
		case a.Proven == 0:
			t.because(a.Name, fmt.Sprintf("%s %s: no effect was proven", a.Sort, a.Name))
		}
	}
	for _, p := range t.done.Health.Problems {
		t.because(p, "load generator: "+p)
	}
	if p := t.done.Clock.Problem(); p != "" {
		t.because(p, p)
	}
	for _, e := range t.done.Exits {
		t.because(e, "a component died unasked: "+e)
	}
	if len(t.reasons) > 0 {
		t.state = TrialInvalid
	}
}

// because adds a reason unless one of the reasons says it in its own words
// already.
func (t *trial) because(about, reason string) {
	if !slices.ContainsFunc(t.reasons, func(r string) bool { return strings.Contains(r, about) }) {
		t.reasons = append(t.reasons, reason)
	}
}

// whole checks the files of a trial that ended: each is as long as the record
// says, which was written after them. Of a record that says nothing of it, a
// last line without an end was lost afterwards.
func (t *trial) whole(rec rundir.Records) {
	for _, name := range []string{rundir.EventsFile, rundir.WindowsFile, rundir.ProbesFile, rundir.ScrapesFile, rundir.ProcessFile, rundir.JournalFile} {
		path := filepath.Join(rec.Path(), name)
		if want, known := t.done.Files[name]; known {
			switch has := lengthOf(path); {
			case has < want:
				t.damaged(fmt.Sprintf("%s is cut off, though the trial ended: it has %d bytes of %d", name, max(0, has), want))
			case has > want:
				t.damaged(fmt.Sprintf("%s was changed after the trial ended: it has %d bytes, and had %d", name, has, want))
			}
			continue
		}
		if !endsLine(path) {
			t.damaged(name + " is cut off, though the trial ended")
		}
	}
}

// lengthOf is a file's length; −1 where it is not there.
func lengthOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

// damaged makes a trial that ended invalid.
func (t *trial) damaged(why string) {
	t.reasons = append(t.reasons, why)
	if t.state == TrialValid {
		t.state = TrialInvalid
	}
}

// endsLine says whether a file is missing, empty, or ends with a line's end.
func endsLine(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err == nil
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] == '\n'
}

// readable takes an iterator's error: true where there is a record to use.
func (t *trial) readable(file string, err error) bool {
	if err == nil {
		return true
	}
	prefix := file + " has lines that cannot be read"
	for _, r := range t.reasons {
		if strings.HasPrefix(r, prefix) {
			return false // said once
		}
	}
	var line *rundir.LineError
	if errors.As(err, &line) {
		err = fmt.Errorf("line %d: %w", line.Line, line.Err)
	}
	t.damaged(fmt.Sprintf("%s: %v", prefix, err))
	return false
}

// readBody reads the measurements of a trial that began, onto the grid.
func (t *trial) readBody(dir *rundir.Dir, g grid) error {
	t.measured = measured{cells: map[cellKey]*cell{}, grid: g, size: map[string][]sample{}, procs: map[string][]process{}, scrapes: map[string][]scraped{}, readings: map[string][]gauged{}, witness: map[string][]int64{}, seen: seen{}, texts: texts{}}
	if t.state == TrialMissing {
		return nil
	}
	rec, err := dir.Records(t.ID)
	if err != nil {
		return err
	}
	var dec, waited latency.Decoder
	each(t, rundir.WindowsFile, rec.Windows(), func(w rundir.Window) error {
		bins, err := dec.Decode(w.Hist)
		if err != nil {
			return err
		}
		waits, err := waited.Decode(w.Waits)
		if err != nil {
			return err
		}
		t.window(w, bins, waits)
		return nil
	})
	for _, c := range t.cells {
		c.hist.Compact()
	}
	each(t, rundir.ScrapesFile, rec.Scrapes(), func(s rundir.Scrape) error {
		if v, ok := total(s.Samples, "etcd_mvcc_db_total_size_in_bytes"); ok {
			t.size[s.Component] = append(t.size[s.Component], sample{s.At, v})
		}
		if r, ok := t.gaugedOf(s); ok {
			t.readings[s.Component] = append(t.readings[s.Component], r)
		}
		t.keep(s)
		t.scraped(s)
		t.end = max(t.end, s.At)
		return nil
	})
	each(t, rundir.JournalFile, rec.Writes(), func(w rundir.Write) error {
		if w.Err == "" {
			t.witness[w.Shard] = append(t.witness[w.Shard], w.Done)
		}
		return nil
	})
	each(t, rundir.ProcessFile, rec.Processes(), func(p rundir.Process) error {
		t.end = max(t.end, p.At)
		if p.Component == rundir.MachineComponent {
			t.machine = append(t.machine, machine{at: p.At, used: float64(p.UserNS+p.SystemNS) / 1e9, stolen: float64(p.Stolen) / 1e9})
			return nil
		}
		t.procs[p.Component] = append(t.procs[p.Component], process{
			at: p.At, pid: p.PID, cpu: float64(p.UserNS+p.SystemNS) / 1e9, rss: float64(p.RSS),
		})
		return nil
	})
	return nil
}

// each runs use over the readable records of a file.
func each[T any](t *trial, file string, records iter.Seq2[T, error], use func(T) error) {
	for r, err := range records {
		if t.readable(file, err) {
			t.readable(file, use(r))
		}
	}
}

// window adds a window to its cell and to the chart's bins.
func (t *trial) window(w rundir.Window, bins, waits []latency.Bin) {
	if w.To < w.From || w.From < 0 {
		t.damaged(fmt.Sprintf("%s has a window that ends before it begins", rundir.WindowsFile))
		return
	}
	t.end = max(t.end, w.To)
	if w.Via == "api" {
		w.Via = ""
	}
	k := cellKey{w.Key, t.phaseAt(w.From + (w.To-w.From)/2)}
	c := t.cell(k)
	c.ok += w.OK
	c.bytes += w.Bytes
	c.inflated += w.Inflated
	for code, n := range w.Errors {
		of := c
		if k.phase == "" && settled[code] {
			of = t.cell(cellKey{w.Key, t.leftIn(code)})
		}
		of.failed += n
		of.codes[code] += n
	}
	for code, n := range w.Again {
		c.again[code] += n
	}
	if !quietPhases[k.phase] {
		t.late = max(t.late, w.LagMax)
	}
	c.hist.Add(bins)
	t.carry(w, k.phase, bins, waits)
	if isLoad(w.Key) {
		t.chart(w, bins)
		t.countNodes(w)
	}
}

// cell returns what a series did in a phase, to be added to.
func (t *trial) cell(k cellKey) *cell {
	c := t.cells[k]
	if c == nil {
		c = &cell{codes: map[string]uint64{}, again: map[string]uint64{}}
		t.cells[k] = c
	}
	return c
}

// phaseAt returns the name of the phase at an instant, the latest begun of
// several; empty between phases.
func (t *trial) phaseAt(ns int64) string {
	for _, p := range slices.Backward(t.done.Phases) {
		if ns >= p.From && (ns < p.To || p.To == 0) {
			return p.Name
		}
	}
	return ""
}

// isLoad says whether the series is a workload's requests to the apiserver, as
// opposed to probes, the witness, what goes to etcd itself and what was seen by
// a watch.
func isLoad(k rundir.Key) bool {
	return !rundir.Own(k.Workload) && (k.Via == "" || k.Via == "api")
}

// atEtcd says whether a series is of a load on etcd itself.
func atEtcd(k rundir.Key) bool { return !rundir.Own(k.Workload) && k.Via == "etcd" }

// total sums the samples of one metric over its labels.
func total(samples map[string]float64, name string) (sum float64, ok bool) {
	for k, v := range samples {
		if base, _, _ := strings.Cut(k, "{"); base == name {
			sum, ok = sum+v, true
		}
	}
	return sum, ok
}
