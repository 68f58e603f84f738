// Package layers has golden copies stand on one another: the cluster as it first
// was, the objects of a spec on that, the population of a scenario on those. Each
// is made once, from the copy below it, and a trial begins from the uppermost.
package layers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// Layer is a state of a cluster that a golden copy is taken of.
type Layer struct {
	// Key names the copy. A layer with the key of the one below it is that one.
	Key string
	// Came says how a cluster came to it, for the report: "filled with …".
	Came string
	// Make brings a cluster that serves, and is as the layer below has it, to this
	// state; that of the lowest layer starts the cluster from nothing.
	Make func(ctx context.Context) error
}

// Copies are the golden copies of a cluster.
type Copies interface {
	// Has says whether there is a copy of that key.
	Has(key string) bool
	// Start puts the copy back in a cluster that is stopped, and starts it.
	Start(ctx context.Context, key string) error
	// Take takes a copy of the cluster. What had to be stopped for it stays so.
	Take(ctx context.Context, key string) error
	// Resume has what Take stopped run again.
	Resume(ctx context.Context) error
}

// Climb has a copy taken of every layer that has none, from the highest one that
// has, in a cluster that is stopped. It says in which way, and nothing where all
// are there: then the cluster still is stopped, and otherwise as the last Take left it.
func Climb(ctx context.Context, layers []Layer, copies Copies) (came string, err error) {
	layers = distinct(layers)
	from := len(layers) - 1
	for from >= 0 && !copies.Has(layers[from].Key) {
		from--
	}
	missing := layers[from+1:]
	if len(missing) == 0 {
		return "", nil
	}
	if from >= 0 {
		if err := copies.Start(ctx, layers[from].Key); err != nil {
			return "", err
		}
	}
	var ways []string
	for i, l := range missing {
		if i > 0 {
			if err := copies.Resume(ctx); err != nil {
				return "", err
			}
		}
		if err := l.Make(ctx); err != nil {
			return "", err
		}
		if err := copies.Take(ctx, l.Key); err != nil {
			return "", fmt.Errorf("taking the golden copy: %w", err)
		}
		ways = append(ways, l.Came)
	}
	return strings.Join(ways, ", "), nil
}

// Filled is the layer of a population on another, the same where there is none. wait
// returns when controllers have seen to what is new.
func Filled(below Layer, p clusters.Population, wait func(context.Context) error, sink clusters.Sink) Layer {
	key := below.Key
	if p.Key != "" {
		key += "-" + p.Key
	}
	return Layer{Key: key, Came: "filled with what the scenario preloads", Make: func(ctx context.Context) error {
		began := time.Now()
		if err := p.Fill(ctx, wait); err != nil {
			return err
		}
		sink(clusters.Event{Text: fmt.Sprintf("filled in %.2fs", time.Since(began).Seconds())})
		return nil
	}}
}

// Top is the key of the copy that trials begin from.
func Top(layers []Layer) string { return layers[len(layers)-1].Key }

// distinct leaves out layers that add nothing to the one below.
func distinct(layers []Layer) []Layer {
	var out []Layer
	for _, l := range layers {
		if len(out) == 0 || out[len(out)-1].Key != l.Key {
			out = append(out, l)
		}
	}
	return out
}
