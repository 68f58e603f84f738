package workloads

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// maxRate is the largest rate that makes sense to ask one machine for.
const maxRate = 1e6

// maxInFlight bounds the requests in flight that a scenario may ask for: each
// holds a goroutine and a stream.
const maxInFlight = 100_000

// OpenLoop is how often a load makes a request, whatever becomes of the
// requests before it.
type OpenLoop struct {
	Rate     unit.Schedule `yaml:"rate" required:"true" doc:"requests a second: 100/s, a ramp 0/s..500/s over 60s, or steps 100/s for 30s, 200/s for 30s, 400/s; time counts from the start of the warmup"`
	Arrivals string        `yaml:"arrivals" enum:"constant,poisson" doc:"whether requests come evenly or at random with that rate on average; constant by default"`
	InFlight int           `yaml:"inFlight" min:"1" max:"100000" doc:"requests that may be in flight at once; beyond it one is refused at its intended time and counts as failed"`
	Timeout  unit.Duration `yaml:"timeout" min:"1ms" doc:"deadline of a request, 10s by default"`
}

// check returns what is wrong, by field.
func (o OpenLoop) check() []string {
	return append(checkRate("rate", o.Rate), o.checkBounds()...)
}

func (o OpenLoop) checkBounds() []string {
	problems := append(checkArrivals(o.Arrivals), checkInFlight(o.InFlight, openFiles())...)
	return append(problems, checkTimeout(o.Timeout)...)
}

func checkArrivals(how string) []string {
	switch how {
	case "", "constant", "poisson":
		return nil
	}
	return []string{fmt.Sprintf("arrivals: %q is not one of constant, poisson", how)}
}

// Sockets implements Connected.
func (o OpenLoop) Sockets() uint64 { return uint64(max(o.InFlight, 0) / streamsPerConnection) }

// checkInFlight checks a bound of requests in flight, for which there must be
// connections enough, given how many files may be open.
func checkInFlight(n int, files uint64) []string {
	need := OpenLoop{InFlight: n}.Sockets() + filesBeside
	switch {
	case n < 1 || n > maxInFlight:
		return []string{fmt.Sprintf("inFlight: %d is not between 1 and %d", n, maxInFlight)}
	case need > files:
		return []string{tooManyFiles(fmt.Sprintf("inFlight: %d", n), need, files)}
	}
	return nil
}

func checkRate(field string, s unit.Schedule) []string {
	switch peak := s.Peak(); {
	case s.Zero():
		return []string{field + ": must be above 0/s"}
	case peak > maxRate:
		return []string{fmt.Sprintf("%s: %s is above the limit of %s", field, peak, unit.Rate(maxRate))}
	}
	return nil
}

func checkTimeout(d unit.Duration) []string {
	if d <= 0 {
		return []string{"timeout: must be above 0s"}
	}
	return nil
}

// schedule returns when the requests are intended.
func (o OpenLoop) schedule(seed int64) pace.Schedule {
	if o.Arrivals == "poisson" {
		return pace.Poisson(o.Rate.Legs(), seed)
	}
	return pace.Even(o.Rate.Legs())
}

// run calls do for every slot of the schedule, and returns when ctx ends, also
// where the schedule did before. A slot refused at the bound counts as failed
// in the series that fits it.
func (o OpenLoop) run(ctx context.Context, env *Env, s pace.Schedule, do func(context.Context, pace.Slot), series func(pace.Slot) *measure.Series) {
	p := pace.Pacer{Clock: env.Clock, Schedule: s, InFlight: o.InFlight}
	p.Run(ctx, do, func(slot pace.Slot) {
		series(slot).Record(slot.Intended, slot.Intended, slot.Intended, measure.CodeRefused, 0)
	})
	<-ctx.Done()
}

// client makes the connections of the load: its own, under its own name.
func (e *Env) client(timeout unit.Duration) (*client.Client, error) {
	cfg := rest.CopyConfig(e.REST)
	cfg.UserAgent = userAgent(e.Name)
	c, err := client.New(cfg, e.Clock, timeout.D())
	if err != nil {
		return nil, fmt.Errorf("workload %s: %w", e.Name, err)
	}
	return c, nil
}

// hangUp closes a load's connections, and says how many requests the end of
// the load cut off: the server may have done them, and those that had not waited
// long count nowhere.
func (e *Env) hangUp(c *client.Client) {
	if n := c.Cut(); n > 0 {
		e.Log.Debug("requests cut off by the end of the load", "workload", e.Name, "cut", n)
	}
	c.Close()
}

// userAgent is how a load names itself to the server, so that audit logs and
// flow schemas can tell the loads apart.
func userAgent(workload string) string { return "storm/" + workload }
