package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/storm-harness/storm/internal/unit"
)

// conclude gives the run its verdict and its headline. A run that is not
// complete has no better verdict than invalid, and so has one without a valid
// trial; a failure that was soundly seen stands in both.
func conclude(r *Result) {
	var all []Verdict
	for _, g := range r.Gates {
		all = append(all, g.Verdict)
	}
	broken := incomplete(r)
	if broken != "" {
		all = append(all, Invalid)
	}
	r.Verdict = Worst(all...)
	r.ExitCode = r.Verdict.ExitCode()
	r.Headline = append(r.Headline, lead(r, broken))
	if tally := tally(r); tally != "" {
		r.Headline = append(r.Headline, tally)
	}
	if broken != "" && r.Verdict != Invalid {
		r.Headline = append(r.Headline, "Beyond that nothing can be concluded: "+broken+".")
	}
	r.Headline = append(r.Headline, ran(r))
	if r.Run.About != "" {
		r.Headline = append(r.Headline, "The scenario: "+sentence(r.Run.About))
	}
}

// incomplete says why the run as a whole cannot pass; empty where it can.
func incomplete(r *Result) string {
	switch {
	case r.Run.Valid == 0:
		return plural(r.Run.Planned, "the one trial is not valid", "none of %d trials is valid") + firstReason(r)
	case r.Run.Outcome == "interrupted":
		return fmt.Sprintf("the run was interrupted after %d of %s", r.Run.Valid+r.Run.Invalid, unit.Count(r.Run.Planned, "trial"))
	case r.Run.Outcome == "failed":
		return "the run failed: " + or(strings.TrimSuffix(r.Run.Error, "."), "no error is recorded")
	case !r.Run.Complete:
		return fmt.Sprintf("the run directory is incomplete: %d of %s ended", r.Run.Valid+r.Run.Invalid, unit.Count(r.Run.Planned, "trial"))
	}
	return ""
}

func firstReason(r *Result) string {
	for _, t := range r.Trials {
		if len(t.Reasons) > 0 && t.State != TrialDiscarded {
			return fmt.Sprintf(" (%s: %s)", t.ID, t.Reasons[0])
		}
	}
	return ""
}

// lead is the first sentence: what was found, in the direction of the verdict.
func lead(r *Result, broken string) string {
	of := func(v Verdict) *Gate {
		i := slices.IndexFunc(r.Gates, func(g Gate) bool { return g.Verdict == v })
		if i < 0 {
			return nil
		}
		return &r.Gates[i]
	}
	switch r.Verdict {
	case Regressed:
		return finding(of(Regressed), "Failed")
	case Invalid:
		if broken != "" {
			return "No verdict: " + broken + "."
		}
		g := of(Invalid)
		return fmt.Sprintf("No verdict: %s was not soundly measured: %s", subject(g.Gate), sentence(g.Reason))
	case Inconclusive:
		return finding(of(Inconclusive), "Not decided")
	case Improved:
		return better(r, of(Improved))
	case Pass:
		if g := comparing(r.Gates); g != nil {
			return finding(g, "Passed")
		}
		return fmt.Sprintf("Passed: %s held, with %s %s.", plural(len(r.Gates), "the one gate", "all %d gates"), plural(len(r.Profiles), "the profile", "the profiles"), listed(names(r)))
	default:
		return "Nothing was judged: the scenario sets no gates."
	}
}

// finding is a gate's result as a sentence: a comparison in words, anything
// else by its title and reason.
func finding(g *Gate, word string) string {
	for _, res := range g.Results {
		if c := res.Comparison; c != nil && res.Verdict == g.Verdict {
			return word + ": " + c.sentence(g, res)
		}
	}
	return fmt.Sprintf("%s: %s: %s", word, subject(g.Gate), sentence(g.Reason))
}

// sentence puts a comparison into words for a reader who knows no gate.
func (c *Comparison) sentence(g *Gate, res Judged) string {
	finding, detail, cut := strings.Cut(c.Text, " (")
	blocks := unit.Count(c.Used, "block")
	why := ""
	switch res.Verdict {
	case Regressed:
		why = fmt.Sprintf(", beyond the margin of %s", percent(c.Margin))
	case Pass:
		why = fmt.Sprintf(", within the margin of %s", percent(c.Margin))
	case Inconclusive:
		return fmt.Sprintf("whether %s with %s is worse than with %s by more than %s. %s", subject(g.Gate), c.Profile, c.Base, percent(c.Margin), capital(sentence(res.Reason)))
	}
	switch {
	case !cut:
		return fmt.Sprintf("with %s against %s, %s is %s%s.", c.Profile, c.Base, subject(g.Gate), finding, why)
	case strings.HasPrefix(finding, "no difference"):
		return fmt.Sprintf("no difference between %s and %s was found in %s (%s; %s)%s.", c.Profile, c.Base, subject(g.Gate), strings.TrimSuffix(detail, ")"), blocks, why)
	case g.Metric == "recovery.time":
		return fmt.Sprintf("%s recovers%s %s than %s%s (%s; %s)%s.", c.Profile, from(g.Gate), finding, c.Base, in(g.Gate), strings.TrimSuffix(detail, ")"), blocks, why)
	default:
		return fmt.Sprintf("with %s, %s is %s than with %s (%s; %s)%s.", c.Profile, subject(g.Gate), finding, c.Base, strings.TrimSuffix(detail, ")"), blocks, why)
	}
}

// comparing is the first gate that compares profiles.
func comparing(gates []Gate) *Gate {
	for i, g := range gates {
		if g.Compare != "" {
			return &gates[i]
		}
	}
	return nil
}

// tally counts the gates by verdict, where there are several.
func tally(r *Result) string {
	if len(r.Gates) < 2 {
		return ""
	}
	count := map[Verdict]int{}
	for _, g := range r.Gates {
		count[g.Verdict]++
	}
	var parts []string
	for _, v := range order {
		if count[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[v], v))
		}
	}
	if len(parts) == 1 {
		return fmt.Sprintf("All %d gates: %s.", len(r.Gates), r.Gates[0].Verdict)
	}
	return fmt.Sprintf("Of %d gates: %s.", len(r.Gates), strings.Join(parts, ", "))
}

// ran says what the run was.
func ran(r *Result) string {
	s := fmt.Sprintf("storm ran %s with %s %s", or(r.Run.Scenario, "the scenario"), plural(len(r.Profiles), "the profile", "the profiles"), listed(names(r)))
	if r.Run.Blocks > 0 {
		s += ", in " + plural(r.Run.Blocks, "one block", "%d blocks of random order")
	}
	if r.Run.Discarded > 0 {
		s += " after one that is not judged"
	}
	if n := tours(r); n > 0 {
		s += ", and " + plural(n, "one tour", "%d tours")
	}
	s += fmt.Sprintf("; %d of %s", r.Run.Valid, unit.Count(r.Run.Planned, "trial"))
	if r.Run.Planned == 1 {
		return s + " is valid."
	}
	return s + " are valid."
}

func tours(r *Result) (n int) {
	for _, t := range r.Trials {
		if t.Tour != "" {
			n++
		}
	}
	return n
}

func names(r *Result) []string {
	var out []string
	for _, p := range r.Profiles {
		out = append(out, p.Name)
	}
	return out
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	if strings.Contains(many, "%d") {
		return fmt.Sprintf(many, n)
	}
	return many
}

// listed joins names as prose does: a, b and c.
func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// capital begins a text with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// sentence ends a text with a full stop, if it has no end of its own.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}
