// Package hand keeps clusters that people start by hand: each stays until it is
// ended, kept by its supervisor.
package hand

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/ledger"
)

// ByHand is a cluster that was started by hand and outlives the storm that
// started it, as its state.json tells.
type ByHand struct {
	Name       string            `json:"name"`
	RunID      string            `json:"runID"`
	Dir        string            `json:"dir"`
	Kubeconfig string            `json:"kubeconfig"`
	Logs       string            `json:"logs"`
	Started    time.Time         `json:"started"`
	Socket     string            `json:"socket"`     // of its supervisor
	Supervisor int               `json:"supervisor"` // its process
	Spec       clusters.Spec     `json:"spec"`
	Versions   map[string]string `json:"versions"` // "etcd main", "kube-apiserver", …: v3.6.16
	Endpoints  map[string]string `json:"endpoints"`
	EtcdCert   string            `json:"etcdCert"` // a client certificate for every member; the key beside it is .key
	EtcdCA     string            `json:"etcdCA"`
	Containers string            `json:"containers,omitempty"` // the name that its containers begin with
}

// Found is a cluster by hand as it is found.
type Found struct {
	ByHand
	// Processes are its processes by name; nil where its supervisor is gone.
	Processes map[string]supervise.Status `json:"processes,omitempty"`
	// Problem is why it cannot be asked; empty where it can.
	Problem string `json:"problem,omitempty"`
}

const stateFile = "state.json"

// A cluster's name becomes a folder and a part of a run id.
var handName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Dir is the folder of the clusters that were started by hand, beside the
// ledger.
func Dir() (string, error) {
	dir, err := ledger.Dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(dir), "clusters"), nil
}

// Standing is a cluster that is up and can be left standing.
type Standing struct {
	Cluster    clusters.Cluster
	Supervisor *supervise.Client
	EtcdCert   string // a client certificate for every member; the key beside it is .key
	EtcdCA     string
	Containers string // the name that its containers and their network have; empty where it has none
	Versions   map[string]string
	// LetGo ends this process's part in a cluster whose supervisor persists.
	LetGo func() error
}

// Start starts a cluster in a directory that does not exist yet, with its logs in
// a folder below.
type Start func(ctx context.Context, dir, logs string, book *ledger.Ledger) (Standing, error)

// Up starts a cluster that stays until Down.
func Up(ctx context.Context, name string, start Start) (ByHand, error) {
	if !handName.MatchString(name) {
		return ByHand{}, fmt.Errorf("a cluster named %q: want lower case letters, digits and '-', at most 32", name)
	}
	base, err := Dir()
	if err != nil {
		return ByHand{}, err
	}
	dir := filepath.Join(base, name)
	if _, err := os.Lstat(dir); err == nil {
		return ByHand{}, fmt.Errorf("there is a cluster %q already: run `storm cluster list`, or `storm cluster down %s`", name, name)
	}
	book, err := ledger.Create("hand-" + name + "-" + strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return ByHand{}, err
	}
	defer func() { _ = book.Close() }() // the supervisor keeps its own hold
	c, err := start(ctx, dir, filepath.Join(dir, "logs"), book)
	if err != nil {
		return ByHand{}, errors.Join(err, book.Finish())
	}
	state, err := c.handOver(ctx, name, dir, book.RunID())
	if err != nil {
		return ByHand{}, errors.Join(err, c.Cluster.Close(context.WithoutCancel(ctx)), book.Finish())
	}
	return state, c.LetGo()
}

// handOver writes down what another storm needs to find the cluster, and has
// the supervisor outlive this one.
func (c Standing) handOver(ctx context.Context, name, dir, run string) (ByHand, error) {
	s := ByHand{
		Name: name, RunID: run, Dir: dir, Kubeconfig: c.Cluster.Access().Kubeconfig, Logs: filepath.Join(dir, "logs"), Started: time.Now(),
		Socket: c.Supervisor.Socket(), Supervisor: c.Supervisor.PID(), Spec: c.Cluster.Spec(), Containers: c.Containers,
		Versions: c.Versions, Endpoints: map[string]string{}, EtcdCert: c.EtcdCert, EtcdCA: c.EtcdCA,
	}
	for _, comp := range c.Cluster.Components() {
		s.Endpoints[comp.ID().String()] = comp.Endpoints().Client
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return ByHand{}, err
	}
	path := filepath.Join(dir, stateFile)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return ByHand{}, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return ByHand{}, err
	}
	return s, c.Supervisor.Persist(ctx)
}

// Down ends a cluster that was started by hand, and removes all of it.
func Down(ctx context.Context, name string) error {
	state, err := State(name)
	if err != nil {
		return err
	}
	client, err := supervise.Dial(ctx, state.Socket)
	if err != nil {
		return fmt.Errorf("cluster %s: %w: run `storm cleanup`, which removes what it left", name, err)
	}
	if client.RunID() != state.RunID {
		return errors.Join(fmt.Errorf("cluster %s: its supervisor is of run %s, not %s", name, client.RunID(), state.RunID), client.Close())
	}
	if err := client.Shutdown(ctx); err != nil {
		return fmt.Errorf("cluster %s: %w: run `storm cleanup`", name, err)
	}
	return nil
}

// List finds every cluster that was started by hand, in order of name.
func List(ctx context.Context) ([]Found, error) {
	base, err := Dir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Found
	for _, e := range entries {
		out = append(out, look(ctx, e.Name()))
	}
	slices.SortFunc(out, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// look asks a cluster's supervisor how it is.
func look(ctx context.Context, name string) Found {
	state, err := State(name)
	if err != nil {
		return Found{ByHand: ByHand{Name: name}, Problem: err.Error()}
	}
	f := Found{ByHand: state}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := supervise.Dial(ctx, state.Socket)
	if err != nil {
		f.Problem = err.Error() + ": run `storm cleanup`"
		return f
	}
	defer func() { _ = client.Close() }() // it was only asked
	if f.Processes, err = client.Status(ctx); err != nil {
		f.Problem = err.Error()
		return f
	}
	if state.Containers != "" {
		err = f.nodes(ctx)
	}
	if err != nil {
		f.Problem = err.Error()
	}
	return f
}

// nodes adds the containers that no process of the supervisor's stands for: kind's.
func (f *Found) nodes(ctx context.Context) error {
	lines, err := docker.Lines(ctx, "ps", "-a", "--filter", "label="+docker.KindLabel+"="+f.Containers, "--format", "{{.Names}}\t{{.State}}")
	if err != nil {
		return err
	}
	for _, line := range lines {
		name, state, _ := strings.Cut(line, "\t")
		s := supervise.Status{Name: name, Running: state == "running"}
		if !s.Running {
			s.Exit = "the state " + state
		}
		f.Processes[name] = s
	}
	return nil
}

// State reads the state of a cluster that was started by hand.
func State(name string) (ByHand, error) {
	base, err := Dir()
	if err != nil {
		return ByHand{}, err
	}
	b, err := os.ReadFile(filepath.Join(base, filepath.Base(name), stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(filepath.Join(base, filepath.Base(name))); err == nil {
			return ByHand{}, fmt.Errorf("cluster %s is not up: it is being started now, or its start was killed; then run `storm cleanup`", name)
		}
		return ByHand{}, fmt.Errorf("there is no cluster %q: run `storm cluster list`", name)
	}
	if err != nil {
		return ByHand{}, err
	}
	var s ByHand
	if err := json.Unmarshal(b, &s); err != nil {
		return ByHand{}, fmt.Errorf("state of cluster %s: %w", name, err)
	}
	return s, nil
}
