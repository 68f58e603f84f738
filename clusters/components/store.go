package components

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// Options say where binaries come from. The zero value is the usual choice.
type Options struct {
	// Dir is the cache: $STORM_CACHE_DIR/components by default, or else
	// storm/components in the user's cache directory.
	Dir string
	// Refresh asks what the newest patch release of v1.36 is, even where the
	// cache has one.
	Refresh bool
	// KubernetesURL and EtcdURL are where the official releases are, or a
	// mirror of the same layout: DefaultKubernetesURL, DefaultEtcdURL.
	KubernetesURL string
	EtcdURL       string
	// ConnectTimeout bounds the wait for a connection to them, 3s by default;
	// StallTimeout how long a download may stand still, 30s by default.
	ConnectTimeout time.Duration
	StallTimeout   time.Duration
	// Go is the go command, "go" by default.
	Go string
}

// Where the releases are published.
const (
	DefaultKubernetesURL = "https://dl.k8s.io"
	DefaultEtcdURL       = "https://github.com/etcd-io/etcd/releases/download"
)

// Store gets binaries. It is safe for concurrent use, and several storms may
// use one cache at once.
type Store struct {
	cache   *cache
	sources []Source
	refresh bool
	binDirs binDirs

	mu      sync.Mutex
	settled map[string]string // "etcd v3.6" -> v3.6.16, so that one storm runs one version
	words   map[asked]Words
}

// Open returns the store of a cache directory, which it makes if need be.
func Open(o Options) (*Store, error) {
	if o.Dir == "" {
		dir, err := DefaultDir()
		if err != nil {
			return nil, err
		}
		o.Dir = dir
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("cache of components: %w", err)
	}
	cache, err := openCache(dir)
	if err != nil {
		return nil, err
	}
	return &Store{
		cache:   cache,
		sources: []Source{newReleases(o), &modules{tool: goTool{path: cmp.Or(o.Go, "go")}}},
		refresh: o.Refresh,
		settled: map[string]string{}, words: map[asked]Words{},
	}, nil
}

// DefaultDir returns the cache directory that Open takes by default.
func DefaultDir() (string, error) {
	if dir := os.Getenv("STORM_CACHE_DIR"); dir != "" {
		return filepath.Join(dir, "components"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: %w: set STORM_CACHE_DIR", err)
	}
	return filepath.Join(dir, "storm", "components"), nil
}

// Dir is the cache directory.
func (s *Store) Dir() string { return s.cache.root }

// Get returns the wanted binary, getting it first where the cache lacks it. It
// reports what it does to the sink. Where no source has it, the error is an
// *UnavailableError.
func (s *Store) Get(ctx context.Context, r Request, sink clusters.Sink) (Binary, error) {
	p, err := projectOf(r.Name)
	if err != nil {
		return Binary{}, err
	}
	if r.BinDir != "" {
		return s.binDirs.get(ctx, r.Name, r.BinDir)
	}
	version, minor, err := parseVersion(p, r.Version)
	if err != nil {
		return Binary{}, err
	}
	if minor {
		if version, err = s.settle(ctx, p, r.Name, version); err != nil {
			return Binary{}, err
		}
	}
	w := wanted{project: p, name: r.Name, version: version}
	if b, err := s.cache.lookup(w); err == nil {
		return b, nil
	}
	unlock, err := s.cache.lock(ctx, w, sink)
	if err != nil {
		return Binary{}, err
	}
	defer unlock()
	b, missing := s.cache.lookup(w) // another storm may have got it meanwhile
	if missing == nil {
		return b, nil
	}
	if err := s.cache.drop(w, missing, sink); err != nil {
		return Binary{}, err
	}
	return s.fetch(ctx, w, missing, sink)
}

// Have returns the wanted binary where it is there already; nothing is fetched,
// and no source is asked.
func (s *Store) Have(ctx context.Context, r Request) (b Binary, ok bool, err error) {
	p, err := projectOf(r.Name)
	if err != nil {
		return b, false, err
	}
	if r.BinDir != "" {
		b, err = s.binDirs.get(ctx, r.Name, r.BinDir)
		return b, err == nil, err
	}
	version, minor, err := parseVersion(p, r.Version)
	if err != nil {
		return b, false, err
	}
	if minor {
		if version, err = s.cache.newest(p, version); err != nil {
			return b, false, nil // it will be got, in a version that is not known yet
		}
	}
	b, err = s.cache.lookup(wanted{project: p, name: r.Name, version: version})
	return b, err == nil, nil
}

// Newest returns the newest patch release of a component's minor version.
func (s *Store) Newest(ctx context.Context, name, minor string) (string, error) {
	p, err := projectOf(name)
	if err != nil {
		return "", err
	}
	version, open, err := parseVersion(p, minor)
	if err != nil || !open {
		return version, err
	}
	return s.settle(ctx, p, name, version)
}

// sourcesOf are the sources that can have a project.
func (s *Store) sourcesOf(p project) []Source {
	if p.released {
		return s.sources
	}
	return slices.DeleteFunc(slices.Clone(s.sources), func(src Source) bool {
		_, is := src.(*releases)
		return is
	})
}

// fetch asks the sources in turn. The release is locked.
func (s *Store) fetch(ctx context.Context, w wanted, missing error, sink clusters.Sink) (Binary, error) {
	failed := &UnavailableError{Name: w.name, Version: w.version, Tried: []Attempt{{s.cache.String(), missing}}}
	for _, src := range s.sourcesOf(w.project) {
		b, err := s.fetchFrom(ctx, src, w, sink)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return Binary{}, fmt.Errorf("getting %s: %w", w, context.Cause(ctx))
		}
		if local := (*cacheError)(nil); errors.As(err, &local) {
			return Binary{}, fmt.Errorf("getting %s: %w", w, err)
		}
		failed.Tried = append(failed.Tried, Attempt{src.String(), err})
		sink(clusters.Event{Component: w.name, Text: fmt.Sprintf("%s failed for %s: %s", src, w.version, firstLine(err.Error()))})
	}
	return Binary{}, failed
}

