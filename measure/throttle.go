package measure

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// Unthrottled returns a copy of the configuration without client-side
// throttling. client-go reads a QPS of 0 as 5 a second, so it takes a negative
// one to have none.
func Unthrottled(cfg *rest.Config) *rest.Config {
	out := rest.CopyConfig(cfg)
	out.QPS, out.Burst, out.RateLimiter = -1, 0, nil
	return out
}

// CheckUnthrottled proves that a client of this configuration holds no request
// back: it makes one, as client-go makes all of them, and looks for its
// limiter. A load must never measure its own client.
func CheckUnthrottled(cfg *rest.Config) error {
	if cfg.RateLimiter != nil {
		return errors.New("the client throttles itself: its configuration has a rate limiter of its own")
	}
	if cfg.QPS >= 0 {
		return fmt.Errorf("the client throttles itself: its QPS is %v, which must be negative", cfg.QPS)
	}
	plain := rest.CopyConfig(cfg)
	plain.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	c, err := rest.UnversionedRESTClientForConfigAndClient(plain, http.DefaultClient) // never used
	if err != nil {
		return fmt.Errorf("make a client to look for its limiter: %w", err)
	}
	if l := c.GetRateLimiter(); l != nil {
		return fmt.Errorf("the client throttles itself: client-go gave it a limiter of %v a second", l.QPS())
	}
	return nil
}
