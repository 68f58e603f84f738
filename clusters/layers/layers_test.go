package layers

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// shelf keeps copies, and what was done in which order.
type shelf struct {
	has  []string
	done []string
}

func (s *shelf) Has(key string) bool { return slices.Contains(s.has, key) }

func (s *shelf) Start(_ context.Context, key string) error {
	s.done = append(s.done, "start "+key)
	return nil
}

func (s *shelf) Take(_ context.Context, key string) error {
	s.has, s.done = append(s.has, key), append(s.done, "take "+key)
	return nil
}

func (s *shelf) Resume(context.Context) error {
	s.done = append(s.done, "resume")
	return nil
}

func (s *shelf) layer(key, came string) Layer {
	return Layer{key, came, func(context.Context) error {
		s.done = append(s.done, "make "+key)
		return nil
	}}
}

// Every missing copy is taken once, from the highest one that is there.
func TestClimb(t *testing.T) {
	for name, tt := range map[string]struct {
		has, keys []string
		done      []string
		came      string
	}{
		"nothing is there":       {nil, []string{"a", "b", "c"}, []string{"make a", "take a", "resume", "make b", "take b", "resume", "make c", "take c"}, "to a, to b, to c"},
		"the uppermost is":       {[]string{"c"}, []string{"a", "b", "c"}, nil, ""},
		"the uppermost is not":   {[]string{"a", "b"}, []string{"a", "b", "c"}, []string{"start b", "make c", "take c"}, "to c"},
		"a layer that is none":   {[]string{"a"}, []string{"a", "a", "c"}, []string{"start a", "make c", "take c"}, "to c"},
		"two layers that are":    {[]string{"a"}, []string{"a", "b", "b"}, []string{"start a", "make b", "take b"}, "to b"},
		"all of them are one":    {nil, []string{"a", "a", "a"}, []string{"make a", "take a"}, "to a"},
		"another was made on it": {[]string{"a", "c"}, []string{"a", "d"}, []string{"start a", "make d", "take d"}, "to d"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{has: tt.has}
			var all []Layer
			for _, key := range tt.keys {
				all = append(all, s.layer(key, "to "+key))
			}
			came, err := Climb(t.Context(), all, s)
			if err != nil || came != tt.came || !slices.Equal(s.done, tt.done) {
				t.Errorf("%v, %q, %v; want %v, %q", s.done, came, err, tt.done, tt.came)
			}
			if !s.Has(Top(all)) {
				t.Errorf("no copy %s to begin from", Top(all))
			}
		})
	}
}

// A population has a copy of its own, and none is no other state.
func TestFilled(t *testing.T) {
	below := Layer{Key: "a"}
	if none := Filled(below, clusters.Population{}, nil, clusters.Discard); none.Key != "a" {
		t.Errorf("no population has the key %q", none.Key)
	}
	var done []string
	p := clusters.Population{Key: "p", Fill: func(ctx context.Context, settled func(context.Context) error) error {
		done = append(done, "fill")
		return settled(ctx)
	}}
	l := Filled(below, p, func(context.Context) error { done = append(done, "wait"); return nil }, func(e clusters.Event) { done = append(done, "tell") })
	if err := l.Make(t.Context()); err != nil || l.Key != "a-p" || !slices.Equal(done, []string{"fill", "wait", "tell"}) {
		t.Errorf("key %q, did %v, %v", l.Key, done, err)
	}
}

// Of what could not be made there is no copy.
func TestClimbFails(t *testing.T) {
	s := &shelf{}
	refused := errors.New("refused")
	all := []Layer{s.layer("a", "to a"), {"b", "to b", func(context.Context) error { return refused }}, s.layer("c", "to c")}
	if _, err := Climb(t.Context(), all, s); !errors.Is(err, refused) {
		t.Error(err)
	}
	if !slices.Equal(s.has, []string{"a"}) || !slices.Equal(s.done, []string{"make a", "take a", "resume"}) {
		t.Errorf("copies of %v after %v", s.has, s.done)
	}
}
