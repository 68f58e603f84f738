package workloads

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// Informers whose lists hang start anew when they are to: no start waits within
// storm for the list before it.
func TestInformersStartAnewWhileTheirListsHang(t *testing.T) {
	for name, change := range map[string]func(*Informers){
		"every so often": func(n *Informers) { n.RestartEvery = unit.Duration(200 * time.Millisecond) },
		"at a rate":      func(n *Informers) { n.Restarts = unit.Steady(20) },
	} {
		t.Run(name, func(t *testing.T) { startAnew(t, change) })
	}
}

func startAnew(t *testing.T, change func(*Informers)) {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whoever connects hears nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	var unsynced, lists atomic.Uint64
	rec := measure.NewRecorder(measure.NewClock(), func(w rundir.Window) {
		unsynced.Add(w.Errors[CodeUnsynced])
		if w.Verb == "list" {
			for _, n := range w.Errors {
				lists.Add(n)
			}
		}
	})
	n := of(func(n *Informers) { n.Count, n.Sync = 2, "list" }).(*Informers)
	change(n)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err = n.Run(ctx, &Env{
		Name: "informers", REST: &rest.Config{Host: "https://" + silent.Addr().String()}, Clock: measure.NewClock(), Recorder: rec,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	rec.Close()
	// Nine or ten restarts of each are due; a slow machine may not get to all of them.
	if got := unsynced.Load(); got < 10 {
		t.Errorf("%d informers were started anew, want 18", got)
	}
	if got := lists.Load(); got != 0 {
		t.Errorf("%d lists counted as failed that storm itself gave up", got)
	}
}
