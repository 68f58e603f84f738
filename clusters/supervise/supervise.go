// Package supervise keeps a cluster's processes, in a process of its own.
//
// The supervisor starts, signals and stops the processes, and owns the
// network that they live in. It ends, and takes all of them with it, when the
// storm that started it closes its pipe or dies, by whatever signal; unless
// it was told to persist. Should the supervisor itself be killed, the kernel
// kills the processes. So there is no death of storm's that leaves any.
package supervise

import (
	"time"

	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/ledger"
)

// Options says what supervisor to start.
type Options struct {
	// Ledger is the run's; its lock is shared with the supervisor, and its id
	// goes into every process's environment.
	Ledger *ledger.Ledger
	// Log is the file that the supervisor's own log is appended to.
	Log string
	// Owned are directories, made by the ledger's MakeDir, that the supervisor
	// removes when it ends, however it comes to that.
	Owned []string
}

// Process is a process to start.
type Process struct {
	// Name identifies it to the supervisor. A name can be used again once its
	// process has ended.
	Name string
	// Argv is the program's path, or a name to be found in PATH, and its arguments.
	Argv []string
	// Env is its environment, as KEY=value. Of storm's own it has only PATH,
	// HOME, TMPDIR and STORM_RUN_ID, so that a variable which happens to be set
	// in a shell, such as one of etcd's, is no flag in secret.
	Env []string
	Dir string // the working directory
	Log string // the file that its output is appended to; made with mode 0600
	// Host is the host of the network to run it on; empty for the machine itself.
	Host string
}

// Status is what is known of a process.
type Status struct {
	Name    string
	Host    string
	PID     int
	Running bool
	Started time.Time
	Ended   time.Time // zero while it runs
	// Exit is how it ended: "exit status 1", "signal: killed"; empty while it runs.
	Exit string
	// Asked is true if storm sent it a signal that ends processes.
	Asked bool
}

// Info is what a supervisor says of itself.
type Info struct {
	RunID string
	PID   int
	Slot  network.Slot // the addresses that are the cluster's
}
