package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/workloads/client"
)

// objectBytes is the size of the object that is asked for, about.
const objectBytes = 1024

// contender is a generator that takes its turn.
type contender struct {
	name   string
	why    error // why it cannot be had
	round  func(context.Context) (result, time.Duration, error)
	rates  []float64 // requests, or bytes, per CPU-second, a round
	done   result
	cpu    time.Duration
	failed error
}

// requests measures what a request costs each generator, at saturation, and
// then how late storm sends at half of that.
func (b *bench) requests(ctx context.Context) error {
	return b.with(ctx, func(ctx context.Context, p *plane) error {
		w, err := p.target(ctx)
		if err != nil {
			return err
		}
		if err := p.fill(ctx, configMaps, 1, func(int) runtime.Object { return configMap("one", objectBytes) }); err != nil {
			return err
		}
		path := configMaps + "/one"
		all := []*contender{b.stormGets(w, path), b.heyGets(ctx, w, path), b.wrkGets(w, path)}
		if !b.wants("e") {
			all = all[:1] // the saturation alone
		}
		b.contest(ctx, all, func(r result) float64 { return float64(r.OK) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if all[0].failed != nil {
			return all[0].failed
		}
		b.perSecond(all)
		if b.wants("g") {
			return b.lag(ctx, w, path, float64(all[0].done.OK)/all[0].done.Seconds)
		}
		return nil
	})
}

// contest gives each contender its turn, as often as there are rounds; each
// round begins with another, because the server gets warmer.
func (b *bench) contest(ctx context.Context, all []*contender, amount func(result) float64) {
	for i := range b.rounds {
		for j := range all {
			c := all[(i+j)%len(all)]
			if c.why != nil || c.failed != nil || ctx.Err() != nil {
				continue
			}
			r, used, err := c.round(ctx)
			if err == nil && used <= 0 {
				err = errors.New("the kernel counted no processor time")
			}
			if err != nil {
				c.failed = err
				b.say("%s: %v", c.name, err)
				continue
			}
			c.add(r, used, amount(r))
			b.say("round %d: %s: %d in %.1f s, %.2f s of processor time, %d failed", i+1, c.name, r.OK, r.Seconds, used.Seconds(), failures(r))
		}
	}
}

func (c *contender) add(r result, used time.Duration, amount float64) {
	c.cpu += used
	c.rates = append(c.rates, amount/used.Seconds())
	c.done.OK += r.OK
	c.done.Bytes += r.Bytes
	c.done.Seconds += r.Seconds
	for code, n := range r.Errors {
		c.done.fail(code, n)
	}
}

func failures(r result) uint64 {
	n := uint64(0)
	for _, k := range r.Errors {
		n += k
	}
	return n
}

// rate is over all rounds; lowest and highest are those of a round.
func (c *contender) rate(amount float64) (rate, lowest, highest float64) {
	lowest = math.Inf(1)
	for _, r := range c.rates {
		lowest, highest = min(lowest, r), max(highest, r)
	}
	return amount / c.cpu.Seconds(), lowest, highest
}

// figure is the contender's, or why it has none.
func (c *contender) figure(amount float64, format func(float64) string) string {
	switch {
	case c.why != nil:
		return c.why.Error()
	case c.failed != nil:
		return c.name + ": " + c.failed.Error()
	}
	rate, lowest, highest := c.rate(amount)
	text := fmt.Sprintf("%s %s (%s to %s)", c.name, format(rate), format(lowest), format(highest))
	if n := failures(c.done); n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	return text
}

// perSecond adds row e.
func (b *bench) perSecond(all []*contender) {
	whole := func(x float64) string { return strconv.FormatFloat(x, 'f', 0, 64) }
	texts := make([]string, 0, 3)
	figures := map[string]float64{}
	for _, c := range all {
		texts = append(texts, c.figure(float64(c.done.OK), whole))
		if c.cpu > 0 {
			figures[c.name+".requests.per.cpu.s"], _, _ = c.rate(float64(c.done.OK))
			figures[c.name+".requests.per.s"] = float64(c.done.OK) / c.done.Seconds
		}
	}
	if len(all) < 2 {
		return
	}
	note := ""
	if k := figures["hey.requests.per.cpu.s"]; k > 0 {
		figures["ratio"] = figures["storm.requests.per.cpu.s"] / k
		note = fmt.Sprintf("; storm is %.2f × hey", figures["ratio"])
	}
	b.add(row{
		Row: "e", What: fmt.Sprintf("requests per CPU-second of the generator, GET of one object of 1 KiB, %d in flight (each round)", b.inFlight),
		Storm: texts[0], Peer: texts[1] + "; " + texts[2] + note, HeldTo: "3 × hey", Figures: figures,
	})
}

func (b *bench) stormGets(w who, path string) *contender {
	return &contender{name: "storm", round: func(ctx context.Context) (result, time.Duration, error) {
		return b.closed(ctx, closedSetup{Who: w, Path: path, InFlight: b.inFlight, Seconds: b.load.Seconds(), Profile: b.profile})
	}}
}

// closed runs the generator "closed" once.
func (b *bench) closed(ctx context.Context, s closedSetup) (result, time.Duration, error) {
	g, err := generator(ctx, "closed", s)
	if err != nil {
		return result{}, 0, err
	}
	m, err := g.until(ctx, stageDone, nil)
	if err := errors.Join(err, g.end()); err != nil {
		return result{}, 0, err
	}
	return *m.Result, cpu(g.cmd), nil
}

func (b *bench) heyGets(ctx context.Context, w who, path string) *contender {
	c := &contender{name: "hey"}
	if !b.wants("e") {
		return c
	}
	file, err := b.install(ctx, hey)
	if err != nil {
		c.why = fmt.Errorf("hey could not be built: %w", err)
		return c
	}
	c.round = func(ctx context.Context) (result, time.Duration, error) {
		cmd := command(ctx, file, "-h2", "-z", b.load.String(), "-c", strconv.Itoa(b.inFlight), "-disable-compression",
			"-A", client.Protobuf, "-H", "Authorization: Bearer "+w.Token, w.Host+path)
		return timed(cmd, readHey)
	}
	return c
}

func (b *bench) wrkGets(w who, path string) *contender {
	c := &contender{name: "wrk"}
	file, err := onPath("wrk")
	if err != nil {
		c.why = err
		return c
	}
	c.round = func(ctx context.Context) (result, time.Duration, error) {
		cmd := command(ctx, file, "-t", strconv.Itoa(min(2, b.inFlight)), "-c", strconv.Itoa(b.inFlight), "-d", b.load.String(),
			"-H", "Accept: "+client.Protobuf, "-H", "Authorization: Bearer "+w.Token, w.Host+path)
		return timed(cmd, readWrk)
	}
	return c
}

// timed runs a peer to its end.
func timed(cmd *exec.Cmd, read func(string) (result, error)) (result, time.Duration, error) {
	begun := time.Now()
	text, err := output(cmd)
	if err != nil {
		return result{}, 0, err
	}
	r, err := read(text)
	r.Seconds = time.Since(begun).Seconds()
	return r, cpu(cmd), err
}

// lag measures how late storm sends at half the saturation rate.
func (b *bench) lag(ctx context.Context, w who, path string, saturation float64) error {
	rate := saturation / 2
	b.say("half the saturation: %.0f/s", rate)
	g, err := generator(ctx, "open", openSetup{Who: w, Path: path, Rate: rate, Seconds: b.load.Seconds()})
	if err != nil {
		return err
	}
	m, err := g.until(ctx, stageDone, nil)
	if err := errors.Join(err, g.end()); err != nil {
		return err
	}
	t := *m.Totals
	b.add(row{
		Row: "g", What: fmt.Sprintf("send lag at half the saturation rate (%.0f/s, Poisson, %s): p99 / largest", rate, b.load),
		Storm:  fmt.Sprintf("%.2f ms / %.1f ms of %d", float64(t.LagP99)/1e6, float64(t.LagMax)/1e6, t.Sent),
		Peer:   fmt.Sprintf("%d refused at the bound of %d in flight", t.Refused, openInFlight),
		HeldTo: "1 ms",
		Figures: map[string]float64{
			"rate.per.s": rate, "lag.p99.ms": float64(t.LagP99) / 1e6, "lag.max.ms": float64(t.LagMax) / 1e6, "refused": float64(t.Refused), "sent": float64(t.Sent),
		},
	})
	return nil
}
