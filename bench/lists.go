package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/workloads/client"
)

// podBytes is about what a small pod takes.
const podBytes = 3 << 10

// fromCache has the API server answer from its watch cache, so that a list is
// limited by who reads it rather than by etcd.
const fromCache = "resourceVersion=0"

// lists measures how many bytes of lists a generator reads a CPU-second.
func (b *bench) lists(ctx context.Context) error {
	return b.with(ctx, func(ctx context.Context, p *plane) error {
		w, err := p.target(ctx)
		if err != nil {
			return err
		}
		b.say("making %d objects of %d bytes", b.objects, podBytes)
		if err := p.fill(ctx, configMaps, b.objects, func(i int) runtime.Object {
			return configMap(fmt.Sprintf("listed-%05d", i), podBytes)
		}); err != nil {
			return err
		}
		size, err := p.sizeOf(ctx, configMaps)
		if err != nil {
			return err
		}
		storm := &contender{name: "storm", round: func(ctx context.Context) (result, time.Duration, error) {
			return b.closed(ctx, closedSetup{Who: w, Path: configMaps, Query: fromCache, InFlight: 1, Times: b.listings})
		}}
		curl := b.curlLists(w)
		all := []*contender{storm, curl}
		bytes := func(r result) float64 { return float64(r.Bytes) }
		b.contest(ctx, all, bytes)
		if storm.failed != nil || ctx.Err() != nil {
			return storm.failed
		}
		perSecond := func(x float64) string { return fmt.Sprintf("%.0f MB", x/1e6) }
		figures := map[string]float64{"list.bytes": float64(size)}
		for _, c := range all {
			if c.cpu > 0 {
				figures[c.name+".bytes.per.cpu.s"], _, _ = c.rate(bytes(c.done))
			}
		}
		b.add(row{
			Row: "f", What: fmt.Sprintf("list bodies counted per CPU-second: %d objects, %s, %d lists a round, Protobuf over TLS (each round)", b.objects, mb(float64(size)), b.listings),
			Storm: storm.figure(bytes(storm.done), perSecond), Peer: curl.figure(bytes(curl.done), perSecond) + " to /dev/null", HeldTo: "reported", Figures: figures,
		})
		return nil
	})
}

// curlLists is curl, which asks for the same list again and again over one
// connection.
func (b *bench) curlLists(w who) *contender {
	c := &contender{name: "curl"}
	file, err := onPath("curl")
	if err != nil {
		c.why = err
		return c
	}
	var cfg strings.Builder
	fmt.Fprintf(&cfg, "silent\nfail\nhttp2\ncacert = %q\nheader = \"Authorization: Bearer %s\"\nheader = %q\nwrite-out = \"%%{size_download} %%{http_version}\\n\"\n",
		w.CA, w.Token, "Accept: "+client.Protobuf)
	for range b.listings {
		fmt.Fprintf(&cfg, "url = %q\noutput = \"/dev/null\"\n", w.Host+configMaps+"?"+fromCache)
	}
	path, err := b.write("curl.conf", cfg.String())
	if err != nil {
		c.why = err
		return c
	}
	c.round = func(ctx context.Context) (result, time.Duration, error) {
		return timed(command(ctx, file, "--disable", "--config", path), readCurl)
	}
	return c
}

// readCurl reads the sizes that curl prints, a line an answer.
func readCurl(text string) (result, error) {
	var r result
	for line := range strings.Lines(text) {
		size, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return r, fmt.Errorf("curl says %q", line)
		}
		r.OK++
		r.Bytes += n
	}
	return r, nil
}
