package clusters

import "context"

// Population is what is to be in a cluster when a trial begins, beside what the
// spec says: objects by number and size.
type Population struct {
	// Key names what it consists of: equal keys, equal populations. It is empty
	// where there is none.
	Key string
	// Fill makes it, in a cluster that serves and holds nothing of a trial, and
	// returns once settled has: when controllers have seen to what is new.
	Fill func(ctx context.Context, settled func(context.Context) error) error
}

// Populated is a cluster that keeps populations in golden copies.
type Populated interface {
	// ResetTo is Reset to a golden copy with the population in it. Fill is called
	// where there is no such copy yet, or no more.
	ResetTo(ctx context.Context, spec Spec, p Population) error
}
