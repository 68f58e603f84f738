package kind

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"sigs.k8s.io/kind/pkg/log"

	"github.com/storm-harness/storm/clusters"
)

// kindLog takes what kind says: all of it into a file, and its steps to whoever
// watches.
type kindLog struct {
	file io.Writer
	sink clusters.Sink

	mu sync.Mutex
}

var _ log.Logger = (*kindLog)(nil)

// told is how much kind has to say: what kubeadm writes is at level 3.
const told = 3

// Warn implements log.Logger.
func (l *kindLog) Warn(message string) { l.write("warning: " + message) }

// Warnf implements log.Logger.
func (l *kindLog) Warnf(format string, args ...any) { l.Warn(fmt.Sprintf(format, args...)) }

// Error implements log.Logger.
func (l *kindLog) Error(message string) { l.write("error: " + message) }

// Errorf implements log.Logger.
func (l *kindLog) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }

// V implements log.Logger.
func (l *kindLog) V(level log.Level) log.InfoLogger { return kindInfo{l, level} }

func (l *kindLog) write(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A log that cannot be written is no reason to fail.
	_, _ = io.WriteString(l.file, strings.TrimRight(text, "\n")+"\n")
}

// kindInfo is what kind says at one level.
type kindInfo struct {
	log   *kindLog
	level log.Level
}

// Enabled implements log.InfoLogger.
func (i kindInfo) Enabled() bool { return i.level <= told }

// Info implements log.InfoLogger.
func (i kindInfo) Info(message string) {
	if !i.Enabled() {
		return
	}
	i.log.write(message)
	if step := stepOf(message); i.level == 0 && step != "" {
		i.log.sink(clusters.Event{Text: step})
	}
}

// Infof implements log.InfoLogger.
func (i kindInfo) Infof(format string, args ...any) { i.Info(fmt.Sprintf(format, args...)) }

// stepOf is the step that kind says it begins or has done, in words alone.
func stepOf(message string) string {
	words := strings.FieldsFunc(message, func(r rune) bool { return r > 127 || r == '\n' || r == ' ' || r == '•' })
	text := strings.Join(words, " ")
	switch {
	case strings.Contains(message, "•"):
		return "kind: " + strings.TrimSuffix(text, " ...")
	case strings.Contains(message, "✓"):
		return "kind: " + text + ": done"
	case strings.Contains(message, "✗"):
		return "kind: " + text + ": failed"
	}
	return ""
}
