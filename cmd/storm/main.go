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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks storm to heal and to report; from then on a signal
	// does what it does to any program. The supervisor then ends the cluster.
	context.AfterFunc(ctx, stop)
	a := newApp(os.Stdout, os.Stderr)
	code := a.execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
