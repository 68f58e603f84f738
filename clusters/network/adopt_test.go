package network

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// occupied starts a process on a host, by which another can take the host in.
func occupied(t *testing.T, n *Network, name string) int {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	on(t, n, name, cmd.Start)
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd.Process.Pid
}

func TestHostsOfOthersAreCutDelayedAndReplaced(t *testing.T) {
	n := two(t)
	adopted := Adopted(n.slot)
	t.Cleanup(func() { must(t, adopted.Close()) })
	for _, name := range []string{"a", "b"} {
		must(t, adopted.Join(name, addr(t, n, name), occupied(t, n, name)))
	}
	near, far := connect(t, n, "a", "b")
	roundTrip(t, near, far, 1)

	must(t, adopted.Cut("a", "b"))
	if _, err := near.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	awaitDropped(t, adopted, "a", "b", 1)
	must(t, adopted.Mend("a", "b"))
	if _, err := far.Read(make([]byte, 1)); err != nil { // it is sent again
		t.Fatal(err)
	}
	const delay = 30 * time.Millisecond
	must(t, adopted.Delay("a", "b", delay))
	if got := roundTrip(t, near, far, 3); got < delay {
		t.Errorf("a round trip takes %s under a delay of %s one way", got, delay)
	}
	must(t, adopted.Mend("a", "b"))

	// The same host again keeps what was done to it; another of the name does not.
	must(t, adopted.Cut("a", "b"))
	must(t, adopted.Join("b", addr(t, n, "b"), occupied(t, n, "b")))
	if s, err := adopted.Link("a", "b"); err != nil || !s.Cut {
		t.Errorf("joined again, the link is %+v, %v", s, err)
	}
	must(t, adopted.Cut("b", "a"))
	if err := adopted.Join("b", addr(t, n, "b"), occupied(t, n, "a")); err == nil || !strings.Contains(err.Error(), "no interface has its address") {
		t.Errorf("a network without the host's address was taken in: %v", err)
	}
	must(t, adopted.Join("b", addr(t, n, "a"), occupied(t, n, "a")))
	for _, ends := range [][2]string{{"a", "b"}, {"b", "a"}} {
		if s, err := adopted.Link(ends[0], ends[1]); err != nil || s.Cut {
			t.Errorf("%s to %s, of which one was replaced: %+v, %v", ends[0], ends[1], s, err)
		}
	}
	if err := adopted.Join("c", addr(t, n, "a"), 1<<30); err == nil {
		t.Error("the host of no process was taken in")
	}
}
