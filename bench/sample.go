package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/procfs"
)

// usage is what a process used over a span, as the kernel counts it.
type usage struct {
	CPU       time.Duration
	Span      time.Duration
	RSS       float64 // mean of a sample a second, bytes
	Most      float64 // the largest of the samples
	Samples   []float64
	cpuBefore time.Duration
	begun     time.Time
}

// perMinute is the processor time of a minute, in seconds.
func (u usage) perMinute() float64 { return u.CPU.Seconds() / u.Span.Minutes() }

// halves returns the mean RSS of the first and of the second half, bytes.
func (u usage) halves() (first, second float64) {
	h := len(u.Samples) / 2
	return mean(u.Samples[:h]), mean(u.Samples[h:])
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(max(len(xs), 1))
}

// observe samples processes, by name, once a second for the span. Of one that ends
// meanwhile there is nothing in what it returns.
func observe(ctx context.Context, pids map[string]int, span time.Duration) (map[string]usage, error) {
	out := map[string]usage{}
	for name, pid := range pids {
		cpu, err := cpuOf(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = usage{cpuBefore: cpu, begun: time.Now()}
	}
	end := time.NewTimer(span)
	defer end.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			running = false
		case <-second.C:
		}
		for name, u := range out {
			m, err := procfs.ReadMemory(pids[name])
			switch {
			case errors.Is(err, fs.ErrNotExist):
				delete(out, name)
				continue
			case err != nil:
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			u.Samples = append(u.Samples, float64(m.RSS))
			u.Most = max(u.Most, float64(m.RSS))
			out[name] = u
		}
	}
	for name, u := range out {
		cpu, err := cpuOf(pids[name])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			delete(out, name)
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		u.CPU, u.Span, u.RSS = cpu-u.cpuBefore, time.Since(u.begun), mean(u.Samples)
		out[name] = u
	}
	return out, nil
}

func cpuOf(pid int) (time.Duration, error) {
	s, err := procfs.ReadStat(pid)
	return s.CPU(), err
}

// processes are the control plane's, by name.
func processes(c clusters.Cluster) map[string]int {
	out := map[string]int{}
	for _, comp := range c.Components() {
		if s := comp.State(); s.Running {
			out[comp.ID().String()] = s.PID
		}
	}
	return out
}
