package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the peers print, as they print it; what is not understood is an error
// and never a figure.
func TestPeersAreRead(t *testing.T) {
	const heyText = "\nSummary:\n  Total:\t5.0\n\nLatency distribution:\n  10% in 0.0023 secs\n\nStatus code distribution:\n  [200]\t31337 responses\n  [429]\t12 responses\n\n" +
		"Error distribution:\n  [3]\tGet \"https://127.64.0.1:6443/\": EOF\n"
	const wrkText = "Running 5s test @ https://x\n  2 threads and 64 connections\n  41000 requests in 5.01s, 60MB read\n" +
		"  Socket errors: connect 0, read 2, write 0, timeout 1\n  Non-2xx or 3xx responses: 1000\n"
	for name, c := range map[string]struct {
		read func(string) (result, error)
		text string
		want result
		bad  bool
	}{
		"hey":               {readHey, heyText, result{OK: 31337, Errors: map[string]uint64{"429": 12, "error": 3}}, false},
		"hey, nothing":      {readHey, "Summary:\n", result{}, true},
		"hey, none is good": {readHey, "Status code distribution:\n  [401]\t5 responses\n", result{}, true},
		"hey, at its bound": {readHey, "  [200]\t1000000 responses\n", result{}, true},
		"wrk":               {readWrk, wrkText, result{OK: 40000, Errors: map[string]uint64{"status": 1000, "socket": 3}}, false},
		"wrk, nothing":      {readWrk, "unable to connect", result{}, true},
		"curl":              {readCurl, "100 2\n150 2\n", result{OK: 2, Bytes: 250}, false},
		"curl, nonsense":    {readCurl, "curl: (7)\n", result{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.read(c.text)
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); err == nil && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
