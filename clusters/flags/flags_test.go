package flags

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlagsOfAChangeWinOverTheSpecs(t *testing.T) {
	fs := Set{{"a", "1"}, {"b", "2"}, {"c", "3"}}
	got := fs.With(map[string]string{"b": "20", "c": "-", "z": "26", "absent": "-"}).With(map[string]string{"z": "27"}).Argv()
	if want := []string{"--a=1", "--b=20", "--z=27"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(fs) != 3 || fs[1].Value != "2" {
		t.Errorf("the flags beneath were changed: %v", fs)
	}
}

func TestEtcdFlagsAreSpelledAsTheVersionTakesThem(t *testing.T) {
	old := Set{
		{"name", "m"}, {"experimental-initial-corrupt-check", "true"}, {"experimental-corrupt-check-time", "5m"},
		{"experimental-snapshot-catchup-entries", "1000"}, {"snapshot-count", "7"},
	}
	today := Set{
		{"name", "m"}, {"corrupt-check-time", "5m"}, {"snapshot-catchup-entries", "1000"}, {"snapshot-count", "7"},
		{"feature-gates", "InitialCorruptCheck=true"},
	}
	for _, c := range []struct {
		name, version string
		in, want      []string
	}{
		{"old names for 3.5", "v3.5.35", old.Argv(), old.Argv()},
		{"old names for 3.6", "v3.6.16", old.Argv(), today.Argv()},
		{"old names for 3.7", "v3.7.3", old.Argv(), today.Argv()},
		{"new names for 3.7", "v3.7.0-rc.1", today.Argv(), today.Argv()},
		{"new names for 3.5", "v3.5.0", today.Argv(), []string{
			"--name=m", "--experimental-corrupt-check-time=5m", "--experimental-snapshot-catchup-entries=1000", "--snapshot-count=7",
			"--experimental-initial-corrupt-check=true",
		}},
		{"gates meet", "v3.6.0", []string{"--feature-gates=CompactHashCheck=true,InitialCorruptCheck=false", "--experimental-initial-corrupt-check=true"},
			[]string{"--feature-gates=CompactHashCheck=true,InitialCorruptCheck=false"}},
		{"a gate that was no flag", "v3.5.35", []string{"--feature-gates=SetMemberLocalAddr=true,CompactHashCheck=true"},
			[]string{"--experimental-compact-hash-check-enabled=true", "--feature-gates=SetMemberLocalAddr=true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parsed(c.in).SpelledFor(c.version).Argv()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parsed(argv []string) Set {
	var out Set
	for _, a := range argv {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		out = append(out, Flag{name, value})
	}
	return out
}

func TestEnvironment(t *testing.T) {
	if got, want := Environ(map[string]string{"B": "2", "A": "1", "C": "-"}), []string{"A=1", "B=2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
