package render

import (
	"errors"
	"strings"
	"testing"
)

// A trial in which this recovered and other parts did not is left out and named, on
// the page and in the summary: a gate on the system as a whole counts it.
func TestTrialsInWhichOtherPartsDidNotRecover(t *testing.T) {
	r := quickstart()
	g := &r.Recovery[0]
	g.Points[0].Valid, g.Points[0].Unwell = false, true
	g.Trials, g.Unwell = g.Trials-1, 1
	var page, summary strings.Builder
	if err := errors.Join(HTML(&page, r), Markdown(&summary, r)); err != nil {
		t.Fatal(err)
	}
	html, md := page.String(), summary.String()
	for name, c := range map[string]struct{ text, want string }{
		"strip": {html, "in 1 more other parts did not recover"},
		"dot":   {html, ", but other parts did not recover"},
		"table": {html, "0 (in 1 more, other parts)"},
		"md":    {md, "0 (in 1 more, other parts)"},
	} {
		if !strings.Contains(c.text, c.want) {
			t.Errorf("%s: without %q", name, c.want)
		}
	}
}
