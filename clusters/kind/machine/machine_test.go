package machine

import (
	"errors"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/docker"
)

func TestMayHelp(t *testing.T) {
	down := &docker.NotAnsweringError{Host: "unix:///s", Why: errors.New("cannot connect")}
	denied := &docker.NotAnsweringError{Host: "unix:///s", Why: &docker.Error{Args: []string{"version"}, Last: []string{"permission denied while trying to connect"}, Err: errors.New("exit status 1")}}
	all := fact{allowed: true, root: true, debian: true}
	for _, tt := range []struct {
		name   string
		absent *docker.NotAnsweringError
		fact   fact
		says   string // "" where it may
	}{
		{"all is well", down, all, ""},
		{"not asked to", down, fact{root: true, debian: true}, "Docker does not answer at unix:///s: cannot connect\nstart it, or let storm set it up on a machine that you can throw away: STORM_SETUP_DOCKER=1"},
		{"another's daemon", down, fact{allowed: true, root: true, debian: true, host: "tcp://x"}, "start that, or unset DOCKER_HOST"},
		{"no root", down, fact{allowed: true, debian: true}, "run this as root"},
		{"no Debian", down, fact{allowed: true, root: true}, "there is no apt-get here"},
		{"no permission", denied, all, "join the group docker"},
	} {
		err := mayHelp(tt.absent, tt.fact)
		switch {
		case tt.says == "" && err != nil, tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		case err != nil && !errors.Is(err, tt.absent):
			t.Errorf("%s: it does not say that Docker is absent: %v", tt.name, err)
		}
	}
}

// Without the user's word nothing is done, and what to do is said.
func TestReadyChangesNothingUnasked(t *testing.T) {
	t.Setenv(OptIn, "")
	t.Setenv("PATH", t.TempDir())
	err := Ready(t.Context(), func(e clusters.Event) { t.Errorf("it did something: %s", e.Text) })
	const want = "there is no docker command in the PATH\nstart it, or let storm set it up on a machine that you can throw away: STORM_SETUP_DOCKER=1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
