package priority

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What a process does to itself, a child of the test's does.
func TestMain(m *testing.M) {
	switch os.Getenv("PRIORITY_TEST") {
	case "first":
		fmt.Print(goesFirst())
	case "tell":
		fmt.Print(standing())
	default:
		os.Exit(m.Run())
	}
}

// goesFirst goes first and back, and tells how it stood, and its children.
func goesFirst() string {
	var out strings.Builder
	tell := func(what string) {
		worst := "all threads alike"
		now := standing()
		_ = everyThread(func(thread int) error {
			a, err := unix.SchedGetAttr(thread, 0)
			if err == nil && (a.Policy == unix.SCHED_RR) != now.RealTime {
				worst = "threads differ"
			}
			return err
		})
		fmt.Fprintf(&out, "%s: %s, %s\n", what, now, worst)
	}
	child := func() error {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PRIORITY_TEST=tell")
		text, err := cmd.Output()
		fmt.Fprintf(&out, "child: %s\n", text)
		return err
	}
	now, undo := GoFirst()
	tell("first")
	if now != standing() {
		fmt.Fprintf(&out, "it says %s\n", now)
	}
	if err := Ordinarily(child); err != nil {
		fmt.Fprintln(&out, err)
	}
	tell("first again")
	undo()
	tell("back")
	return out.String()
}

func TestGoesFirstWithAllThreadsAndItsChildrenDoNot(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PRIORITY_TEST=first")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	was := standing()
	want := "real-time"
	if err := realTime(0); errors.Is(err, unix.EPERM) {
		want = was.String()
		if ordinary(0, first) == nil {
			want = "nice -10"
		}
	} else if err != nil {
		t.Fatal(err)
	}
	if err := ordinary(0, was.Nice); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("first: %s, all threads alike\nchild: nice %d\nfirst again: %s, all threads alike\nback: %s, all threads alike\n",
		want, max(0, was.Nice), want, was)
	if got := string(out); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
}
