package priority

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The change cannot be undone without privileges, so a child does it.
func TestMain(m *testing.M) {
	if os.Getenv("SET_PRIORITY") != "" {
		if err := Set(Get() + 3); err != nil {
			os.Exit(1)
		}
		fmt.Print(strings.Repeat("+", Get()))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestSetReachesTheThreads(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SET_PRIORITY=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(out); got != max(Get(), 0)+3 && Get() >= 0 {
		t.Errorf("the nice value is %d, want %d", got, Get()+3)
	}
}
