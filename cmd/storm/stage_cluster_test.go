//go:build cluster || long || kind

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/rundir"
)

// patience bounds every wait for something to be seen on a busy machine: one step of a
// kind cluster's start may take five minutes there, and what an interrupted storm heals
// and ends longer.
const patience = 15 * time.Minute

// stage is where storms are played: the binary as users have it, and a state
// directory of its own.
type stage struct {
	exe, dir string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{dir: t.TempDir()}
	s.exe = filepath.Join(s.dir, "storm")
	build := exec.Command("go", "build", "-o", s.exe, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building storm: %v\n%s", err, out)
	}
	return s
}

func (s *stage) state() string { return filepath.Join(s.dir, "state") }

// file writes a file and returns its path.
func (s *stage) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// nobody is a user who may nothing.
const nobody = 65534

// handOver gives the stage to nobody.
func (s *stage) handOver(t *testing.T) {
	t.Helper()
	for path := s.dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(s.dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.exe, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "STORM_STATE_DIR="+s.state())
	return cmd
}

// run runs a storm to its end.
func (s *stage) run(t *testing.T, want int, args ...string) (stdout string) {
	t.Helper()
	cmd := s.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("storm %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), errs.String())
	}
	return out.String()
}

// look lists the one cluster.
func (s *stage) look(t *testing.T) handCluster {
	t.Helper()
	var all []handCluster
	if err := json.Unmarshal([]byte(s.run(t, exitPass, "cluster", "list", "-o", "json")), &all); err != nil || len(all) != 1 {
		t.Fatalf("there are %d clusters, want 1: %v", len(all), err)
	}
	return all[0]
}

// player is a storm under way.
type player struct {
	*exec.Cmd
	t     *testing.T
	stage *stage
	dir   string // the run directory
	id    string // the run's

	mu     sync.Mutex
	news   *sync.Cond
	stderr []string
	closed bool
	stdout bytes.Buffer
}

// start starts a run of a scenario, with further flags if any.
func (s *stage) start(t *testing.T, name, scenario string, flags ...string) *player {
	t.Helper()
	p := &player{t: t, stage: s, dir: filepath.Join(s.dir, name)}
	p.news = sync.NewCond(&p.mu)
	p.Cmd = s.command(append([]string{"run", s.file(t, name+".yaml", scenario), "--dir", p.dir, "--seed", "1"}, flags...)...)
	p.Stdout = &p.stdout
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	errs, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(errs)
		for lines.Scan() {
			p.hear(lines.Text(), false)
		}
		p.hear("", true)
	}()
	t.Cleanup(func() {
		if p.ProcessState == nil { // only if the test failed
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	p.id = runID.FindStringSubmatch(p.await("run "))[1]
	return p
}

var runID = regexp.MustCompile(`run (\S+) of `)

func (p *player) hear(line string, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if closed {
		p.closed = true
	} else {
		p.stderr = append(p.stderr, line)
	}
	p.news.Broadcast()
}

// await returns the first line of its standard error that contains a text, as
// soon as it comes.
func (p *player) await(text string) string {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { p.hear("", true) })
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for from := 0; ; {
		for ; from < len(p.stderr); from++ {
			if strings.Contains(p.stderr[from], text) {
				return p.stderr[from]
			}
		}
		if p.closed {
			p.t.Fatalf("it never said %q:\n%s", text, strings.Join(p.stderr, "\n"))
		}
		p.news.Wait()
	}
}

// awaitProof returns when the first trial's record has that an act took effect.
func (p *player) awaitProof() {
	p.t.Helper()
	until(p.t, "the proof of an act", func() bool {
		files, err := filepath.Glob(filepath.Join(p.dir, "trials", "*", "events.jsonl"))
		return err == nil && len(files) > 0 && slices.Contains(eventKinds(p.t, files[0]), rundir.EventActProven)
	})
}

// eventKinds are the kinds of the events in a file; its last line may be cut off.
func eventKinds(t *testing.T, file string) (kinds []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var e struct {
			Kind string `json:"kind"`
		}
		if json.Unmarshal(line, &e) == nil {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// processes are those that carry the run's id: its supervisor, and what that
// has started.
func (p *player) processes() []procfs.Identity {
	p.t.Helper()
	found, err := procfs.WithEnv(ledger.RunEnv, p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// supervisor is the process of the run's supervisor.
func (p *player) supervisor() int {
	p.t.Helper()
	for _, id := range p.processes() {
		if isSupervisor(id.PID) {
			return id.PID
		}
	}
	p.t.Fatal("the run has no supervisor")
	return 0
}

// end waits for its end, and returns its exit code, and its signal if it was
// killed by one.
func (p *player) end() (code int, sig syscall.Signal) {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.Process.Kill() })
	defer timer.Stop()
	_ = p.Wait() // the status says more
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return -1, status.Signal()
	}
	return status.ExitStatus(), 0
}

// said is its whole standard error so far.
func (p *player) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.stderr, "\n")
}

// left is what there is of a run outside its run directory.
func (p *player) left() (left []string) {
	p.t.Helper()
	for _, id := range p.processes() {
		line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(id.PID), "cmdline")) // it may just have ended
		left = append(left, "process "+strconv.Itoa(id.PID)+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	links, err := netlink.LinkList()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, l := range links {
		if l.Attrs().Alias == p.id {
			left = append(left, "interface "+l.Attrs().Name)
		}
	}
	for _, path := range []string{filepath.Join(p.stage.state(), "runs", p.id), filepath.Join(p.stage.state(), "ledger", p.id+".jsonl")} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, path)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		p.t.Fatal(err)
	}
	if bytes.Contains(mounts, []byte(p.stage.state())) {
		left = append(left, "a mount in "+p.stage.state())
	}
	return left
}

// until returns as soon as something is seen.
func until(t *testing.T, what string, seen func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !seen() {
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		case <-ticker.C:
		}
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("killing %d: %v", pid, err)
	}
}

func interrupt(t *testing.T, p *player) {
	t.Helper()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}
