package local

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
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/supervise"
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

// HandDir is the folder of the clusters that were started by hand, beside the
// ledger.
func HandDir() (string, error) {
	dir, err := ledger.Dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(dir), "clusters"), nil
}

// UpByHand starts a cluster that stays until Down.
func UpByHand(ctx context.Context, name string, spec clusters.Spec, store *components.Store, sink clusters.Sink) (ByHand, error) {
	if !handName.MatchString(name) {
		return ByHand{}, fmt.Errorf("a cluster named %q: want lower case letters, digits and '-', at most 32", name)
	}
	base, err := HandDir()
	if err != nil {
		return ByHand{}, err
	}
	dir := filepath.Join(base, name)
	if _, err := os.Lstat(dir); err == nil {
		return ByHand{}, fmt.Errorf("there is a cluster %q already: run `storm cluster list`, or `storm cluster down %s`", name, name)
	}
	if _, err := Obtain(ctx, store, spec.Defaulted(), sink); err != nil {
		return ByHand{}, err
	}
	found, _, err := Unknown(ctx, store, spec)
	if err == nil && len(found) > 0 {
		err = errors.New(strings.Join(found, "\n"))
	}
	if err != nil {
		return ByHand{}, fmt.Errorf("the cluster cannot be started: %w", err)
	}
	book, err := ledger.Create("hand-" + name + "-" + strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return ByHand{}, err
	}
	defer func() { _ = book.Close() }() // the supervisor keeps its own hold
	c, err := Up(ctx, Options{Spec: spec, Dir: dir, LogDir: filepath.Join(dir, "logs"), Store: store, Ledger: book, Sink: sink})
	if err != nil {
		return ByHand{}, errors.Join(err, book.Finish())
	}
	state, err := c.handOver(ctx, name)
	if err != nil {
		return ByHand{}, errors.Join(err, c.Close(context.WithoutCancel(ctx)), book.Finish())
	}
	return state, c.letGo()
}

// handOver writes down what another storm needs to find the cluster, and has
// the supervisor outlive this one.
func (c *Cluster) handOver(ctx context.Context, name string) (ByHand, error) {
	s := ByHand{
		Name: name, RunID: c.o.Ledger.RunID(), Dir: c.o.Dir, Kubeconfig: c.Kubeconfig(), Logs: c.o.LogDir, Started: time.Now(),
		Socket: c.supervisor.Socket(), Supervisor: c.supervisor.PID(), Spec: c.Spec(),
		Versions: map[string]string{}, Endpoints: map[string]string{},
		EtcdCert: c.pki.Crt(pki.EtcdClientPair), EtcdCA: c.pki.Crt(pki.EtcdCA),
	}
	for key, b := range c.binaries {
		s.Versions[key] = b.Version
	}
	for _, comp := range c.Components() {
		s.Endpoints[comp.ID().String()] = comp.Endpoints().Client
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return ByHand{}, err
	}
	path := filepath.Join(c.o.Dir, stateFile)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return ByHand{}, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return ByHand{}, err
	}
	return s, c.supervisor.Persist(ctx)
}

// letGo ends this process's part in a cluster that persists.
func (c *Cluster) letGo() error {
	c.end()
	return c.supervisor.Close()
}

// Down ends a cluster that was started by hand, and removes all of it.
func Down(ctx context.Context, name string) error {
	state, err := readState(name)
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
	base, err := HandDir()
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
	state, err := readState(name)
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
	}
	return f
}

// readState reads the state of a cluster that was started by hand.
func readState(name string) (ByHand, error) {
	base, err := HandDir()
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
