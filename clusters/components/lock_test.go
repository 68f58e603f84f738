package components

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// The tests of two storms at once run this test binary a second time, as the
// other storm: it gets one binary, and prints its events and what it got.
const otherStorm = "STORM_TEST_OTHER_STORM"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(otherStorm); ok {
		os.Exit(beOther(dir, os.Args[1]))
	}
	os.Exit(m.Run())
}

func beOther(dir, url string) int {
	s, err := Open(Options{Dir: dir, KubernetesURL: url + "/k8s", EtcdURL: url + "/etcd", Go: noGo})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	b, err := s.Get(context.Background(), Request{Name: APIServer, Version: "v1.36.3"}, func(e clusters.Event) { fmt.Println("event", e.Text) })
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	data, err := json.Marshal(b)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("got", string(data))
	return 0
}

// storm is another process that gets a kube-apiserver.
type storm struct {
	*exec.Cmd
	out *bufio.Scanner
}

func startStorm(t *testing.T, dir, url string) *storm {
	t.Helper()
	cmd := exec.Command(os.Args[0], url)
	cmd.Env = append(os.Environ(), otherStorm+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
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
	return &storm{cmd, bufio.NewScanner(out)}
}

// until returns the first line with that prefix, without it.
func (s *storm) until(t *testing.T, prefix string) string {
	t.Helper()
	for s.out.Scan() {
		if rest, ok := strings.CutPrefix(s.out.Text(), prefix); ok {
			return rest
		}
		t.Logf("process %d: %s", s.Process.Pid, s.out.Text())
	}
	t.Fatalf("process %d ended without saying %q", s.Process.Pid, prefix)
	return ""
}

func (s *storm) got(t *testing.T) Binary {
	t.Helper()
	var b Binary
	if err := json.Unmarshal([]byte(s.until(t, "got ")), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSecondStormWaitsAndUsesTheResult(t *testing.T) {
	m := newMirror(t)
	path := m.kubernetes(APIServer, "v1.36.3")
	resume := m.holdAt(path)
	dir := t.TempDir()

	first := startStorm(t, dir, m.URL)
	<-m.half // in the middle of the download
	second := startStorm(t, dir, m.URL)
	waits := second.until(t, "event waiting for ")
	if want := "process " + strconv.Itoa(first.Process.Pid) + ", which is getting kubernetes v1.36.3"; waits != want {
		t.Errorf("it waits for %s, want %s", waits, want)
	}
	resume()
	a, b := first.got(t), second.got(t)
	if a != b || a.Path == "" {
		t.Errorf("one got %+v, the other %+v", a, b)
	}
	if n := m.count(path); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
}

func TestKilledStormLeavesOnlyItsDirectoryAside(t *testing.T) {
	m := newMirror(t)
	path := m.kubernetes(APIServer, "v1.36.3")
	m.holdAt(path)
	o := m.options()
	o.Dir = t.TempDir()
	s := open(t, o)

	victim := startStorm(t, o.Dir, m.URL)
	<-m.half
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(); err == nil {
		t.Fatal("it ended well")
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("in the cache: %s", got)
	}
	if got := leftovers(t, s); len(got) != 1 {
		t.Errorf("aside there is %q, want what it was killed in", got)
	}

	m.change(func(m *mirror) { delete(m.hold, path) })
	b := get(t, s, APIServer, "v1.36.3")
	if got := content(t, b.Path); got != string(script(APIServer, "v1.36.3")) {
		t.Errorf("the binary holds %q", got)
	}
	if got := leftovers(t, s); len(got) != 0 {
		t.Errorf("left behind: %s", got)
	}
}

// Who gives up waiting gets no lock, and keeps nobody from getting it.
func TestWaitingCanBeInterrupted(t *testing.T) {
	s := open(t, Options{})
	w := wanted{kubernetes, APIServer, "v1.36.3"}
	unlock, err := s.cache.lock(t.Context(), w, clusters.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Get(ctx, Request{Name: w.name, Version: w.version}, func(e clusters.Event) {
		if strings.HasPrefix(e.Text, "waiting for process ") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	unlock, err = s.cache.lock(t.Context(), w, clusters.Discard)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
