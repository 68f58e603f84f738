package existing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// Seen is what was seen of a cluster, by questions that change nothing.
type Seen struct {
	// Problems are why a run would be refused; Notes what a user should know.
	Problems []string
	Notes    []string

	place      remains.Place
	config     *rest.Config
	kube       kubernetes.Interface
	etcdTLS    *tls.Config
	version    string
	servers    int // API servers that there are, as far as is known
	nodes      int // that nobody simulates
	components []*component
	shards     []rundir.ShardSummary
	provenance []rundir.Provenance
}

// askFor bounds one question to the cluster.
const askFor = 15 * time.Second

// Look looks at the cluster that a run is to use. An error is that it cannot be
// looked at; what speaks against the run is among the problems.
func Look(ctx context.Context, t Target, run string) (*Seen, error) {
	s := &Seen{}
	if err := s.reach(ctx, t); err != nil {
		return nil, err
	}
	denied, metrics, err := s.allowed(ctx, t.Fleet > 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.place, err)
	}
	if len(denied) > 0 {
		s.problem("its user may not %s: name a context whose user has the rights of cluster-admin", strings.Join(denied, ", "))
		return s, nil // what follows needs some of that
	}
	if err := s.apiServers(ctx, metrics); err != nil {
		return nil, fmt.Errorf("%s: %w", s.place, err)
	}
	if err := s.etcd(ctx, t); err != nil {
		return nil, err
	}
	found, err := remains.Open(s.config)
	if err != nil {
		return nil, err
	}
	if err := s.free(ctx, found, run, t.Names); err != nil {
		s.problem("%v", err)
	}
	if err := s.neighbours(ctx, t.Fleet); err != nil {
		return nil, fmt.Errorf("%s: %w", s.place, err)
	}
	return s, nil
}

// reach makes the clients, and finds out which cluster it is.
func (s *Seen) reach(ctx context.Context, t Target) (err error) {
	if t.Context == "" {
		return errors.New("no context is named: storm uses no cluster that is not")
	}
	if s.place, err = remains.PlaceOf(t.Kubeconfig, t.Context); err != nil {
		return err
	}
	if s.config, err = s.place.Config(); err != nil {
		return err
	}
	base, _, err := rest.DefaultServerUrlFor(s.config)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", s.place, err)
	case base.Scheme != "https":
		return fmt.Errorf("%s: %s: storm speaks https alone", s.place, base)
	}
	if why := proxied(s.config, base); why != "" {
		return fmt.Errorf("%s: %s: a proxy would be part of all that is measured: run storm where the API server is reached directly", s.place, why)
	}
	if s.config.ServerName == "" {
		// An API server that is asked by its own address shows the same
		// certificate, whose names need not have that address.
		s.config.ServerName = base.Hostname()
	}
	asked := rest.CopyConfig(s.config)
	asked.Timeout = askFor
	if s.kube, err = kubernetes.NewForConfig(asked); err != nil {
		return fmt.Errorf("%s: %w", s.place, err)
	}
	info, err := s.kube.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("%s: the API server at %s does not answer: %w: does `kubectl --context %s version` work?", s.place, base.Host, err, t.Context)
	}
	s.version = info.GitVersion
	s.provenance = append(s.provenance, rundir.Provenance{
		Component: string(clusters.KindAPIServer), Version: info.GitVersion, GoVersion: info.GoVersion, Origin: "existing cluster, " + base.Host,
	})
	s.place.UID, err = remains.UIDOf(ctx, s.config)
	return err
}

func (s *Seen) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (s *Seen) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// Err is the problems as an error.
func (s *Seen) Err() error {
	if len(s.Problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", s.place, strings.Join(s.Problems, "; and "))
}

// String says in one line what was seen.
func (s *Seen) String() string {
	text := fmt.Sprintf("Kubernetes %s, %s, %s", s.version, unit.Count(s.servers, "apiserver"), unit.Count(s.nodes, "node"))
	for _, sh := range s.shards {
		text += fmt.Sprintf(", etcd %s %s with %s", sh.Name, sh.Version, unit.Count(sh.Members, "member"))
	}
	return text
}

// topology is what was seen, in a reader's terms.
func (s *Seen) topology() rundir.Topology {
	return rundir.Topology{Shards: s.shards, Parts: map[string]int{string(clusters.KindAPIServer): s.servers}}
}

// limits says what cannot be told, beside the verdict.
func (s *Seen) limits() []string {
	out := []string{
		"storm did not make this cluster and does not restore it: between trials it removes its own objects, no more. Caches, etcd's history and fragmentation, and what everybody else asked of the cluster meanwhile are in every trial.",
		"Seen from outside: processor time and memory of the components, and the metrics of controller managers and schedulers, are not measured.",
	}
	if len(s.shards) == 0 {
		out = append(out, "etcd was not shown to storm: nothing is measured of it, and acknowledged writes were read back through the apiservers alone.")
	} else {
		out = append(out, "etcd is read and never written to directly: its members are probed by reads, and acknowledged writes were read back through the apiservers alone.")
	}
	return append(out, s.Notes...)
}
