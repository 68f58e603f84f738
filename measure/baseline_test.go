package measure

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/storm-harness/storm/internal/rundir"
)

// Before a load, a component that does not answer yet is asked until it does, and one
// that will not tell once.
func TestABaselineWaitsForWhatHasJustBeenStarted(t *testing.T) {
	body := encode(t, counter("go_goroutines", metric(12)))
	var asked atomic.Int64
	starts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n <= 2 {
			w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusForbidden}[n-1])
			return
		}
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
		_, _ = w.Write(body)
	}))
	defer starts.Close()
	var refused atomic.Int64
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refused.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer refuses.Close()
	var mu sync.Mutex
	got := map[string][]string{}
	s := NewScraper(NewClock(), func(one rundir.Scrape) {
		mu.Lock()
		defer mu.Unlock()
		said := one.Err
		if len(one.Samples) > 0 {
			said = "ok"
		}
		got[one.Component] = append(got[one.Component], said)
	}, time.Second, []ScrapeTarget{{Component: "starts", URL: starts.URL}, {Component: "refuses", URL: refuses.URL}})
	s.Baseline(t.Context())
	if want := []string{"HTTP status 503", "HTTP status 403", "ok"}; !slices.Equal(got["starts"], want) {
		t.Errorf("of what starts: %q, want %q", got["starts"], want)
	}
	if refused.Load() != 1 || len(got["refuses"]) != 1 || !strings.HasSuffix(got["refuses"][0], "HTTP status 404") {
		t.Errorf("of what refuses: %q", got["refuses"])
	}
}
