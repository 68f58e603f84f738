package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/storm-harness/storm/internal/procfs"
)

// Entry is one thing of a ledger, as far as its records tell.
type Entry struct {
	Kind Kind
	Name string
	// Who is the process that it became; nil where that was never recorded.
	Who *procfs.Identity
	// Intent is the record of the intent.
	Intent Record
}

// readRecords reads a ledger.
func readRecords(path string) ([]Record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a ledger: %w", err)
	}
	return parse(b), nil
}

// parse reads the records of a ledger. A line that is no record is skipped:
// the writer may have been killed, or the disk full, in the middle of it, and
// the lines around it are as good as ever.
func parse(b []byte) []Record {
	var out []Record
	for line := range bytes.Lines(b) {
		var r Record
		if json.Unmarshal(line, &r) == nil && r.Stage != "" {
			out = append(out, r)
		}
	}
	return out
}

// owner returns who began the ledger, nil if its first record was lost.
func owner(records []Record) *procfs.Identity {
	for _, r := range records {
		if r.Stage == Owner {
			return r.Who
		}
	}
	return nil
}

// open returns what was intended and never undone, in the order of the
// intents. A fact whose intent was lost counts as an intent.
func open(records []Record) []Entry {
	var out []Entry
	for _, r := range records {
		at := slices.IndexFunc(out, func(e Entry) bool { return e.Kind == r.Kind && e.Name == r.Name })
		switch r.Stage {
		case Intent, Fact:
			if at < 0 || r.Stage == Intent {
				// An intent makes the thing anew: a process that was
				// started again under its name is another one.
				if at >= 0 {
					out = slices.Delete(out, at, at+1)
				}
				out = append(out, Entry{Kind: r.Kind, Name: r.Name, Intent: r})
				at = len(out) - 1
			}
			if r.Stage == Fact {
				out[at].Who = r.Who
			}
		case Undone:
			if at >= 0 {
				out = slices.Delete(out, at, at+1)
			}
		case Owner, Kept:
		}
	}
	return out
}
