//go:build kind

package kind_test

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
)

// TestAClusterThatCannotBeResetIsMadeAnew resets one whose node has died: nothing in it
// can be stopped, or started again. Then the new one goes back in place.
func TestAClusterThatCannotBeResetIsMadeAnew(t *testing.T) {
	none := 0
	o := kindtest.Options(t, clusters.Spec{Kubernetes: clusters.Kubernetes{ControllerManager: clusters.Deployment{Replicas: &none}, Scheduler: clusters.Deployment{Replicas: &none}}})
	told := []string{} // by this goroutine's own resets
	o.Sink = func(e clusters.Event) {
		t.Log(e.Component, e.Text)
		if e.Tell {
			told = append(told, e.Text)
		}
	}
	ended := make(chan string, 100)
	o.Exited = func(id clusters.ID, how string) { ended <- id.String() + ": " + how }
	c := kindtest.UpWith(t, o)
	if _, err := docker.Run(t.Context(), "kill", c.Name()+"-control-plane"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"made anew, since a reset in place failed, and back at the golden copy", "back at the golden copy in place"} {
		if err := c.Reset(within(t, guard), c.Spec()); err != nil {
			t.Fatal(err)
		}
		if got := c.ResetHow(); got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
		if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
			t.Error(err)
		}
		configMap(t, c, "of-the-trial") // which is there once only
		for _, p := range c.Provenance() {
			if !strings.HasPrefix(p.GoVersion, "go1.") {
				t.Errorf("%s was built with %q", p.Component, p.GoVersion)
			}
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "made anew, since a reset in place failed: ") {
		t.Errorf("told is %q", told)
	}
	for _, e := range taken(ended) {
		if t.Log(e); strings.HasPrefix(e, "etcd") {
			t.Errorf("that storm took the member away is told as an end that nobody asked for: %s", e)
		}
	}
}
