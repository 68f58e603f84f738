package render

import (
	"encoding/json"
	"io"

	"github.com/storm-harness/storm/report"
)

// JSON writes the Result as it is, one indented object; its "schema" is
// report.SchemaVersion. Characters that mean something in HTML are escaped, so
// that the file may be put into a page.
func JSON(w io.Writer, r *report.Result) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}
