package kind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnErrorShowsWhatTheKubeletLoggedLast, and names the log only where it stays.
func TestAnErrorShowsWhatTheKubeletLoggedLast(t *testing.T) {
	for name, c := range map[string]struct {
		logs   string
		retain bool
		named  bool
	}{
		"a run's logs":                  {"logs", false, true},
		"those of a cluster by hand":    {"cluster/logs", false, false},
		"and of one that is to be kept": {"cluster/logs", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cl := &Cluster{o: Options{Dir: filepath.Join(dir, "cluster"), LogDir: filepath.Join(dir, c.logs), Retain: c.retain}}
			n := &node{cluster: cl, name: "c-control-plane"}
			log := filepath.Join(cl.o.LogDir, n.kubelet()+".log")
			if err := os.MkdirAll(cl.o.LogDir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(log, []byte("first\nno space left on device\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			got := n.kubeletSays()
			if !strings.Contains(got, "the kubelet of c-control-plane logs last:\n    first\n    no space left on device") {
				t.Errorf("it says %q", got)
			}
			if strings.Contains(got, log) != c.named {
				t.Errorf("it says %q", got)
			}
		})
	}
}
