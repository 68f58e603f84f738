// Package remains finds and removes what a run of storm has made in a
// Kubernetes cluster that storm did not make: everything that bears the run's
// label, and nothing else.
package remains

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// RunLabel is on every object that storm makes; its value is the run's id.
const RunLabel = "storm.dev/run"

// Place is a cluster as its user names it. It has no secrets: those stay in the
// kubeconfig.
type Place struct {
	Kubeconfig []string `json:"kubeconfig"` // absolute paths, the first that has a value wins
	Context    string   `json:"context"`
	// UID is that of the namespace kube-system, which is there from a cluster's
	// first moment to its last: it tells one cluster from another that has taken
	// over its context's name. Empty: not known yet.
	UID string `json:"uid,omitempty"`
}

// PlaceOf is the context of a kubeconfig, or where file is empty of those that
// kubectl would read: KUBECONFIG, or ~/.kube/config.
func PlaceOf(file, context string) (Place, error) {
	files := clientcmd.NewDefaultClientConfigLoadingRules().Precedence
	if file != "" {
		files = []string{file}
	}
	p := Place{Context: context}
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return p, fmt.Errorf("kubeconfig %s: %w", f, err)
		}
		p.Kubeconfig = append(p.Kubeconfig, abs)
	}
	return p, nil
}

// String names the place for people.
func (p Place) String() string {
	return fmt.Sprintf("context %s of %s", p.Context, strings.Join(p.Kubeconfig, ", "))
}

// load reads the kubeconfig.
func (p Place) load() (*api.Config, error) {
	there := slices.ContainsFunc(p.Kubeconfig, func(f string) bool { _, err := os.Stat(f); return !errors.Is(err, fs.ErrNotExist) })
	if !there {
		return nil, fmt.Errorf("there is no kubeconfig at %s: name one with --kubeconfig", strings.Join(p.Kubeconfig, ", "))
	}
	raw, err := (&clientcmd.ClientConfigLoadingRules{Precedence: p.Kubeconfig}).Load()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return raw, nil
}

// Contexts are the names of those that there are, in order.
func (p Place) Contexts() ([]string, error) {
	raw, err := p.load()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), nil
}

// Config is the access to the cluster, with nothing throttled on the client's
// side. The kubeconfig's own current context is never taken: the name decides.
func (p Place) Config() (*rest.Config, error) {
	raw, err := p.load()
	if err != nil {
		return nil, err
	}
	if raw.Contexts[p.Context] == nil {
		return nil, fmt.Errorf("there is no context %q in %s: it has %s", p.Context, strings.Join(p.Kubeconfig, ", "),
			orNone(slices.Sorted(maps.Keys(raw.Contexts))))
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: p.Kubeconfig}
	cfg, err := clientcmd.NewNonInteractiveClientConfig(*raw, p.Context, &clientcmd.ConfigOverrides{}, rules).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	cfg.QPS, cfg.UserAgent = -1, "storm"
	return cfg, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// askFor bounds one question to a cluster that may not be there.
const askFor = 15 * time.Second

// UIDOf asks a cluster which one it is.
func UIDOf(ctx context.Context, cfg *rest.Config) (string, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = askFor
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return "", err
	}
	ns, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("%s: reading the namespace %s: %w", cfg.Host, metav1.NamespaceSystem, err)
	}
	return string(ns.UID), nil
}
