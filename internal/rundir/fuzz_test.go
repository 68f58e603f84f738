package rundir

import (
	"bytes"
	"testing"
)

// fuzzLines feeds any bytes to a reader: it may not panic, may report no more
// records and errors than there are ended lines, and each error has its line.
func fuzzLines[T any](f *testing.F, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte("{}\n{\n"))
	f.Add([]byte("{\"at\":1e99}\n{\"d\":{\"a\":null}}\n\xff\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ended := bytes.Count(data, []byte("\n"))
		got, last := 0, 0
		decode(bytes.NewReader(data), "x.jsonl", func(_ T, err error) bool {
			got++
			if line, ok := err.(*LineError); ok { //nolint:errorlint // decode makes it
				if line.Line <= last || line.Line > ended {
					t.Errorf("error at line %d after %d, of %d lines", line.Line, last, ended)
				}
				last = line.Line
			} else if err != nil {
				t.Errorf("an error without a line: %v", err)
			}
			return true
		})
		if got > ended {
			t.Errorf("%d records from %d lines", got, ended)
		}
	})
}

func FuzzEvents(f *testing.F) {
	fuzzLines[Event](f, `{"at":0,"wall":"2026-11-23T10:00:00Z","kind":"origin","data":{"a":"b"}}`+"\n")
}

func FuzzWindows(f *testing.F) {
	fuzzLines[Window](f, `{"w":"fleet","v":"get","r":"pods","s":"cluster","from":0,"to":1,"ok":1,"err":{"429":2},"hist":"HISTF"}`+"\n")
}

func FuzzProbes(f *testing.F) {
	fuzzLines[Probe](f, `{"i":1,"d":2,"l":"etcd","o":"read","t":"etcd-main-0","e":"timeout"}`+"\n")
}

func FuzzScrapes(f *testing.F) { fuzzLines[Scrape](f, `{"at":1,"c":"a","m":{"x{l=\"v\"}":1.5}}`+"\n") }

func FuzzProcesses(f *testing.F) {
	fuzzLines[Process](f, `{"at":1,"c":"storm","pid":2,"rss":3}`+"\n")
}

func FuzzWrites(f *testing.F) {
	fuzzLines[Write](f, `{"i":1,"d":2,"via":"etcd","sh":"main","k":"/a","rev":3}`+"\n")
}

func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"format":1,"plan":[{"id":"001"}]}`))
	f.Add([]byte(`{"format":1,"plan":[{"id":"../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := parseRun(data)
		if err != nil {
			return
		}
		if run.Format != FormatVersion {
			t.Errorf("format %d was taken", run.Format)
		}
		for _, p := range run.Plan {
			if checkID(p.ID) != nil {
				t.Errorf("trial id %q was taken", p.ID)
			}
		}
	})
}
