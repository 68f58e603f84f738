package main

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// A provider that the spec's schema knows, and this storm does not have, is
// refused by name.
func TestAProviderThatIsNotBuiltIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kind", "existing"} {
		if _, built := providers[name]; built {
			continue
		}
		got := strings.Join(checkCluster(clusters.Spec{Provider: name}), "\n")
		if want := "provider: " + name + " is not built yet"; !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := checkCluster(clusters.Spec{}); len(got) > 0 {
		t.Errorf("the default provider refuses the default spec: %q", got)
	}
}
