package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A second holder, of the same process too, waits until the first lets go.
func TestHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := Hold(t.Context(), path, func(string) { t.Error("it waits for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	holder := ""
	if _, err := Hold(ctx, path, func(h string) { holder = h; cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted, it says %v", err)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); holder != want {
		t.Errorf("it waits for %s, want %s", holder, want)
	}
	second, err := Hold(t.Context(), path, func(string) { release() })
	if err != nil {
		t.Fatal(err)
	}
	second()
}

func TestHoldWhereThereIsNoFolder(t *testing.T) {
	if _, err := Hold(t.Context(), filepath.Join(t.TempDir(), "none", "lock"), func(string) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
