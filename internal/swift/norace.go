//go:build !race

package swift

const raceDetector = false
