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
	return fmt.Sprintf("save and verify a snapshot of %s, bundled with certificates and keys", acts.ShardText(o.Shard))
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

// Aim implements acts.Act.
func (o *Backup) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	tool, ok := env.Cluster.(clusters.Restorer)
	if !ok {
		return nil, errors.New("this cluster does not say where its etcdutl is")
	}
	var bundle acts.Backup
	var m Manifest
	do := func(ctx context.Context, d *done) (err error) {
		bundle, m, err = o.take(ctx, env, tool)
		d.target.Facts = m.facts()
		return err
	}
	prove := func(ctx context.Context) (string, error) { return o.verify(ctx, env, tool, bundle, m) }
	return &done{env: env, target: acts.Target{Shard: o.Shard, Name: "shard " + o.Shard}, do: do, prove: prove}, nil
}

// take makes the bundle.
func (o *Backup) take(ctx context.Context, env *acts.Env, tool clusters.Restorer) (acts.Backup, Manifest, error) {
	dir := filepath.Join(env.Dir, "backups", env.Act)
	m := Manifest{RunID: env.RunID, Taken: time.Now().UTC(), Shards: map[string]etcd.Summary{}}
	bundle := acts.Backup{Dir: dir, Snapshots: map[string]string{}, Revisions: map[string]int64{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return bundle, m, err
	}
	err := onShards(env, o.Shard, func(s *acts.Shard) error {
		etcdutl, err := tool.Etcdutl(s.Name)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, s.Name+".db")
		if err := save(ctx, s, file); err != nil {
			return err
		}
		sum, err := etcd.Verify(ctx, etcdutl, file)
		if err != nil {
			return fmt.Errorf("the snapshot does not verify: %w", err)
		}
		m.Shards[s.Name] = sum
		bundle.Snapshots[s.Name], bundle.Revisions[s.Name] = file, sum.Revision
		return nil
	})
	if err != nil {
		return bundle, m, err
	}
	if m.Files, err = copySecrets(env.Cluster.Access(), dir); err != nil {
		return bundle, m, err
	}
	if err := writeManifest(dir, m); err != nil {
		return bundle, m, err
	}
	env.Backups[env.Act], env.LastBackup = bundle, env.Act
	return bundle, m, nil
}

// facts are the manifest's figures.
func (m Manifest) facts() map[string]float64 {
	facts := map[string]float64{}
	for name, sum := range m.Shards {
		facts["revision."+name], facts["keys."+name], facts["bytes."+name] = float64(sum.Revision), float64(sum.Keys), float64(sum.Size)
	}
	return facts
}

// save takes a snapshot from a follower where there is one: it costs the
// leader nothing then. A follower may lag, so it is first made to catch up by
// a linearizable read.
func save(ctx context.Context, s *acts.Shard, file string) error {
	leader, _, err := s.Led(ctx)
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
