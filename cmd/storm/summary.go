package main

import (
	"fmt"
	"os"
	"strings"
)

// summaryEnv names the file that GitHub shows as a step's summary.
const summaryEnv = "GITHUB_STEP_SUMMARY"

// maxSummary is what GitHub takes of one step; what is larger it shows nothing of.
const maxSummary = 1 << 20

// summarize appends the Markdown report to the step's summary, where storm runs
// in a workflow of GitHub. The verdict does not depend on it: what goes wrong is
// said and no more.
func (a *app) summarize(markdown string) {
	path := os.Getenv(summaryEnv)
	if path == "" {
		return
	}
	if err := appendSummary(path, markdown); err != nil {
		fmt.Fprintf(a.stderr, "warning: the step's summary was not written: %s\n", plain(err.Error()))
	}
}

func appendSummary(path, markdown string) (err error) {
	text, err := os.ReadFile(markdown)
	if err != nil {
		return err
	}
	if before, err := os.Stat(path); err == nil && before.Size()+int64(len(text)) >= maxSummary {
		const rest = "\n*The rest does not fit into this summary, which other steps have written to too: see report.md.*\n"
		// The verdict and the gates come before everything that is folded away.
		head, _, _ := strings.Cut(string(text), "\n<details>")
		if before.Size()+int64(len(head)+len(rest)) >= maxSummary {
			return fmt.Errorf("with the %d bytes of %s it would have more than the %d bytes that GitHub takes: see the file", len(text), markdown, maxSummary)
		}
		text = []byte(head + rest)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	_, err = f.Write(append(text, '\n'))
	return err
}
