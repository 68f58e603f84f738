// Command bench-fleet measures what storm's fleet and its client cost, beside
// its peers on the same machine in the same run, and prints a table for
// docs/performance.md. It prints figures and asserts none: what a machine
// reaches is not for a test to say.
//
// Every generator, storm's own too, runs in a process of its own, so that its
// memory and its processor time are its own: the kernel says how much, in
// /proc/PID and in what wait(2) returns. Every control plane is a fresh local
// cluster of real components, on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/storm-harness/storm/clusters/supervise"
)

func main() {
	supervise.RunIfAsked()
	// Children die with the thread that started them: that is this one.
	runtime.LockOSThread()
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release) // a second Ctrl-C ends at once; the supervisor then ends the cluster
	if len(os.Args) == 3 && os.Args[1] == childVerb {
		if err := child(ctx, os.Args[2]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[2], err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-fleet:", err)
		os.Exit(1)
	}
}

// run measures the rows that the arguments ask for, and prints what there is,
// also where it came to an end before the last row.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	for _, g := range groups {
		wanted := o.of(g.rows)
		if wanted == "" || ctx.Err() != nil {
			continue
		}
		b.say("rows %s: %s", strings.Join(strings.Split(wanted, ""), ", "), g.what)
		if err := g.measure(b, ctx); err != nil && ctx.Err() == nil {
			b.fail(wanted, err)
		}
	}
	if err := b.print(os.Stdout); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: the table has what was measured until then")
	}
	if len(b.failed) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(b.failed, "; "))
	}
	return nil
}
