package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
)

// Backup saves a snapshot of every shard, verifies it, and bundles it with the
// certificates and keys without which a restored cluster cannot be reached or
// its secrets read. The bundle is a directory:
//
//	manifest.json   what is in it: per shard the hash, revision, keys and size
//	main.db         a snapshot a shard
//	pki/…           certificates and keys (0600)
//	files/…         further secrets, such as the service account's key (0600)
type Backup struct {
	Shard string `yaml:"shard" doc:"a shard's name, or all; all by default"`
}

// Check implements acts.Act.
func (o *Backup) Check() []string { return nil }

// Describe implements acts.Act.
func (o *Backup) Describe() string {
	return fmt.Sprintf("save and verify a snapshot of shard %s, bundled with certificates and keys", o.Shard)
}

// Needs implements acts.Act.
func (o *Backup) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanData} }

// Manifest is manifest.json of a bundle.
type Manifest struct {
	RunID  string                  `json:"runID"`
	Taken  time.Time               `json:"taken"`
	Shards map[string]etcd.Summary `json:"shards"`
	Files  []string                `json:"files"` // relative to the bundle
}

// Inject implements acts.Act.
func (o *Backup) Inject(ctx context.Context, env *acts.Env) (acts.Injected, error) {
	tool, ok := env.Cluster.(clusters.Restorer)
	if !ok {
		return nil, errors.New("this cluster does not say where its etcdutl is")
	}
	dir := filepath.Join(env.Dir, "backups", env.Act)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	m := Manifest{RunID: env.RunID, Taken: time.Now().UTC(), Shards: map[string]etcd.Summary{}}
	bundle := acts.Backup{Dir: dir, Snapshots: map[string]string{}, Revisions: map[string]int64{}}
	facts := map[string]float64{}
	for _, name := range acts.ShardsNamed(env.Cluster, o.Shard) {
		etcdutl, err := tool.Etcdutl(name)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, name+".db")
		if err := onShard(env, name, func(s *acts.Shard) error { return save(ctx, s, file) }); err != nil {
			return nil, fmt.Errorf("shard %s: %w", name, err)
		}
		sum, err := etcd.Verify(ctx, etcdutl, file)
		if err != nil {
			return nil, fmt.Errorf("shard %s: the snapshot does not verify: %w", name, err)
		}
		m.Shards[name] = sum
		bundle.Snapshots[name], bundle.Revisions[name] = file, sum.Revision
		facts["revision."+name], facts["keys."+name], facts["bytes."+name] = float64(sum.Revision), float64(sum.Keys), float64(sum.Size)
	}
	files, err := copySecrets(env.Cluster.Access(), dir)
	if err != nil {
		return nil, err
	}
	m.Files = files
	if err := writeManifest(dir, m); err != nil {
		return nil, err
	}
	env.Backups[env.Act], env.LastBackup = bundle, env.Act
	prove := func(ctx context.Context) (string, error) { return o.verify(ctx, env, tool, bundle, m) }
	return &done{env: env, target: acts.Target{Shard: o.Shard, Name: "shard " + o.Shard, Facts: facts}, prove: prove}, nil
}

// save takes a snapshot from a follower where there is one: it costs the
// leader nothing then. A follower may lag, so it is first made to catch up by
// a linearizable read.
func save(ctx context.Context, s *acts.Shard, file string) error {
	leader, _, err := s.Leader(ctx)
	if err != nil {
		return err
	}
	from := leader
	if others := s.Others(leader); len(others) > 0 {
		from = others[0]
	}
	client := s.Client(from)
	if err := client.Health(ctx); err != nil {
		return fmt.Errorf("%s: %w", from.ID(), err)
	}
	if err := client.Save(ctx, file); err != nil {
		return fmt.Errorf("%s: %w", from.ID(), err)
	}
	return nil
}

// verify reads the finished bundle back: every snapshot must verify to what
// the manifest says, and every file must be there.
func (o *Backup) verify(ctx context.Context, env *acts.Env, tool clusters.Restorer, bundle acts.Backup, m Manifest) (string, error) {
	var said []string
	for _, name := range acts.ShardsNamed(env.Cluster, o.Shard) {
		etcdutl, err := tool.Etcdutl(name)
		if err != nil {
			return "", err
		}
		sum, err := etcd.Verify(ctx, etcdutl, bundle.Snapshots[name])
		if err != nil {
			return "", err
		}
		if sum != m.Shards[name] {
			return "", fmt.Errorf("snapshot of shard %s reads back as %+v, was %+v", name, sum, m.Shards[name])
		}
		if sum.Keys == 0 || sum.Revision <= 1 {
			return "", fmt.Errorf("snapshot of shard %s is empty: %+v", name, sum)
		}
		said = append(said, fmt.Sprintf("%s: revision %d, %d keys, %.1f MiB, hash %08x", name, sum.Revision, sum.Keys, mib(sum.Size), sum.Hash))
	}
	for _, f := range m.Files {
		if _, err := os.Stat(filepath.Join(bundle.Dir, f)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("verified %s; with %d certificates and keys", strings.Join(said, "; "), len(m.Files)), nil
}

// copySecrets copies what belongs in a backup beside the data, and returns the
// copies' paths relative to dir.
func copySecrets(a clusters.Access, dir string) ([]string, error) {
	var files []string
	if a.PKI != "" {
		err := filepath.WalkDir(a.PKI, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(a.PKI, path)
			if err != nil {
				return err
			}
			rel = filepath.Join("pki", rel)
			files = append(files, rel)
			return copyFile(path, filepath.Join(dir, rel))
		})
		if err != nil {
			return nil, fmt.Errorf("bundling certificates: %w", err)
		}
	}
	for _, path := range a.Files {
		rel := filepath.Join("files", filepath.Base(path))
		files = append(files, rel)
		if err := copyFile(path, filepath.Join(dir, rel)); err != nil {
			return nil, fmt.Errorf("bundling secrets: %w", err)
		}
	}
	return files, nil
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func writeManifest(dir string, m Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "manifest.json"), append(data, '\n'), 0o600)
}
