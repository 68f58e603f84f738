package runner

import (
	"context"
	"slices"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/scenarios"
)

// nearBefore is how long before an act the fine observation begins. That is
// after the steady phase: the observation itself is a load, which must not be
// in what the gates look at.
const nearBefore = 500 * time.Millisecond

// longTrial is where windows of a second cost more room than they are worth
// outside of faults.
const longTrial = 5 * time.Minute

// disturbance is an act whose recovery is to be measured.
type disturbance struct {
	act  *rundir.Act
	down []string
	end  int64 // when the next one began; 0: none yet
}

// openFault is a fault in force that the timeline is to heal.
type openFault struct {
	act  *rundir.Act
	open *acts.Open
}

// timeline goes through the steps. When ctx ends, whatever is in force is
// healed before it returns.
func (t *trial) timeline(ctx context.Context) error {
	_, most := scenarios.Span(t.spec.Timeline)
	long := most > longTrial
	t.eyes.recorder.Fine(!long)
	defer t.closeOpen(ctx)
	for _, step := range t.spec.Timeline {
		if ctx.Err() != nil {
			break
		}
		switch {
		case step.Act != nil:
			t.act(ctx, step, long)
		case step.Phase == scenarios.PhaseRecovery:
			t.recovery(ctx, step, long)
		default:
			t.stretch(ctx, step)
		}
	}
	// A timeline may end without a recovery step: then what was seen counts,
	// and what has not recovered is censored.
	t.measureRecovery()
	t.calm(long)
	if ctx.Err() == nil && !t.audited {
		t.audit(ctx, "end")
	}
	return nil
}

// stretch is a phase of a fixed length.
func (t *trial) stretch(ctx context.Context, step scenarios.Step) {
	t.eyes.health.Faulted(step.Phase == scenarios.PhaseWarmup)
	end := t.begin(step.Phase, "", step.For)
	defer end()
	wait(ctx, step.For)
}

// act runs a fault or an operation.
func (t *trial) act(ctx context.Context, step scenarios.Step, long bool) {
	_, gradual := step.Act.Act.(acts.Gradual)
	t.env.Bites = func() {
		t.eyes.near(true)
		t.eyes.probes.Struck()
	}
	t.eyes.near(!gradual)
	t.audited = false
	if long {
		t.eyes.recorder.Fine(true)
	}
	t.eyes.health.Faulted(true)
	s := *step.Act
	s.Unwell = len(t.open) > 0
	end := t.begin(step.Phase, s.Name, s.For)
	if !gradual {
		wait(ctx, nearBefore)
	}
	t.disturb(true)
	a, open := acts.Run(ctx, t.env, s, acts.DefaultBounds())
	t.disturb(false)
	end()
	t.acts = append(t.acts, a)
	// What is done to repair a fault in force has no recovery of its own: the
	// service was disturbed before.
	if !s.Unwell && a.Injected > 0 {
		for _, d := range t.disturbing {
			if d.end == 0 {
				d.end = a.Intended
			}
		}
		t.disturbing = append(t.disturbing, &disturbance{act: a, down: a.Down})
	}
	if open != nil {
		t.open = append(t.open, openFault{a, open})
		t.inForce()
	}
}

// recovery waits until everything that was disturbed serves again, measures
// how long that took, and has the witness's writes read back.
func (t *trial) recovery(ctx context.Context, step scenarios.Step, long bool) {
	t.closeOpen(ctx)
	end := t.begin(step.Phase, "", step.For)
	rctx, cancel := context.WithTimeout(ctx, step.For)
	for _, d := range t.disturbing {
		// Members that were down are back by now: they too must answer.
		if err := t.eyes.probes.Recovered(rctx, t.judgedBy(d, nil)); err != nil && ctx.Err() == nil {
			t.mu.Lock()
			t.warnings = append(t.warnings, d.act.Name+": "+err.Error())
			t.mu.Unlock()
		}
	}
	cancel()
	var after []string
	for _, d := range t.disturbing {
		after = append(after, d.act.Name)
	}
	t.measureRecovery()
	end()
	t.calm(long)
	if ctx.Err() == nil && len(after) > 0 {
		t.audit(ctx, after[len(after)-1])
	}
}

// judgedBy is the disturbance as the probes take it.
func (t *trial) judgedBy(d *disturbance, down []string) measure.Disturbance {
	return measure.Disturbance{Intended: d.act.Intended, Injected: d.act.Injected, Until: d.end, Down: down, N: t.spec.Measure.Probes.Consecutive}
}

// measureRecovery computes the recovery times of what was disturbed.
func (t *trial) measureRecovery() {
	for _, d := range t.disturbing {
		d.act.Recovery = t.eyes.probes.Recovery(t.judgedBy(d, d.down))
		if len(d.act.Recovery) == 0 {
			t.invalid = append(t.invalid, "no probe was seen after "+d.act.Name)
		}
	}
	t.disturbing = nil
}

// calm ends the observation near faults.
func (t *trial) calm(long bool) {
	t.eyes.near(false)
	t.eyes.health.Faulted(false)
	if long {
		t.eyes.recorder.Fine(false)
	}
}

// closeOpen has the proof that the timeline healed its faults, or heals them.
func (t *trial) closeOpen(ctx context.Context) {
	for _, f := range slices.Backward(t.open) {
		f.open.Close(ctx, f.act)
	}
	t.open = nil
	t.inForce()
}

// inForce tells the display of the faults that are in force.
func (t *trial) inForce() {
	var names []string
	for _, f := range t.open {
		names = append(names, f.act.Name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at.InForce = names
}

// auditPatience bounds how long the witness's writes are looked for.
const auditPatience = time.Minute

// audit has the witness's writes read back.
func (t *trial) audit(ctx context.Context, after string) {
	t.say("reading back what was acknowledged", 0)
	actx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	found, err := t.eyes.journal.Audit(actx, after, t.restores)
	t.audits, t.audited = append(t.audits, found...), true
	if err != nil && ctx.Err() == nil {
		t.invalid = append(t.invalid, rundir.NotReadBack+": "+err.Error())
	}
}

// begin opens a phase and returns what closes it.
func (t *trial) begin(phase, act string, lasts time.Duration) func() {
	t.eyes.recorder.Cut() // no window reaches over the border
	t.mu.Lock()
	t.phase, t.at.Act = phase, act
	t.mu.Unlock()
	from := t.eyes.clock.Now()
	t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventPhaseBegin, Subject: phase, Text: act})
	t.say(phase, lasts)
	return func() {
		t.eyes.recorder.Cut()
		to := t.eyes.clock.Now()
		t.phases = append(t.phases, rundir.Phase{Name: phase, From: from, To: to})
		t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventPhaseEnd, Subject: phase, Text: act})
		t.mu.Lock()
		t.phase, t.at.Act = "", ""
		t.mu.Unlock()
	}
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