// fetchFrom lets one source work aside and moves what it made into the cache.
func (s *Store) fetchFrom(ctx context.Context, src Source, w wanted, sink clusters.Sink) (_ Binary, err error) {
	aside, err := s.cache.aside(w)
	if err != nil {
		return Binary{}, err
	}
	defer func() {
		if rm := os.RemoveAll(aside); err == nil && rm != nil {
			err = &cacheError{rm}
		}
	}()
	made, err := src.Fetch(ctx, w, aside, sink)
	if err != nil {
		return Binary{}, err
	}
	if err := s.cache.publish(w, aside, made); err != nil {
		return Binary{}, err
	}
	return s.cache.lookup(w)
}

// settle returns the patch release that a minor version stands for, the same
// one for as long as the store is open.
func (s *Store) settle(ctx context.Context, p project, name, minor string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := p.name + " " + minor
	if v := s.settled[key]; v != "" {
		return v, nil
	}
	failed := &UnavailableError{Name: name, Version: minor}
	if !s.refresh {
		v, err := s.cache.newest(p, minor)
		if err == nil {
			s.settled[key] = v
			return v, nil
		}
		failed.Tried = append(failed.Tried, Attempt{s.cache.String(), err})
	}
	for _, src := range s.sourcesOf(p) {
		v, err := src.Newest(ctx, p, minor)
		if err == nil {
			s.settled[key] = v
			return v, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("looking up the newest %s of %s: %w", minor, p.name, context.Cause(ctx))
		}
		failed.Tried = append(failed.Tried, Attempt{src.String(), err})
	}
	return "", failed
}

// List returns every binary in the cache, by name and version.
func (s *Store) List() ([]Binary, error) { return s.cache.list() }

// newReleases returns the source of official release downloads.
func newReleases(o Options) *releases {
	return &releases{
		kubernetes: cmp.Or(o.KubernetesURL, DefaultKubernetesURL),
		etcd:       cmp.Or(o.EtcdURL, DefaultEtcdURL),
		get: downloader{
			client: &http.Client{Transport: transport(cmp.Or(o.ConnectTimeout, 3*time.Second))},
			stall:  cmp.Or(o.StallTimeout, 30*time.Second),
		},
	}
}
