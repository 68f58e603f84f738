package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/report"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	r := quickstart()
	var html, md, xml, data, screen bytes.Buffer
	for _, err := range []error{
		HTML(&html, r), Markdown(&md, r), JUnit(&xml, r), JSON(&data, r),
		Terminal(&screen, r, Screen{Width: 80, Report: "runs/20261101-120000-quickstart-5f1c/report.html"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	own, err := inlined()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "quickstart.html", strings.Replace(html.String(), string(own.UPlot), "uPlot", 1))
	golden.Check(t, "quickstart.md", md.String())
	golden.Check(t, "quickstart.junit.xml", xml.String())
	golden.Check(t, "quickstart.json", data.String())
	golden.Check(t, "quickstart.terminal", screen.String())
	var back report.Result
	if err := json.Unmarshal(data.Bytes(), &back); err != nil {
		t.Errorf("report.json does not read back: %v", err)
	}
}
