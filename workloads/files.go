package workloads

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// filesBeside is what storm needs of open files beside the loads' connections.
const filesBeside = 256

// openFiles is how many files this process may open.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return limit.Cur
}

// Connected is a load that holds connections: at most about so many.
type Connected interface{ Sockets() uint64 }

// CheckTogether returns what is wrong with loads that are right one by one: that
// together they need more open files than this process may have.
func CheckTogether(loads []Workload) []string { return together(loads, openFiles()) }

func together(loads []Workload, files uint64) []string {
	need := uint64(filesBeside)
	for _, l := range loads {
		if c, ok := l.(Connected); ok {
			need += c.Sockets()
		}
	}
	if need <= files {
		return nil
	}
	return []string{tooManyFiles("together they", need, files)}
}

// tooManyFiles says that what a field asks for needs more files than may be open.
func tooManyFiles(what string, need, files uint64) string {
	return fmt.Sprintf("%s need about %d open files, and this process may open %d: raise the limit (ulimit -n)", what, need, files)
}
