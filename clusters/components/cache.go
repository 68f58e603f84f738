package components

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"github.com/storm-harness/storm/clusters"
)

// cache is the directory of binaries that were obtained before.
type cache struct {
	root  string // locks/ and aside/ are here
	files string // root/linux-amd64: a home directory may be shared between machines
}

// manifest is manifest.json beside a cached binary.
type manifest struct {
	Binary
	// Size and ModTime are those of the file when its digest was last taken.
	// While they stay the same, the digest is not taken again.
	Size    int64     `json:"size"`
	ModTime time.Time `json:"modTime"`
}

const manifestName = "manifest.json"

// errMissing says that the cache lacks an entry; errCorrupt that the entry is
// not what was put there.
var (
	errMissing = errors.New("not there")
	errCorrupt = errors.New("corrupted")
)

// cacheError is a failure of the cache itself, such as a full disk: no other
// source would fare better.
type cacheError struct{ err error }

func (e *cacheError) Error() string {
	return fmt.Sprintf("cache of components: %s: see to its directory, or set STORM_CACHE_DIR", e.err)
}

func (e *cacheError) Unwrap() error { return e.err }

func openCache(root string) (*cache, error) {
	c := &cache{root: root, files: filepath.Join(root, runtime.GOOS+"-"+runtime.GOARCH)}
	for _, dir := range []string{c.files, filepath.Join(root, "locks"), filepath.Join(root, "aside")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, &cacheError{err}
		}
	}
	return c, nil
}

func (c *cache) String() string { return "cache " + c.root }

func (c *cache) entry(name, version string) string {
	return filepath.Join(c.files, name, version)
}

// lookup returns an entry whose file is what it was when it was put there. The
// error wraps errMissing or errCorrupt, or is that of reading it.
func (c *cache) lookup(w wanted) (Binary, error) {
	dir := c.entry(w.name, w.version)
	m, err := readManifest(dir)
	if err != nil {
		return Binary{}, err
	}
	m.Path = filepath.Join(dir, w.name)
	info, err := os.Stat(m.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Binary{}, fmt.Errorf("%w: %s is gone", errCorrupt, m.Path)
	case err != nil:
		return Binary{}, err
	case m.Name != w.name || m.Version != w.version:
		return Binary{}, fmt.Errorf("%w: %s says that it is %s %s", errCorrupt, filepath.Join(dir, manifestName), m.Name, m.Version)
	case info.Size() == m.Size && info.ModTime().Equal(m.ModTime):
		return m.Binary, nil
	}
	sum, err := Digest(m.Path)
	if err != nil {
		return Binary{}, err
	}
	if sum != m.SHA256 {
		return Binary{}, fmt.Errorf("%w: %s has the digest %s, not %s", errCorrupt, m.Path, sum, m.SHA256)
	}
	m.Size, m.ModTime = info.Size(), info.ModTime()
	return m.Binary, writeManifest(dir, m)
}

// drop removes what is left of an entry that lookup refused. The release is
// locked.
func (c *cache) drop(w wanted, why error, sink clusters.Sink) error {
	if errors.Is(why, errMissing) {
		return nil
	}
	sink(clusters.Event{Component: w.name, Text: fmt.Sprintf("warning: dropping %s from the cache: %s", w.version, why)})
	if err := os.RemoveAll(c.entry(w.name, w.version)); err != nil {
		return &cacheError{err}
	}
	return nil
}

// aside returns an empty directory to make the release in, on the cache's own
// file system. What a killed predecessor left there is removed. The release is
// locked.
func (c *cache) aside(w wanted) (string, error) {
	dir := filepath.Join(c.root, "aside", w.release())
	if err := os.RemoveAll(dir); err != nil {
		return "", &cacheError{err}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", &cacheError{err}
	}
	return dir, nil
}

// publish moves the binaries made aside into the cache, each with its manifest
// and by one rename. A good entry that is already there stays. The release is
// locked.
func (c *cache) publish(w wanted, aside string, made []Binary) error {
	if !slices.ContainsFunc(made, func(b Binary) bool { return b.Name == w.name }) {
		return fmt.Errorf("%s was not among what it gave", w.name)
	}
	for _, b := range made {
		if _, err := c.lookup(wanted{w.project, b.Name, w.version}); err == nil {
			continue
		}
		if err := c.publishOne(aside, b, w.version); err != nil {
			return &cacheError{err}
		}
	}
	return nil
}

func (c *cache) publishOne(aside string, b Binary, version string) error {
	staged := filepath.Join(aside, "entry-"+b.Name)
	if err := os.Mkdir(staged, 0o755); err != nil {
		return err
	}
	file := filepath.Join(staged, b.Name)
	if err := os.Rename(b.Path, file); err != nil {
		return err
	}
	if err := os.Chmod(file, 0o755); err != nil {
		return err
	}
	sum, err := Digest(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	b.Path, b.Version, b.SHA256, b.GoVersion, b.Built = "", version, sum, goVersionOf(file), time.Now().UTC().Truncate(time.Second)
	if err := writeManifest(staged, manifest{Binary: b, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	entry := c.entry(b.Name, version)
	if err := os.MkdirAll(filepath.Dir(entry), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(entry); err != nil { // a bad one; lookup refused it
		return err
	}
	return os.Rename(staged, entry)
}

// newest returns the newest cached patch release of a minor version, of any of
// the project's binaries, so that all of them settle on the same.
func (c *cache) newest(p project, minor string) (string, error) {
	var versions []string
	for _, name := range p.binaries {
		dirs, err := os.ReadDir(filepath.Join(c.files, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		for _, d := range dirs {
			if _, err := readManifest(c.entry(name, d.Name())); err == nil {
				versions = append(versions, d.Name())
			}
		}
	}
	if len(versions) == 0 {
		return "", fmt.Errorf("%w: it holds nothing of %s", errMissing, p.name)
	}
	return newest(versions, minor)
}

// list returns every entry, without taking digests.
func (c *cache) list() ([]Binary, error) {
	var all []Binary
	var names []string
	for _, p := range projects() {
		names = append(names, p.binaries...)
	}
	for _, name := range names {
		dirs, err := os.ReadDir(filepath.Join(c.files, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &cacheError{err}
		}
		var found []Binary
		for _, d := range dirs {
			m, err := readManifest(c.entry(name, d.Name()))
			if err != nil {
				continue // no entry: it is dropped when it is wanted
			}
			m.Path = filepath.Join(c.entry(name, d.Name()), name)
			found = append(found, m.Binary)
		}
		slices.SortFunc(found, func(a, b Binary) int { return semver.Compare(a.Version, b.Version) })
		all = append(all, found...)
	}
	return all, nil
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, stat := os.Stat(dir); stat == nil {
			return m, fmt.Errorf("%w: %s has no %s", errCorrupt, dir, manifestName)
		}
		return m, errMissing
	case err != nil:
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", errCorrupt, filepath.Join(dir, manifestName), err)
	}
	return m, nil
}

// writeManifest replaces a manifest by a rename: a reader sees the old one or
// the new one.
func writeManifest(dir string, m manifest) error {
	m.Path = ""
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, manifestName+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, manifestName))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
