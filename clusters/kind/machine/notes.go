package machine

import (
	"errors"
	"io/fs"
	"os"
)

// notes says what of this machine's kernel decides what clusters in containers
// can do.
func notes(say func(format string, args ...any)) {
	if CgroupV1() {
		say("control groups are of version 1 here: a kubelet starts with failCgroupV1: false only, and slow disks and memory limits have other files")
	}
	if _, err := os.Stat("/lib/modules"); errors.Is(err, fs.ErrNotExist) {
		say("there is no /lib/modules, which kind's nodes have mounted: Docker makes it, empty")
	}
}

// CgroupV1 tells whether this machine's control groups are of version 1, as
// kubelets and runtimes judge it.
func CgroupV1() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return errors.Is(err, fs.ErrNotExist)
}
