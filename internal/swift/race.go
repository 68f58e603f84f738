//go:build race

package swift

// raceDetector says that this program was built with the race detector, which
// takes from package net that what was done before a write is done before the
// read that gets it; of a connection read without it, it would not know.
const raceDetector = true
