// Command storm puts a real Kubernetes control plane under a described load and
// described faults, and says with statistics what that did to it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "devel"

func main() {
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
