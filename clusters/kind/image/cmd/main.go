// Command kind-image builds node images for kind where no registry can be
// reached, and the other images that storm's clusters in containers need. It is
// `make kind-image`; docs/kind.md says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind/image"
	"github.com/storm-harness/storm/clusters/kind/machine"
)

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release) // a second Ctrl-C ends at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "kind-image:", err)
		os.Exit(1)
	}
}

// run sees to it that Docker answers and builds the images.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	spec := clusters.Spec{}.Defaulted()
	o := image.Options{Kubernetes: spec.Kubernetes.Version}
	flags := flag.NewFlagSet("kind-image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Kubernetes, "kubernetes", o.Kubernetes, "`version` of Kubernetes in the node image")
	shards := flags.String("etcd", spec.Etcd.Version, "`versions` of etcd to have images of for shards, separated by commas")
	flags.StringVar(&o.NodeEtcd, "node-etcd", "", "`version` of the etcd that kubeadm starts on a node; kubeadm's own choice by default")
	flags.StringVar(&o.Mirror, "mirror", "", "`URL` of a Debian mirror")
	dockerOnly := flags.Bool("docker-only", false, "only see to it that Docker answers")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("%q is no flag: see -help", flags.Arg(0))
	}
	o.Etcd = strings.FieldsFunc(*shards, func(r rune) bool { return r == ',' || r == ' ' })
	show := newLines(stderr)
	if err := machine.Ready(ctx, show.event); err != nil {
		return err
	}
	if *dockerOnly {
		return nil
	}
	made, err := image.Build(ctx, o, show.event)
	if err != nil {
		return err
	}
	for _, m := range made {
		fmt.Fprintln(stdout, m)
	}
	return nil
}
