package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Insist repeats a request until it succeeds or is answered with one of the
// statuses that are as good, such as 409 for a creation; statuses that no
// repetition can change, and the end of patience, are errors. It is for
// preparations, never for a load.
func (c *Client) Insist(ctx context.Context, r *Request, patience time.Duration, body *bytes.Buffer, keep int64, asGood ...int) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := "no answer"
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if body != nil {
			body.Reset()
		}
		a := c.Do(ctx, r, body, keep)
		switch {
		case a.OK(), slices.Contains(asGood, a.Status):
			return a, nil
		case hopeless(a.Status):
			return a, fmt.Errorf("%s %s: the API server answers %s", r.Method, r.Path, a.Code)
		case !a.Cut:
			last = a.Code
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return a, fmt.Errorf("%s %s: still %s when storm gave up: %w", r.Method, r.Path, last, ctx.Err())
		}
	}
}

// hopeless says whether a status will stay as it is. 403 is not among them:
// the roles and the node authorizer's graph take a moment after a start.
func hopeless(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
