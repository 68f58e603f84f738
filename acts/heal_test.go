package acts

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// taken is a fault that is taken back and after which the system is not well, or
// that cannot be taken back.
type taken struct{ back, well error }

func (t taken) Target() Target                              { return Target{} }
func (t taken) Inject(context.Context) error                { return nil }
func (t taken) Prove(context.Context) (string, error)       { return "it struck", nil }
func (t taken) Heal(context.Context) error                  { return t.back }
func (t taken) ProveHealed(context.Context) (string, error) { return "", t.well }

// TestUnhealed: that the system is not well after a fault was taken back is what a
// trial is for; that storm could not take it back, or that it never struck, is not.
func TestUnhealed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  taken
		proven int64
		want   bool
	}{
		"well":                {taken{}, 1, false},
		"not well":            {taken{well: errors.New("no quorum")}, 1, true},
		"never struck":        {taken{well: errors.New("no quorum")}, 0, false},
		"not even taken back": {taken{back: errors.New("no such process"), well: errors.New("no quorum")}, 1, false},
	} {
		act := &rundir.Act{Proven: c.proven}
		env := &Env{Clock: measure.NewClock()}
		heal(t.Context(), env, Step{}, c.fault, Bounds{Heal: time.Second}, act, HealAuto)
		if act.Unhealed != c.want || (act.Error != "") != (c.fault != taken{}) {
			t.Errorf("%s: unhealed %v, error %q", name, act.Unhealed, act.Error)
		}
	}
}
