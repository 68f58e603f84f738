package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/storm-harness/storm/internal/child"
)

// programs are what is needed, and Debian's packages that have them.
var programs = []struct{ program, pkg string }{
	{"dockerd", "docker.io"},
	{"docker", "docker.io"},
	{"runc", "runc"},
	{"iptables", "iptables"},
}

// install installs what is missing.
func (s setup) install(ctx context.Context) error {
	var packages []string
	for _, p := range programs {
		if !has(p.program) {
			packages = append(packages, p.pkg)
		}
	}
	if len(packages) == 0 {
		s.say("dockerd, runc and iptables are installed")
		return nil
	}
	return Install(ctx, s.say, packages...)
}

// Install installs Debian packages, and says so first.
func Install(ctx context.Context, say func(format string, args ...any), packages ...string) error {
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...),
	} {
		say("running apt-get %s", strings.Join(args, " "))
		var printed string // apt-get says on standard output what it fails at
		err := child.Command{Path: "apt-get", Args: args, Env: env}.Run(ctx, func(line string) { printed = line }, nil)
		if err != nil {
			return fmt.Errorf("installing %s: %w\nit said last: %s", strings.Join(packages, ", "), err, printed)
		}
	}
	return nil
}

// has tells whether a program is in the PATH.
func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
