//go:build kind

package kind

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/docker"
)

// TestPortTakenInDockersWords has a container ask for a port that something listens
// at. kind takes a free one for each cluster, so that only what takes it in that very
// moment can be in its way.
func TestPortTakenInDockersWords(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	image, err := EmptyImage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := docker.Run(t.Context(), "create", "--publish", l.Addr().String()+":1", image, "/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker.Run(context.Background(), "rm", "-f", "-v", id); err != nil {
			t.Error(err)
		}
	})
	_, err = docker.Run(t.Context(), "start", id)
	if err == nil {
		t.Fatal("it started")
	}
	t.Log(err)
	if got := explained(err).Error(); !strings.Contains(got, "a port is taken") {
		t.Errorf("got %s", got)
	}
}
