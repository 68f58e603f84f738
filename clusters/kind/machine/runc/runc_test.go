package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var noResource = map[string]bool{"CAP_SYS_RESOURCE": true, "CAP_CHOWN": false}

func TestReads(t *testing.T) {
	for _, tt := range []struct{ args, file string }{
		{"--root /run/r --log /l.json --log-format json create --bundle /b --pid-file /b/init.pid ID", "/b/config.json"},
		{"--root=/run/r --systemd-cgroup create --bundle=/b ID", "/b/config.json"},
		{"create -b /b ID", "/b/config.json"},
		{"run ID", "config.json"},
		{"--log create exec --process /tmp/p --detach ID", "/tmp/p"},
		{"exec -p /tmp/p ID", "/tmp/p"},
		{"exec ID ls --process /tmp/p", "/tmp/p"}, // runc itself would not take it: what is there is adjusted for nothing
		{"exec ID -- ls --process /tmp/p", ""},
		{"delete --force ID", ""},
		{"--version", ""},
		{"--root", ""},
		{"exec ID --process", ""},
		{"", ""},
	} {
		if file, rewrite := reads(strings.Fields(tt.args)); file != tt.file || file != "" && rewrite == nil {
			t.Errorf("runc %s: reads %q, want %q", tt.args, file, tt.file)
		}
	}
}

func TestRewrite(t *testing.T) {
	const config = `{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"ambient":null},"rlimits":[{"hard":18446744073709551615}]},"x":1.0}`
	const want = `{"process":{"capabilities":{"ambient":null,"bounding":["CAP_CHOWN"]},"rlimits":[{"hard":18446744073709551615}]},"x":1.0}`
	out, changed, err := inConfig([]byte(config), noResource)
	if err != nil || !changed || string(out) != want {
		t.Errorf("got %s, %v, %v", out, changed, err)
	}
	if again, changed, err := inConfig(out, noResource); err != nil || changed || string(again) != want {
		t.Errorf("the second time: %s, %v, %v", again, changed, err)
	}
	out, changed, err = inProcess([]byte(`{"capabilities":{"effective":["CAP_SYS_RESOURCE"]}}`), noResource)
	if err != nil || !changed || string(out) != `{"capabilities":{"effective":[]}}` {
		t.Errorf("got %s, %v, %v", out, changed, err)
	}
	for _, odd := range []string{"", "[]", "{} {}", `{"process":1}`, `{"process":{"capabilities":[]}}`, `{"process":{"capabilities":{"a":{}}}}`} {
		if _, changed, err := inConfig([]byte(odd), noResource); err == nil || changed {
			t.Errorf("%s was taken", odd)
		}
	}
	for _, nothing := range []string{"{}", `{"process":null}`, `{"process":{"capabilities":null}}`} {
		if out, changed, err := inConfig([]byte(nothing), noResource); err != nil || changed || string(out) != nothing {
			t.Errorf("%s became %s, %v", nothing, out, err)
		}
	}
}

func TestAdjustKeepsTheMode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"capabilities":{"effective":["CAP_SYS_RESOURCE"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := adjust(file, inProcess, noResource); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil || string(data) != `{"capabilities":{"effective":[]}}` {
		t.Errorf("got %s, %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %s, %v", info.Mode(), err)
	}
	if names, err := filepath.Glob(file + "?*"); err != nil || len(names) > 0 {
		t.Errorf("left behind: %s, %v", names, err)
	}
	if err := adjust(file+".not", inProcess, noResource); err != nil {
		t.Errorf("a file that is not there: %v", err)
	}
}

// The table is the kernel's: a capability that this has no name for would reach
// runc, which refuses it.
func TestEveryCapabilityHasItsName(t *testing.T) {
	if capabilities[unix.CAP_SYS_RESOURCE] != "CAP_SYS_RESOURCE" || capabilities[unix.CAP_LAST_CAP] != "CAP_CHECKPOINT_RESTORE" || len(capabilities) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names, the last is %s", len(capabilities), capabilities[len(capabilities)-1])
	}
	missing, err := missingCapabilities()
	if err != nil || len(missing) != len(capabilities) {
		t.Errorf("%v, %v", missing, err)
	}
}

// Whatever a file holds: nothing that is missing stays in a set, nothing else is
// touched, and a second time changes nothing.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(`{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"]}},"capabilities":{"x":["CAP_SYS_RESOURCE"]}}`))
	f.Add([]byte(`{"a":1e400,"process":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, rewrite := range []rewriter{inConfig, inProcess} {
			out, changed, err := rewrite(data, noResource)
			if err != nil {
				continue
			}
			if !changed {
				if !bytes.Equal(out, data) {
					t.Fatalf("%q became %q without a change", data, out)
				}
				continue
			}
			if _, changed, err := rewrite(out, noResource); err != nil || changed {
				t.Fatalf("%q became %q, in which there still is something: %v, %v", data, out, changed, err)
			}
			if got, want := shape(t, out), shape(t, data); !reflect.DeepEqual(got, want) {
				t.Fatalf("%q became %q: %v is not %v", data, out, got, want)
			}
		}
	})
}

// shape is a JSON value without the capability that may go.
func shape(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return strip(v)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = strip(v[name])
		}
	case []any:
		kept := slices.DeleteFunc(v, func(e any) bool { return e == "CAP_SYS_RESOURCE" })
		for i := range kept {
			kept[i] = strip(kept[i])
		}
		return kept
	}
	return v
}
