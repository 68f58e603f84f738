package measure

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/rundir"
)

// ScrapeTarget is a component whose metrics are read.
type ScrapeTarget struct {
	Component string
	URL       string      // of /metrics
	TLS       *tls.Config // nil for plain http
	// Auth has the credentials that are not in TLS: tokens, and what a plugin
	// gives; nil for none. Its address, transport and limits are not used.
	Auth *rest.Config
}

// Scraper reads the selected families of every component's metrics at an
// interval. It asks for the protobuf form, in which what is not selected can
// be passed over without being decoded.
type Scraper struct {
	clock    *Clock
	sink     func(rundir.Scrape)
	interval time.Duration
	targets  []ScrapeTarget
}

// NewScraper makes a scraper; an interval of 0 means 2 s. sink is called from
// several goroutines.
func NewScraper(clock *Clock, sink func(rundir.Scrape), interval time.Duration, targets []ScrapeTarget) *Scraper {
	return &Scraper{clock: clock, sink: sink, interval: cmp.Or(interval, 2*time.Second), targets: targets}
}

// Run scrapes until ctx ends. A component that cannot be scraped, because it
// is down say, gives a Scrape with Err; Run itself returns nil.
func (s *Scraper) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for i, t := range s.targets {
		// Spread out, so that not all components are asked at once.
		delay := s.interval * time.Duration(i) / time.Duration(len(s.targets))
		wg.Go(func() { s.run(ctx, t, delay) })
	}
	wg.Wait()
	return nil
}

// ScrapeOnce reads the selected families of one component's metrics, named as
// in the text format; it takes 10 s at most.
func ScrapeOnce(ctx context.Context, t ScrapeTarget) (map[string]float64, error) {
	client := t.client(10 * time.Second)
	defer client.hangUp()
	return scrape(ctx, client, t)
}

// scrapeClient is a client with a connection of its own.
type scrapeClient struct {
	http.Client
	hangUp func()
	err    error // why it has no credentials
}

func (t ScrapeTarget) client(timeout time.Duration) *scrapeClient {
	transport := &http.Transport{
		TLSClientConfig: t.TLS.Clone(), // of nil: nil
		DialContext:     (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 1,
	}
	c := &scrapeClient{Client: http.Client{Transport: transport, Timeout: timeout}, hangUp: transport.CloseIdleConnections}
	if t.Auth != nil {
		c.Transport, c.err = rest.HTTPWrappersForConfig(t.Auth, transport)
	}
	return c
}

// Baseline scrapes every component, all at the same time, and returns when that is done:
// what they were like before a load. One that has just been started may not answer at
// once, and is asked again for a while.
func (s *Scraper) Baseline(ctx context.Context) {
	var wg sync.WaitGroup
	for _, t := range s.targets {
		wg.Go(func() {
			client := s.client(t)
			defer client.hangUp()
			for began := time.Now(); ; {
				err := s.take(ctx, client, t)
				if err == nil || errors.Is(err, errRefused) || time.Since(began) > baselineWithin {
					return
				}
				select {
				case <-time.After(baselineEvery):
				case <-ctx.Done():
					return
				}
			}
		})
	}
	wg.Wait()
}

// How long, and how often, a component is asked that does not answer before a load.
const (
	baselineWithin = 20 * time.Second
	baselineEvery  = 200 * time.Millisecond
)

func (s *Scraper) client(t ScrapeTarget) *scrapeClient {
	return t.client(max(2*s.interval, 5*time.Second))
}

func (s *Scraper) run(ctx context.Context, t ScrapeTarget, delay time.Duration) {
	client := s.client(t)
	defer client.hangUp()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		_ = s.take(ctx, client, t) // what failed is recorded
		timer.Reset(max(s.interval-time.Since(began), 0))
	}
}

// take scrapes a component once; where ctx ended meanwhile, nothing of it is recorded.
func (s *Scraper) take(ctx context.Context, client *scrapeClient, t ScrapeTarget) error {
	one := rundir.Scrape{At: s.clock.Now(), Component: t.Component}
	samples, err := scrape(ctx, client, t)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		one.Err = err.Error()
	default:
		one.Samples = samples
	}
	s.sink(one)
	return err
}

// errRefused says that a component answers, and will not tell.
var errRefused = errors.New("refused")

// accept asks for one MetricFamily message after the other, each after its length.
const accept = `application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited`

func scrape(ctx context.Context, client *scrapeClient, t ScrapeTarget) (map[string]float64, error) {
	if client.err != nil {
		return nil, fmt.Errorf("credentials: %w: %w", errRefused, client.err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	// Compressing costs the component more than sending costs on one machine.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	switch code := resp.StatusCode; code {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return nil, fmt.Errorf("%w: HTTP status %d", errRefused, code)
	default: // such as 403, before the roles are known
		return nil, fmt.Errorf("HTTP status %d", code)
	}
	if f := expfmt.ResponseFormat(resp.Header); f.FormatType() != expfmt.TypeProtoDelim {
		return nil, fmt.Errorf("%w: metrics came as %q, not as delimited protobuf", errRefused, resp.Header.Get("Content-Type"))
	}
	return readFamilies(resp.Body)
}

// maxFamily bounds one family's message.
const maxFamily = 32 << 20

// readFamilies reads delimited MetricFamily messages and keeps what the table
// of families says.
func readFamilies(in io.Reader) (map[string]float64, error) {
	buf := bufio.NewReaderSize(in, 32<<10)
	samples := map[string]float64{}
	var message []byte
	for {
		size, err := binary.ReadUvarint(buf)
		if errors.Is(err, io.EOF) && size == 0 {
			return samples, nil
		}
		if err != nil {
			return nil, fmt.Errorf("length of a metric family: %w", err)
		}
		if size > maxFamily {
			return nil, fmt.Errorf("a metric family of %d bytes", size)
		}
		keep, wanted := families[peekName(buf, int(size))]
		if !wanted {
			if _, err := buf.Discard(int(size)); err != nil {
				return nil, fmt.Errorf("a metric family: %w", err)
			}
			continue
		}
		if uint64(cap(message)) < size {
			message = make([]byte, size)
		}
		message = message[:size]
		if _, err := io.ReadFull(buf, message); err != nil {
			return nil, fmt.Errorf("a metric family: %w", err)
		}
		var f dto.MetricFamily
		if err := proto.Unmarshal(message, &f); err != nil {
			return nil, fmt.Errorf("a metric family: %w", err)
		}
		reduce(&f, keep, samples)
	}
}

// peekName returns the name of the message of that size that comes next, which
// is its first field as every encoder writes it; empty if it is not.
func peekName(in *bufio.Reader, size int) string {
	// A name is shorter than this; a shorter message is seen whole.
	head, _ := in.Peek(min(size, 256))
	number, kind, n := protowire.ConsumeTag(head)
	if n < 0 || number != 1 || kind != protowire.BytesType {
		return ""
	}
	name, m := protowire.ConsumeBytes(head[n:])
	if m < 0 {
		return ""
	}
	return string(name)
}
