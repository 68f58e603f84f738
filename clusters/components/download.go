package components

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// downloader fetches files over HTTP and trusts none before its digest is
// right.
type downloader struct {
	client *http.Client
	stall  time.Duration // how long a transfer may stand still
}

// transport returns a transport that gives up early on a network without a
// way out, and takes its proxy from the environment.
func transport(connect time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout:   2 * connect,
		ResponseHeaderTimeout: 5 * connect,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
	}
}

// maxText bounds the small files: checksums and version indices.
const maxText = 1 << 20

// text returns a small file's content, without the white space around it.
func (d downloader) text(ctx context.Context, url string) (string, error) {
	var b strings.Builder
	err := d.stream(ctx, url, func(r io.Reader, _ int64) error {
		n, err := io.Copy(&b, io.LimitReader(r, maxText+1))
		if n > maxText {
			return errors.New("too long to be what it should be")
		}
		return err
	})
	return strings.TrimSpace(b.String()), err
}

// file downloads a file to a path and returns an error unless its digest by h
// is want, in hexadecimal. It reports its progress in MiB.
func (d downloader) file(ctx context.Context, url, path string, h hash.Hash, want string, report func(done, total int)) error {
	return d.stream(ctx, url, func(r io.Reader, size int64) (err error) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		meter := &meter{total: size, report: report}
		n, err := io.Copy(io.MultiWriter(f, h, meter), r)
		if err != nil {
			return fmt.Errorf("cut off after %d of %d bytes: %w", n, size, err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, want) {
			return fmt.Errorf("wrong checksum: got %s, published is %s", got, want)
		}
		return nil
	})
}

// stream GETs a URL and hands over its body with its size, -1 if unknown.
func (d downloader) stream(ctx context.Context, url string, take func(io.Reader, int64) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err // a *url.Error names the URL
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	watch := time.AfterFunc(d.stall, func() { cancel(fmt.Errorf("nothing came for %s", d.stall)) })
	defer watch.Stop()
	body := readerFunc(func(p []byte) (int, error) {
		n, err := resp.Body.Read(p)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause // says more than "context canceled"
		}
		watch.Reset(d.stall)
		return n, err
	})
	if err := take(body, resp.ContentLength); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// meter reports the bytes that pass it, at every MiB.
type meter struct {
	total, done, told int64
	report            func(done, total int)
}

const mib = 1 << 20

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if now := m.done / mib; now > m.told {
		m.told = now
		m.report(int(now), int(max(0, (m.total+mib-1)/mib)))
	}
	return len(p), nil
}

// parts returns a report function that says what is being done, in parts.
func parts(sink clusters.Sink, component, text string) func(done, total int) {
	return func(done, total int) {
		sink(clusters.Event{Component: component, Text: text, Done: done, Total: total})
	}
}
