package ready

import (
	"regexp"
	"strings"
)

// location is where a frame of a Go stack is, and goroutine what a stack begins
// with.
var (
	location  = regexp.MustCompile(`^\S+\.(go|s):[0-9]+( \+0x[0-9a-f]+)?( fp=.*)?$`)
	goroutine = regexp.MustCompile(`^goroutine [0-9]+ .*\[.*\]:$`)
	// What a container runtime writes before each line of a pod.
	ofPod = regexp.MustCompile(`^\S+ (stdout|stderr) [FP] `)
)

// WithoutFrames leaves out the frames of Go stacks, each the name of a function and
// where it is: a program that panics, or that prints an error with its stack, says
// why before them, and the last lines would be nothing else.
func WithoutFrames(lines []string) []string {
	var out []string
	for _, line := range lines {
		text := strings.TrimSpace(ofPod.ReplaceAllLiteralString(line, ""))
		switch {
		case goroutine.MatchString(text):
		case location.MatchString(text):
			if len(out) > 0 {
				out = out[:len(out)-1] // the function
			}
		default:
			out = append(out, line)
		}
	}
	return out
}
