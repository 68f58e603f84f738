package measure

import "context"

// heldKey is the key of what Held puts into a context.
type heldKey struct{}

// Held returns a context for what has waited so long, in ns, behind earlier
// requests of its own load. That was the server's time: it counts in the latency
// of what is sent with the context, and not in the send lag, which is storm's.
// What has waited twice has waited for both.
func Held(ctx context.Context, ns int64) context.Context {
	if ns <= 0 {
		return ctx
	}
	return context.WithValue(ctx, heldKey{}, HeldIn(ctx)+ns)
}

// HeldIn returns how long what is sent with the context was held; 0: not at all.
func HeldIn(ctx context.Context) int64 {
	ns, _ := ctx.Value(heldKey{}).(int64)
	return ns
}
