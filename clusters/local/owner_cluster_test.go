//go:build cluster

package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/procfs"
)

// roles are what the test's executable can be told to play.
var roles = map[string]func() int{"owner": owner, "hand": byHand}

// told is what a storm in a process of its own says of its cluster.
type told struct {
	UID        int
	Namespaces bool
	Nodes      int // as its apiserver lists them
	PIDs       []int
	Error      string
}

// owner is a storm that starts a cluster from the directory in DIR, says so,
// and holds it until its standard input ends, or it is killed.
func owner() int {
	t := told{UID: os.Getuid()}
	c, err := ownerUp(os.Getenv("DIR"))
	if err != nil {
		t.Error = err.Error()
	} else {
		t.Namespaces = c.Namespaces()
		for _, comp := range c.Components() {
			t.PIDs = append(t.PIDs, comp.State().PID)
		}
		t.PIDs = append(t.PIDs, c.supervisor.PID())
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil || t.Error != "" {
		return 1
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return 1
	}
	if err := errors.Join(c.Close(context.Background()), c.o.Ledger.Finish()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func ownerUp(dir string) (*Cluster, error) {
	s, err := components.Open(components.Options{Dir: filepath.Join(dir, "cache")})
	if err != nil {
		return nil, err
	}
	l, err := ledger.Create(filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "bin")
	c, err := Up(context.Background(), Options{
		Spec: clusters.Spec{Kubernetes: clusters.Kubernetes{BinDir: bin}, Etcd: clusters.Etcd{BinDir: bin, Members: 3}},
		Dir:  filepath.Join(dir, "cluster"), LogDir: filepath.Join(dir, "logs"), Store: s, Ledger: l,
	})
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(c.Access().REST)
	if err == nil {
		_, err = client.CoreV1().Namespaces().Get(context.Background(), "default", metav1.GetOptions{})
	}
	if err != nil {
		return nil, errors.Join(err, c.Close(context.Background()))
	}
	return c, nil
}

// place makes a directory for an owner: the binaries, and the test's
// executable, as another user can read them.
func place(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "storm-owner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	s := store(t)
	spec := clusters.Spec{}.Defaulted()
	for _, name := range components.Names() {
		if name == components.Etcdctl {
			continue
		}
		version := spec.Kubernetes.Version
		if strings.HasPrefix(name, "etcd") {
			version = spec.Etcd.Version
		}
		b, err := s.Get(t.Context(), components.Request{Name: name, Version: version}, clusters.Discard)
		if err != nil {
			t.Fatal(err)
		}
		provide(t, b.Path, filepath.Join(bin, name))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	provide(t, exe, filepath.Join(dir, "storm"))
	if uid != os.Getuid() {
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// provide links a file, or copies it where it lies on another disk.
func provide(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Link(from, to); err == nil {
		return
	}
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// run starts an owner as a user, and returns what it says.
func run(t *testing.T, dir, role string, uid int) (*exec.Cmd, io.Closer, told) {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "storm"))
	cmd.Env = []string{roleEnv + "=" + role, "DIR=" + dir, "HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "STORM_STATE_DIR=" + filepath.Join(dir, "state")}
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, unless the test failed
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var what told
	if err := errors.Join(err, json.Unmarshal(line, &what)); err != nil || what.Error != "" {
		t.Fatalf("the owner says %q: %v", what.Error, err)
	}
	return cmd, stdin, what
}

// TestWithoutRoot runs the whole of it as a user who may nothing.
func TestWithoutRoot(t *testing.T) {
	uid := os.Getuid()
	if uid == 0 {
		uid = 65534
	}
	dir := place(t, uid)
	cmd, stdin, what := run(t, dir, "owner", uid)
	if what.UID == 0 || what.Namespaces {
		t.Errorf("it ran as %d, with namespaces: %v", what.UID, what.Namespaces)
	}
	if len(what.PIDs) != 7 {
		t.Errorf("it told of the processes %v", what.PIDs)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	nothingLeft(t, dir, what)
}

func TestAKilledOwnerLeavesNothing(t *testing.T) {
	dir := place(t, os.Getuid())
	cmd, _, what := run(t, dir, "owner", os.Getuid())
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
	nothingLeft(t, dir, what)
}

// nothingLeft waits until the owner's processes, directory and ledger are gone.
func nothingLeft(t *testing.T, dir string, what told) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		left := remains(t, dir, what)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func remains(t *testing.T, dir string, what told) []string {
	var left []string
	for _, pid := range what.PIDs {
		if st, err := procfs.ReadStat(pid); err == nil && !st.Dead() {
			left = append(left, fmt.Sprintf("process %d (%s)", pid, st.Comm))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "cluster")); !errors.Is(err, fs.ErrNotExist) {
		left = append(left, "the cluster's directory")
	}
	entries, err := os.ReadDir(filepath.Join(dir, "state", "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, "ledger "+e.Name())
	}
	return left
}

// byHand is a storm that starts a cluster by hand and ends.
func byHand() int {
	dir := os.Getenv("DIR")
	t := told{UID: os.Getuid()}
	s, err := components.Open(components.Options{Dir: filepath.Join(dir, "cache")})
	if err == nil {
		bin := filepath.Join(dir, "bin")
		_, err = UpByHand(context.Background(), "mine", clusters.Spec{
			Kubernetes: clusters.Kubernetes{BinDir: bin, Scheduler: clusters.Deployment{Replicas: new(int)}}, Etcd: clusters.Etcd{BinDir: bin, Members: 2},
		}, s, nil)
	}
	if err != nil {
		t.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil || t.Error != "" {
		return 1
	}
	return 0
}

// TestByHand starts a cluster that outlives the storm which started it.
func TestByHandItStaysUntilDown(t *testing.T) {
	dir := place(t, os.Getuid())
	t.Setenv("STORM_STATE_DIR", filepath.Join(dir, "state"))
	if found, err := hand.List(t.Context()); err != nil || len(found) != 0 {
		t.Fatalf("before there are %v, %v", found, err)
	}
	cmd, _, _ := run(t, dir, "hand", os.Getuid())
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	found, err := hand.List(t.Context())
	if err != nil || len(found) != 1 || found[0].Problem != "" || found[0].Name != "mine" {
		t.Fatalf("listed are %+v, %v", found, err)
	}
	defer func() { // only if the test failed
		_ = hand.Down(context.WithoutCancel(t.Context()), "mine")
	}()
	config, err := clientcmd.BuildConfigFromFlags("", found[0].Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	what := told{PIDs: []int{found[0].Supervisor}}
	for name, p := range found[0].Processes {
		if !p.Running {
			t.Errorf("%s does not run", name)
		}
		what.PIDs = append(what.PIDs, p.PID)
	}
	if len(what.PIDs) != 5 {
		t.Errorf("its processes are %v", found[0].Processes)
	}
	if _, err := UpByHand(t.Context(), "mine", clusters.Spec{}, store(t), nil); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second one of the name: %v", err)
	}
	if err := hand.Down(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	if err := hand.Down(t.Context(), "mine"); err == nil || !strings.Contains(err.Error(), "no cluster") {
		t.Errorf("down twice: %v", err)
	}
	nothingLeft(t, dir, what)
	if entries, err := os.ReadDir(filepath.Join(dir, "state", "clusters")); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
