// Command storm puts a real Kubernetes control plane under a described load and
// described faults, and says with statistics what that did to it.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"
)

// version is set by the linker.
var version = "devel"

func main() {
	// client-go writes of requests that failed to standard error, across the
	// bars. Who made them says so too, and to whom it matters.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	ctx := interruptible()
	code := newApp(os.Stdout, os.Stderr).execute(ctx, os.Args[1:])
	os.Exit(code)
}

// interruptible returns a context that the first Ctrl-C or SIGTERM ends: storm
// then heals, and reports. By the time it has ended, a second one does what it
// does to any program; the supervisor then ends the cluster.
func interruptible() context.Context {
	signalled, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, end := context.WithCancelCause(context.Background())
	context.AfterFunc(signalled, func() {
		release()
		end(context.Cause(signalled))
	})
	return ctx
}
