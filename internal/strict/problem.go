// Package strict reads YAML so that nothing in it is silently ignored: an
// unknown field, a key given twice, a value of the wrong type or unit is a
// problem with its file, line, column and field, and all problems of a file
// are reported at once. The same struct tags that it decodes by also yield a
// JSON Schema and the reference tables of the documentation.
package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file.
type Pos struct {
	File   string // as the user named it, or "--set path=value"
	Line   int    // from 1; 0 where there are no lines
	Column int    // from 1; 0 where it is not known
}

// String returns file:line:column, without what is not known.
func (p Pos) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
		if p.Column > 0 {
			s += fmt.Sprintf(":%d", p.Column)
		}
	}
	return s
}

// Problem is one thing wrong with a file.
type Problem struct {
	Pos
	Path    string // the field: spec.workloads[churn].eventChurn.rate; empty for the file as a whole
	Message string

	meant string // for an unknown field, the field that it was probably meant to be
}

// Covers says whether p is about the field of this path, or one around or in
// it: then nothing further can be said about that field.
func (p Problem) Covers(path string) bool {
	if p.Path == "" {
		return false
	}
	return inside(p.Path, path) || inside(path, p.Path) || p.meant != "" && inside(path, p.meant)
}

// inside says whether path is outer or a field in it.
func inside(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// String returns "file:line:column: field: message".
func (p Problem) String() string {
	var parts []string
	if pos := p.Pos.String(); pos != "" {
		parts = append(parts, pos)
	}
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

// Problems is an error made of all that is wrong.
type Problems []Problem

// Error returns one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error in order of file, line and column,
// each once, or nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps.Sorted()
}

// Sorted returns the problems in order of file, line and column, each once.
func (ps Problems) Sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	seen := map[Problem]bool{}
	return slices.DeleteFunc(out, func(p Problem) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}
