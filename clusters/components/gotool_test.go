package components

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFailedGoCommandSaysWhy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { undefined() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.local/broken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := goTool{"go"}.lines(t.Context(), dir, "build", "-o", filepath.Join(dir, "out"), ".")
	if err == nil || !strings.Contains(err.Error(), "go build: exit status 1\n") || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("got %v", err)
	}
}

// What the user has set for work of his own must not change what is built.
func TestBuildEnvironmentIsClean(t *testing.T) {
	t.Setenv("GOFLAGS", "-tags=mine")
	t.Setenv("GOOS", "plan9")
	t.Setenv("GOWORK", "/home/u/go.work")
	t.Setenv("CGO_ENABLED", "1")
	dir := t.TempDir()
	got, err := goTool{"go"}.lines(t.Context(), dir, "env", "GOFLAGS", "GOOS", "GOWORK", "CGO_ENABLED")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"-mod=mod", "linux", "off", "0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, keep := range []string{"GOPROXY", "GOCACHE", "GOMODCACHE", "GOTOOLCHAIN"} {
		if slices.Contains(cleared, keep) {
			t.Errorf("%s is the user's to set", keep)
		}
	}
}
