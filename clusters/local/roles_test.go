//go:build !cluster

package local

// roles are the processes that only tests on real components need.
var roles map[string]func() int
