package render

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// seconds writes a time: 840 ms, 1.82 s.
func seconds(n report.Number) string { return report.Format(n, "seconds") }

// latency writes a time of the latency table.
func latency(n report.Number) string { return report.FormatOf("api.latency", n, "seconds") }

// bodies writes how many bytes of bodies came a second, and what they held where
// they were compressed.
func bodies(received, decoded report.Number) string {
	if !received.Is() {
		return ""
	}
	text := report.Format(received, "bytes")
	if held := report.Format(decoded, "bytes"); held != text {
		text += " (" + held + ")"
	}
	return text
}

// filesOpen writes how many files a generator had open.
func filesOpen(l report.Load) string {
	switch {
	case l.Files == 0:
		return report.Format(report.Missing(), "count")
	case l.FileLimit == 0:
		return unit.Grouped(l.Files)
	}
	return unit.Grouped(l.Files) + " of " + unit.Grouped(l.FileLimit)
}

// failuresTitle is what the table of failures is called, and what was sent again is in it.
const failuresTitle = "Failures, and what was sent again, by kind of request and code"

// failed says whether any request did.
func failed(of []report.ErrorCount) bool {
	return slices.ContainsFunc(of, func(e report.ErrorCount) bool { return !e.Again })
}

// codeOf writes what failed, or what was sent again after it.
func codeOf(e report.ErrorCount) string {
	if e.Again {
		return e.Code + ", sent again"
	}
	return e.Code
}

// digits writes at most three significant digits, without an exponent.
func digits(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		r = v
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}

// percent writes a share: 25 %.
func percent(share float64) string { return digits(100*share) + " %" }

// listed joins words as prose does: a, b and c.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// capital begins a text with a capital letter, unless its first word is a name
// such as etcd, p99 or kube-apiserver, which are written as they are.
func capital(s string) string {
	first, _, _ := strings.Cut(s, " ")
	first = strings.TrimRight(first, ".,:;")
	if first == "etcd" || strings.ContainsFunc(first, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }) {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError || strings.ContainsFunc(first[min(n, len(first)):], unicode.IsUpper) {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// sentence ends a text with a full stop where it has no end of its own, and
// begins it with a capital.
func sentence(s string) string {
	return capital(ended(s))
}

// ended ends a text with a full stop, and leaves its beginning as it is: what
// was observed often begins with a name.
func ended(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}

// verdictWord is how a verdict is named to a reader.
func verdictWord(v report.Verdict) string {
	switch v {
	case report.Pass:
		return "Pass"
	case report.Improved:
		return "Improved"
	case report.Regressed:
		return "Failed"
	case report.Inconclusive:
		return "Inconclusive"
	case report.Invalid:
		return "Invalid"
	default:
		return "Not judged"
	}
}

// verdictSign says the same in one character, so that nothing depends on
// colour.
func verdictSign(v report.Verdict) string {
	switch v {
	case report.Pass:
		return "✓"
	case report.Improved:
		return "▲"
	case report.Regressed:
		return "✕"
	case report.Inconclusive:
		return "≈"
	case report.Invalid:
		return "!"
	default:
		return "–"
	}
}

// verdictMeaning says what a verdict means, in one sentence.
func verdictMeaning(v report.Verdict) string {
	switch v {
	case report.Pass:
		return "Every gate held."
	case report.Improved:
		return "Every gate held, and in at least one comparison the whole interval is on the better side."
	case report.Regressed:
		return "At least one gate failed, soundly measured."
	case report.Inconclusive:
		return "Nothing failed, and not everything could be decided: more blocks or less noise would decide it."
	case report.Invalid:
		return "Something that had to be measured was not soundly measured, so nothing may be concluded."
	default:
		return "The scenario sets no gates."
	}
}
