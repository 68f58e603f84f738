// Command balancer stands in for Envoy as the load balancer that kind puts before
// several control planes, where Envoy's image cannot be had. kind starts it as
// envoy and tells it by files what to listen on and whom to forward to; it
// reads just what kind writes there. It forwards TCP connections in turn to the
// servers that answer /healthz, checked as those files say, and follows the files
// when they are replaced.
//
// Where it differs from Envoy: where too few servers are healthy Envoy sends
// connections to all of them, this sends none to one that is known to be sick
// unless all are; and a connection that one server does not take goes to the next.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	config := flag.String("c", "/home/envoy/envoy.yaml", "Envoy's bootstrap `file`, as kind writes it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	if err := run(ctx, *config); err != nil {
		fmt.Fprintln(os.Stderr, "balancer:", err)
		os.Exit(1)
	}
}

// run forwards connections as the files say, until ctx ends.
func run(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	paths, err := readBootstrap(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	changes, err := watch(paths.listeners, paths.servers)
	if err != nil {
		return err
	}
	b := newBalancer(ctx)
	defer b.close()
	for {
		if err := b.follow(paths); err != nil {
			fmt.Fprintln(os.Stderr, "balancer: what was in force stays:", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case err, ok := <-changes:
			if !ok || err != nil {
				return fmt.Errorf("watching the files: %w", err)
			}
		}
	}
}
