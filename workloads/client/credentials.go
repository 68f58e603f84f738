package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/transport"

	"github.com/storm-harness/storm/internal/wire"
)

// credentials are the header fields that a configuration's tokens, passwords
// and plugins put on a request. client-go's own wrappers are asked for them,
// with a request that goes nowhere; a token that is refreshed is seen within
// the age of what was asked.
type credentials struct {
	wrapped http.RoundTripper
	url     string

	mu    sync.Mutex
	known []wire.Field
	bare  []wire.Field // known without those that say whom to impersonate
	asked time.Time
}

// age is how long what the wrappers said is good for; client-go reads a token's
// file anew once a minute.
const age = 30 * time.Second

// newCredentials returns nil where the configuration has none but a certificate.
func newCredentials(tc *transport.Config, base *url.URL) (*credentials, error) {
	wrapped, err := transport.HTTPWrappersForConfig(tc, capture{})
	if err != nil {
		return nil, err
	}
	c := &credentials{wrapped: wrapped, url: base.String()}
	fields, err := c.fields(context.Background(), false)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 && tc.WrapTransport == nil && !tc.HasTokenAuth() {
		return nil, nil
	}
	return c, nil
}

// capture keeps what it is given instead of sending it.
type capture struct{}

type headersOf struct{ h http.Header }

func (h *headersOf) Error() string { return "not sent: asked for its headers only" }

// RoundTrip implements http.RoundTripper.
func (capture) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, &headersOf{r.Header}
}

// fields returns the header fields to send. Where the request says by itself
// whom to impersonate (other), the configuration's word on that is left out.
func (c *credentials) fields(ctx context.Context, other bool) ([]wire.Field, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) >= age {
		if err := c.ask(ctx); err != nil {
			return nil, err
		}
	}
	if other {
		return c.bare, nil
	}
	return c.known, nil
}

// ask asks the wrappers; the lock is held.
func (c *credentials) ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return err
	}
	resp, err := c.wrapped.RoundTrip(req)
	if resp != nil {
		_ = resp.Body.Close()
	}
	var got *headersOf
	if !errors.As(err, &got) {
		return err
	}
	var known, bare []wire.Field
	for name, values := range got.h {
		if name == "User-Agent" {
			continue // the client has its own
		}
		for _, v := range values {
			f := wire.Field{Name: strings.ToLower(name), Value: v}
			known = append(known, f)
			if !strings.HasPrefix(f.Name, "impersonate-") {
				bare = append(bare, f)
			}
		}
	}
	c.known, c.bare, c.asked = known, bare, time.Now()
	return nil
}
