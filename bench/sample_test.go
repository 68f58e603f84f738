package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// Of a process that ends by itself nothing is said, and of the others everything.
func TestAProcessThatEndsIsLeftOut(t *testing.T) {
	brief := exec.Command("sleep", "0.5")
	if err := brief.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = brief.Wait() }()
	over := exec.Command("true")
	if err := over.Run(); err != nil {
		t.Fatal(err)
	}
	all, err := observe(t.Context(), map[string]int{"self": os.Getpid(), "brief": brief.Process.Pid, "over": over.Process.Pid}, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if self, is := all["self"]; len(all) != 1 || !is || self.RSS <= 0 || self.Most < self.RSS || len(self.Samples) == 0 {
		t.Errorf("%+v", all)
	}
}
