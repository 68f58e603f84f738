package components

import (
	"context"
	"fmt"
	"strings"

	"github.com/storm-harness/storm/clusters"
)

// Source is somewhere to get binaries from, other than the cache.
type Source interface {
	// String names the source in progress and errors.
	String() string
	// Newest returns the newest patch release of a minor version, v1.36.
	Newest(ctx context.Context, p project, minor string) (string, error)
	// Fetch puts the wanted binary, and those of the same release that come
	// with it, into dir, and says of each its path and where it is from. It
	// returns only what it has verified.
	Fetch(ctx context.Context, w wanted, dir string, sink clusters.Sink) ([]Binary, error)
}

// UnavailableError says that no source has what is wanted.
type UnavailableError struct {
	Name    string
	Version string
	Tried   []Attempt
}

// Attempt is one source, and why it failed.
type Attempt struct {
	Source string
	Err    error
}

func (e *UnavailableError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cannot get %s %s; tried:", e.Name, e.Version)
	for _, a := range e.Tried {
		fmt.Fprintf(&b, "\n  %s: %s", a.Source, strings.ReplaceAll(a.Err.Error(), "\n", "\n      "))
	}
	b.WriteString("\nname another version, or a binDir that has the binary; `storm components list` shows what is in the cache")
	return b.String()
}

// Unwrap returns what each source said.
func (e *UnavailableError) Unwrap() []error {
	errs := make([]error, len(e.Tried))
	for i, a := range e.Tried {
		errs[i] = a.Err
	}
	return errs
}
