package render

import (
	"io"
	"testing"

	"github.com/storm-harness/storm/report"
)

// BenchmarkRender renders every form of the report: of a run of ordinary size,
// and of 320 trials of an hour, which is more than the page can hold.
func BenchmarkRender(b *testing.B) {
	large := quickstart()
	hours(large)
	for name, r := range map[string]*report.Result{"quickstart": quickstart(), "hours": large} {
		for form, render := range map[string]func(io.Writer, *report.Result) error{"html": HTML, "md": Markdown, "json": JSON, "junit": JUnit} {
			b.Run(name+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := render(io.Discard, r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
