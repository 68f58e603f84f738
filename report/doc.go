// Package report says what a run means. Analyse reads a run directory and
// returns a Result, and nothing else goes in: the same directory gives the same
// Result years later, without a cluster. Rendering it is the work of the
// package render beside this one.
//
// The trial is the unit of every statistic. docs/statistics.md explains the
// method; verdict.go holds the order of the verdicts and their exit codes.
package report
