package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/storm-harness/storm/internal/golden"
)

func TestCatalogueLoads(t *testing.T) {
	names, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "quickstart") || !slices.IsSorted(names) {
		t.Fatalf("the catalogue has %v", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			src, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Load(src, testKinds(), Changes{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name || s.Description == "" || len(s.Gates) == 0 {
				t.Errorf("%s: described as %q, with %d gates", s.Name, s.Description, len(s.Gates))
			}
			// two-builds is given its builds on the command line; without any its
			// profiles are alike, as its comment says.
			if len(s.Warnings) > 0 && name != "two-builds" {
				t.Errorf("a ready scenario has warnings: %v", s.Warnings)
			}
			heldAgainstItself(t, s)
			text, err := s.Describe()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(text) {
				if len(line) > width+1 {
					t.Errorf("wider than %d columns: %q", width, line)
				}
			}
			if name == "quickstart" {
				golden.Check(t, "describe-quickstart", text)
			}
		})
	}
}

// heldAgainstItself makes an A/A run of every profile: gates of other profiles and of
// shards that it does not have are none of its, and the rest says what Holm counts.
func heldAgainstItself(t *testing.T, s *Scenario) {
	t.Helper()
	for _, p := range s.Profiles {
		aa, err := s.Twice(p.Name, 8)
		if err != nil {
			t.Errorf("%s against itself: %v", p.Name, err)
			continue
		}
		if len(aa.Gates) == 0 || len(aa.Gates) > len(s.Gates) || aa.Comparisons() != s.Comparisons() {
			t.Errorf("%s against itself: %d of %d gates, %d comparisons of %d", p.Name, len(aa.Gates), len(s.Gates), aa.Comparisons(), s.Comparisons())
		}
		for _, g := range aa.Gates {
			if g.Profile != "" || g.Compare != "" && g.Compare != FirstTwin {
				t.Errorf("%s against itself: the gate %+v", p.Name, g)
			}
		}
	}
}

func TestOpenSuggests(t *testing.T) {
	_, err := Open("quikstart")
	const want = `there is no scenario "quikstart": did you mean quickstart?; a file is named by its path, such as ./quikstart.yaml`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := Open("./nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("got %v", err)
	}
}

// beyondSchema are the mistakes that only a check on the whole document, or
// the syntax of YAML, can tell.
var beyondSchema = []string{
	"act-own-rules", "alias", "compare-unknown-profile", "compare-one-profile", "compare-with-bound", "compare-without-margin", "compare-without-stat",
	"cooldown-not-last", "duplicate-act", "duplicate-key", "duplicate-profile", "duplicate-shard", "duplicate-workload",
	"election-too-short", "election-too-short-in-profile", "empty-timeline", "fault-without-time", "flow-schema-of-no-level", "gate-isolation-of-nobody", "gate-profile-not-there", "priority-level-without-type", "fleet-act-rules", "fleet-cannot", "fleet-none", "fleet-not-said", "from-not-built", "proxy-not-built",
	"gate-act-not-there", "gate-decides-nothing", "gate-min-on-latency", "gate-nothing-to-measure", "gate-phase-not-there", "gate-share", "gate-two-bounds", "gate-unknown-names",
	"gate-without-bound", "gate-of-a-load-on-etcd", "gate-of-loads-on-etcd-alone", "gate-without-its-load", "gate-wrong-label", "gate-wrong-stat", "gate-wrong-unit", "heal-by-nobody", "margin-without-compare", "merge-key",
	"no-apiserver", "object-beyond-request-limit", "object-nobody-can-churn", "not-a-version", "not-yaml", "partition-of-one", "partition-on-loopback", "provider-of-one-profile", "patch-deletes-nothing", "patch-removes-what-a-gate-needs",
	"quota-out-of-reach", "quota-without-filling", "rate-of-zero", "rate-peak-too-large", "rate-step-without-time", "recovery-from-nothing", "restore-from-unknown", "restore-without-backup", "shard-named-main", "shard-resource-twice", "shares-not-all",
	"shard-without-resources", "tab", "tag", "tour-compares", "tour-unknown-profile", "two-documents", "unclosed-bracket", "unknown-member",
	"unknown-fleet", "unknown-shard", "warmup-not-first",
	"gate-beyond-the-histogram", "load-object", "load-selector", "load-status", "load-unknown-resource", "lists-beyond-a-machine",
}

func TestSchema(t *testing.T) {
	text, err := Schema(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	schema := golden.Schema(t, text)
	validate := func(text []byte) error {
		asJSON, err := yaml.YAMLToJSON(text)
		if err != nil {
			return err
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(asJSON))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return err
		}
		return schema.Validate(v)
	}
	names, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		src, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(src.Text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	right, err := filepath.Glob("testdata/w*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(right, "testdata/valid.yaml") {
		if err := validate(read(t, file).Text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	wrong, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range wrong {
		err := validate(read(t, file).Text)
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "invalid-"), ".yaml")
		if err == nil && !slices.Contains(beyondSchema, name) {
			t.Errorf("%s: the schema takes it", file)
		}
		var invalid *jsonschema.ValidationError
		if errors.As(err, &invalid) && slices.Contains(beyondSchema, name) {
			t.Errorf("%s: the schema can tell after all: %v", file, err)
		}
	}
}

// TestKindsAreDocumented holds every kind to having its fields tagged and
// described: an exported field without a tag could not be written in YAML.
func TestKindsAreDocumented(t *testing.T) {
	for _, p := range testKinds().decoder().Undocumented(&document{}) {
		t.Error(p)
	}
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		src, err := Open(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src.Text, "cluster.etcd.members=5")
	}
	f.Add([]byte(withTour), "workloads.fleet={nodes: {count: 3}}")
	f.Fuzz(func(t *testing.T, text []byte, arg string) {
		s, err := Load(Source{"f.yaml", text}, testKinds(), Changes{Sets: []string{arg}})
		if err != nil {
			return
		}
		for _, p := range s.Profiles {
			if _, err := s.Trial(p.Name, ""); err != nil {
				t.Errorf("loaded, but not under %s: %v", p.Name, err)
			}
		}
		for _, tour := range s.Tours {
			if _, err := s.Trial(tour.Profile, tour.Name); err != nil {
				t.Errorf("loaded, but not in %s: %v", tour.Name, err)
			}
		}
		if _, err := s.Describe(); err != nil {
			t.Errorf("loaded, but cannot be described: %v", err)
		}
		out, err := s.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Source{"again.yaml", out}, testKinds(), Changes{}); err != nil {
			t.Errorf("loaded once, not again: %v\n%s", err, out)
		}
	})
}
