package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/internal/procfs"
)

// stages are those of KWOK's own release that make a node ready and keep it so
// by leases; they are read from its module.
var stages = []string{
	"kustomize/stage/node/fast/node-initialize.yaml",
	"kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
}

// leaseSeconds is a lease's duration, as a kubelet's by default: KWOK renews
// it after a quarter of that. Left out, KWOK writes no leases at all.
const leaseSeconds = 4 * int(heartbeat/time.Second)

// leasesUp is how long KWOK may take until its nodes renew their leases at the
// rate that they should.
const leasesUp = 5 * time.Minute

// kwok measures KWOK with as many nodes, each with a lease renewed every ten
// seconds, as storm's are, and one watch for all of them.
func (b *bench) kwok(ctx context.Context) error {
	file, err := b.install(ctx, kwok)
	if err != nil {
		b.add(row{Row: "h", What: "KWOK", Peer: fmt.Sprintf("could not be built: %v", err)})
		return err
	}
	config, err := b.stages(ctx)
	if err != nil {
		return err
	}
	return b.with(ctx, func(ctx context.Context, p *plane) error { return b.runKWOK(ctx, p, file, config) })
}

// stages writes KWOK's configuration.
func (b *bench) stages(ctx context.Context) (string, error) {
	path, version, _ := strings.Cut(kwok, "@")
	module := strings.TrimSuffix(path, "/cmd/kwok")
	cmd := command(ctx, "go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = b.dir
	text, err := output(cmd)
	if err != nil {
		return "", err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return "", fmt.Errorf("go mod download says %q: %w", text, err)
	}
	var parts []string
	for _, name := range stages {
		part, err := os.ReadFile(filepath.Join(found.Dir, name))
		if err != nil {
			return "", err
		}
		parts = append(parts, string(part))
	}
	return b.write("kwok.yaml", strings.Join(parts, "---\n"))
}

func (b *bench) runKWOK(ctx context.Context, p *plane, file, config string) (err error) {
	b.say("making %d nodes", b.nodes)
	if err := p.fill(ctx, "/api/v1/nodes", b.nodes, func(i int) runtime.Object {
		name := fmt.Sprintf("kwok-%05d", i)
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}}
	}); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(b.dir, "kwok.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := command(ctx, file, "--kubeconfig", p.Access().Kubeconfig, "--config", config, "--manage-all-nodes",
		"--node-lease-duration-seconds", strconv.Itoa(leaseSeconds))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "KWOK_WORKDIR="+b.dir, "HOME="+b.dir)
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill() // it has nothing to put away
		_ = cmd.Wait()
	}()
	if err := b.renewing(ctx, p, cmd.Process.Pid); err != nil {
		tail, _ := os.ReadFile(log.Name())
		return fmt.Errorf("KWOK: %w: %s", err, tail[max(0, len(tail)-500):])
	}
	pids := processes(p)
	pids["kwok"] = cmd.Process.Pid
	first, err := p.metrics(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	b.say("KWOK renews its leases; measuring for %s", b.span)
	all, err := observe(ctx, pids, b.span)
	if err != nil {
		return err
	}
	if _, lives := all["kwok"]; !lives {
		return errors.New("KWOK has ended by itself")
	}
	took := time.Since(begun)
	last, err := p.metrics(ctx)
	if err != nil {
		return err
	}
	k, rate := all["kwok"], (last.renewals()-first.renewals())/took.Seconds()
	b.add(row{
		Row: "h", What: fmt.Sprintf("KWOK v0.8.0, %d nodes, leases alone, one watch for all: memory (largest), processor time a minute, renewals by the server's count", b.nodes),
		Storm: "rows a, b", Peer: fmt.Sprintf("KWOK %s (%s); %.1f s; %.1f/s of %.0f/s", mb(k.RSS), mb(k.Most), k.perMinute(), rate, float64(b.nodes)/heartbeat.Seconds()),
		Figures: map[string]float64{
			"kwok.rss.mean.bytes": k.RSS, "kwok.rss.most.bytes": k.Most, "kwok.cpu.s.per.min": k.perMinute(), "renewals.per.s": rate,
			"watches": last.watches(), "apiserver.rss.mean.bytes": all[server].RSS, "apiserver.cpu.s.per.min": all[server].perMinute(),
		},
	})
	return nil
}

// renewing waits until the leases are renewed at nine tenths of the rate that
// they should be, and then as long as a fleet of storm's settles.
func (b *bench) renewing(ctx context.Context, p *plane, pid int) error {
	want := 0.9 * float64(b.nodes) / heartbeat.Seconds()
	deadline := time.Now().Add(leasesUp)
	rate, before, at := 0.0, -1.0, time.Now()
	for rate < want {
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s its nodes renew %.1f leases a second, not %.1f", leasesUp, rate, want)
		}
		s, err := procfs.ReadStat(pid)
		if err != nil || s.Dead() {
			return errors.Join(errors.New("it has ended"), err)
		}
		select {
		case <-time.After(heartbeat):
		case <-ctx.Done():
			return ctx.Err()
		}
		m, err := p.metrics(ctx)
		if err != nil {
			return err
		}
		if before >= 0 {
			rate = (m.renewals() - before) / time.Since(at).Seconds()
		}
		before, at = m.renewals(), time.Now()
	}
	select {
	case <-time.After(b.settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
