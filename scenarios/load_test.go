package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/strict"
)

func read(t *testing.T, path string) Source {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Source{filepath.Base(path), text}
}

func TestInvalidFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := Load(read(t, file), testKinds(), Changes{})
			var problems strict.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("wanted problems, got %v", err)
			}
			golden.File(t, strings.TrimSuffix(file, ".yaml")+".golden", problems.Error()+"\n")
		})
	}
}

func TestWarnings(t *testing.T) {
	files, err := filepath.Glob("testdata/warning-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			s, err := Load(read(t, file), testKinds(), Changes{})
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Warnings) == 0 {
				t.Fatal("no warning")
			}
			golden.File(t, strings.TrimSuffix(file, ".yaml")+".golden", s.Warnings.Error()+"\n")
		})
	}
}

// What makes every verdict impossible is kept apart from what is wrong: the
// caller refuses it, unless somebody only tries the scenario out.
func TestTooFewBlocks(t *testing.T) {
	for _, name := range []string{"too-few-blocks", "too-few-blocks-for-alpha"} {
		s, err := Load(read(t, "testdata/"+name+".yaml"), testKinds(), Changes{})
		if err != nil {
			t.Fatal(err)
		}
		golden.File(t, "testdata/"+name+".golden", s.TooFew.Error()+"\n")
	}
	s, err := Load(read(t, "testdata/valid.yaml"), testKinds(), Changes{})
	if err != nil || s.TooFew != nil {
		t.Errorf("eight blocks are too few: %v, %v", s.TooFew, err)
	}
}

func TestLeastBlocks(t *testing.T) {
	for _, c := range []struct {
		alpha                       float64
		comparisons, verdict, claim int
	}{
		{0.05, 1, 6, 6}, {0.05, 3, 6, 6}, {0.05, 4, 6, 7}, {0.05, 6, 6, 7}, {0.05, 7, 6, 8}, {0.05, 12, 6, 8}, {0.05, 13, 6, 9}, {0.01, 1, 8, 8}, {0.2, 1, 4, 4},
	} {
		if verdict, claim := LeastBlocks(c.alpha, c.comparisons); verdict != c.verdict || claim != c.claim {
			t.Errorf("alpha %v, %d comparisons: %d and %d blocks, want %d and %d", c.alpha, c.comparisons, verdict, claim, c.verdict, c.claim)
		}
	}
}

// Both profiles of an A/A run are the same one under two names, whichever it
// is, and every comparison is between them.
func TestTwice(t *testing.T) {
	s, err := Load(read(t, "testdata/valid.yaml"), testKinds(), Changes{})
	if err != nil {
		t.Fatal(err)
	}
	for profile, changes := range map[string]int{"": 0, "stock": 0, "fast-election": 2} {
		aa, err := s.Twice(profile, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(aa.Profiles) != 2 || aa.Profiles[0].Name != "a" || aa.Profiles[1].Name != "b" || aa.Blocks != 10 || len(aa.Tours) != 0 || !aa.WarmupBlock {
			t.Errorf("%s: %+v, %d blocks, %d tours", profile, aa.Profiles, aa.Blocks, len(aa.Tours))
		}
		for _, p := range aa.Profiles {
			if len(p.Changes) != changes {
				t.Errorf("%s as %s: changes %v", profile, p.Name, p.Changes)
			}
		}
		compared := 0
		for _, g := range aa.Gates {
			if g.Compare != "" {
				compared++
				if g.Compare != "a" {
					t.Errorf("a gate compares with %s", g.Compare)
				}
			}
		}
		if compared == 0 {
			t.Error("nothing is compared")
		}
		text, err := aa.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Source{"aa.yaml", text}, testKinds(), Changes{}); err != nil {
			t.Errorf("what is kept of it cannot be loaded: %v", err)
		}
	}
	if _, err := s.Twice("fastelection", 8); err == nil || !strings.Contains(err.Error(), "did you mean fast-election") {
		t.Errorf("an unknown profile: %v", err)
	}
}
