package rundir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// maxLine bounds a line, so that a damaged file cannot ask for all memory.
const maxLine = 16 << 20

// LineError says which line of which file cannot be read.
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// Records reads the files of one trial. Every iterator streams its file, and
// can be used again. A file that is missing has no lines; a last line without
// its end was cut off by a kill and is skipped. A bad line before that is
// yielded as a *LineError, after which the iteration may go on with the next
// line; any other error is the last thing yielded.
type Records struct{ path string }

// Records returns the reader of a planned trial, which need not have begun.
func (d *Dir) Records(id string) (Records, error) {
	if _, ok := d.planned(id); !ok {
		return Records{}, fmt.Errorf("trial %q is not in the plan", id)
	}
	return Records{path: d.trialPath(id)}, nil
}

// Path returns the trial's directory.
func (r Records) Path() string { return r.path }

// Trial returns trial.json; errors.Is(err, fs.ErrNotExist) where the trial
// was cut off or has not ended yet.
func (r Records) Trial() (Trial, error) {
	var t Trial
	err := readJSON(filepath.Join(r.path, TrialFile), &t)
	return t, err
}

// Events iterates over events.jsonl.
func (r Records) Events() iter.Seq2[Event, error] {
	return lines[Event](filepath.Join(r.path, EventsFile))
}

// Windows iterates over windows.jsonl.
func (r Records) Windows() iter.Seq2[Window, error] {
	return lines[Window](filepath.Join(r.path, WindowsFile))
}

// Probes iterates over probes.jsonl.
func (r Records) Probes() iter.Seq2[Probe, error] {
	return lines[Probe](filepath.Join(r.path, ProbesFile))
}

// Scrapes iterates over scrapes.jsonl.
func (r Records) Scrapes() iter.Seq2[Scrape, error] {
	return lines[Scrape](filepath.Join(r.path, ScrapesFile))
}

// Processes iterates over process.jsonl.
func (r Records) Processes() iter.Seq2[Process, error] {
	return lines[Process](filepath.Join(r.path, ProcessFile))
}

// Writes iterates over journal.jsonl.
func (r Records) Writes() iter.Seq2[Write, error] {
	return lines[Write](filepath.Join(r.path, JournalFile))
}

// Events iterates over the events of the run as a whole, as Records does over
// a trial's files.
func (d *Dir) Events() iter.Seq2[Event, error] {
	return lines[Event](filepath.Join(d.path, EventsFile))
}

// lines streams a .jsonl file.
func lines[T any](path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(zero, err)
			return
		}
		defer f.Close() //nolint:errcheck // only read
		decode[T](f, path, yield)
	}
}

// decode yields one T a line of in; path is for messages.
func decode[T any](in io.Reader, path string, yield func(T, error) bool) {
	var zero T
	in2 := bufio.NewReaderSize(in, 64<<10)
	var buf []byte
	for n := 1; ; n++ {
		line, err := readLine(in2, &buf)
		switch {
		case errors.Is(err, io.EOF):
			return // whole, or cut off in the last line
		case err != nil:
			yield(zero, &LineError{path, n, err})
			return
		}
		v, err := parseLine[T](line)
		if err != nil {
			err = &LineError{path, n, err}
		}
		if !yield(v, err) {
			return
		}
	}
}

func parseLine[T any](line []byte) (T, error) {
	var v T
	if !bytes.HasPrefix(bytes.TrimLeft(line, " \t\r"), []byte("{")) {
		return v, errors.New("not a JSON object")
	}
	// Half of the time that encoding/json takes, and one copy of the names that
	// every line repeats.
	if err := json.Unmarshal(line, &v, jsonv1.DefaultOptionsV1()); err != nil {
		var zero T // nothing of a half-read line may be taken for data
		return zero, err
	}
	return v, nil
}

// readLine returns the next line without its end, valid until the next call.
// A line that has no end is io.EOF.
func readLine(in *bufio.Reader, buf *[]byte) ([]byte, error) {
	*buf = (*buf)[:0]
	for {
		part, err := in.ReadSlice('\n')
		if err == nil && len(*buf) == 0 {
			return part[:len(part)-1], nil
		}
		if len(*buf)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		*buf = append(*buf, part...)
		switch {
		case err == nil:
			return (*buf)[:len(*buf)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
