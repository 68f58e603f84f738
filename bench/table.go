package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a line of the table. Value and Peer are for people; Figures has the
// numbers behind them, each named with its unit.
type row struct {
	Row     string             `json:"row"` // its letter
	What    string             `json:"what"`
	Storm   string             `json:"storm"`
	Peer    string             `json:"peer,omitempty"` // name and figure, or why there is none
	HeldTo  string             `json:"heldTo,omitempty"`
	Figures map[string]float64 `json:"figures,omitempty"`
	Note    string             `json:"note,omitempty"`
}

// add adds a row if it is wanted.
func (b *bench) add(r row) {
	if b.wants(r.Row) {
		b.rows = append(b.rows, r)
		b.say("row %s: %s: %s; %s", r.Row, r.What, r.Storm, r.Peer)
	}
}

// print prints the table and then the same as JSON.
func (b *bench) print(w io.Writer) error {
	slices.SortStableFunc(b.rows, func(x, y row) int { return strings.Compare(x.Row, y.Row) })
	text := markdown(b.rows) + "\n" + b.circumstances() + "\n"
	if b.out != "" {
		if err := os.WriteFile(b.out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(b.rows, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n```json\n%s\n```\n", text, data)
	return err
}

// markdown is the rows as a table.
func markdown(rows []row) string {
	var s strings.Builder
	s.WriteString("| | what | storm | beside it | held to |\n|---|---|---|---|---|\n")
	cell := func(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
	for _, r := range rows {
		what := r.What
		if r.Note != "" {
			what += " (" + r.Note + ")"
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.Row, cell(what), cell(r.Storm), cell(r.Peer), cell(r.HeldTo))
	}
	return s.String()
}

// circumstances says under which the figures came about.
func (b *bench) circumstances() string {
	asked := ""
	for _, of := range []map[string]string{b.env, b.flags} {
		for _, name := range slices.Sorted(maps.Keys(of)) {
			asked += fmt.Sprintf(" %s=%s", name, of[name])
		}
	}
	if asked != "" {
		asked = ", API servers with" + asked
	}
	if b.alone {
		asked += ", without controller managers and schedulers"
	}
	return fmt.Sprintf("Measured %s, within %s, with %s processors for the control plane, storm and the peers together (%s, %s); "+
		"%d nodes, fleets measured for %s after %s%s; request generators %d rounds of %s, %d in flight.",
		b.begun.UTC().Format(time.DateOnly), time.Since(b.begun).Round(time.Second), fmt.Sprint(runtime.NumCPU()), runtime.Version(), kernel(),
		b.nodes, b.span, b.settle, asked, b.rounds, b.load, b.inFlight)
}

// kernel is the version of the running kernel.
func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "kernel not known"
	}
	return "Linux " + strings.TrimSpace(string(text))
}

// mb is a size for people.
func mb(bytes float64) string { return fmt.Sprintf("%.0f MB", bytes/1e6) }
