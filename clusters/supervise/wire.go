package supervise

import (
	"context"
	"encoding/json"
	"fmt"
)

// The protocol: one JSON object a line, each way. Requests are served side by
// side and answered in any order, so that one may wait while others go on.

// request asks for a call.
type request struct {
	ID   uint64          `json:"id"`
	Call string          `json:"call"`
	Args json.RawMessage `json:"args,omitempty"`
}

// response answers the request of that id.
type response struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// handler serves one call. Its context ends with the connection.
type handler func(ctx context.Context, args json.RawMessage) (any, error)

// handle makes a handler of a typed function.
func handle[A, R any](f func(ctx context.Context, args A) (R, error)) handler {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var args A
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &args); err != nil {
				return nil, fmt.Errorf("reading the arguments: %w", err)
			}
		}
		return f(ctx, args)
	}
}
