package render

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/report"
)

// The elements of JUnit's XML that CI systems read. There is no standard; this
// is the common ground of Jenkins, GitLab, GitHub's reporters and Testgrid.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitOutcome `xml:"failure"`
		Error   *junitOutcome `xml:"error"`
		Skipped *junitOutcome `xml:"skipped"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitOutcome struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes every gate and profile as a test case: regressed is a failure,
// invalid an error, inconclusive skipped with its reason. The first case is the
// run itself, so that a run which could not be judged is never all green.
func JUnit(w io.Writer, r *report.Result) error {
	r = tame(r, maxText)
	class := "storm." + r.Run.Scenario
	suite := junitSuite{
		Name: class, Time: junitTime(r), Out: strings.Join(r.Headline, " "),
		Properties: []junitProperty{
			{"verdict", string(r.Verdict)}, {"run", r.Run.ID}, {"seed", strconv.FormatInt(r.Run.Seed, 10)},
			{"storm", r.Run.Storm}, {"repeat", r.Run.Repeat},
		},
	}
	if !r.Run.Started.IsZero() {
		suite.Timestamp = r.Run.Started.UTC().Format("2006-01-02T15:04:05")
	}
	suite.Cases = append(suite.Cases, runCase(r, class))
	for _, g := range r.Gates {
		for _, res := range judgedOrNone(g) {
			suite.Cases = append(suite.Cases, gateCase(r, g, res, class))
		}
	}
	for _, c := range suite.Cases {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	suites := junitSuites{
		Name: "storm", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Skipped: suite.Skipped,
		Time: suite.Time, Suites: []junitSuite{suite},
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// judgedOrNone are a gate's results, or one made of the gate itself where it
// was judged on no profile.
func judgedOrNone(g report.Gate) []report.Judged {
	if len(g.Results) > 0 {
		return g.Results
	}
	return []report.Judged{{Verdict: g.Verdict, Reason: g.Reason}}
}

// runCase is an error where the run as a whole allows no verdict.
func runCase(r *report.Result, class string) junitCase {
	c := junitCase{Class: class, Name: "the run is complete and can be judged", Time: junitTime(r)}
	unsound := r.Verdict == report.Invalid && !anyInvalid(r.Gates)
	if !r.Run.Complete || r.Run.Valid == 0 || unsound {
		message := trialsSentence(r) + "; the run is " + r.Run.Outcome
		if r.Run.Error != "" {
			message += ": " + r.Run.Error
		}
		c.Error = &junitOutcome{Message: message, Type: "incomplete", Text: strings.Join(r.Headline, " ")}
	}
	return c
}

func anyInvalid(gates []report.Gate) bool {
	for _, g := range gates {
		if g.Verdict == report.Invalid {
			return true
		}
	}
	return false
}

func gateCase(r *report.Result, g report.Gate, res report.Judged, class string) junitCase {
	name := g.Title
	if res.Profile != "" {
		name += " [" + res.Profile + "]"
	}
	c := junitCase{Class: class, Name: name, Time: "0"}
	reason := res.Reason
	text := plain(fmt.Sprintf("%s: %s. Found: %s", capital(g.Subject()), threshold(g), ended(res.Reason)))
	for _, n := range gateNotes(r, g) {
		text += " " + sentence(n)
	}
	switch res.Verdict {
	case report.Regressed:
		c.Failure = &junitOutcome{Message: reason, Type: "regressed", Text: text}
	case report.Inconclusive:
		c.Skipped = &junitOutcome{Message: "inconclusive: " + reason}
	case report.Pass, report.Improved:
		c.Out = text
	default:
		c.Error = &junitOutcome{Message: reason, Type: "invalid", Text: text}
	}
	return c
}

// junitTime is the run's duration in seconds, 0 where it is not known.
func junitTime(r *report.Result) string {
	if r.Run.Finished.IsZero() || r.Run.Started.IsZero() {
		return "0"
	}
	return strconv.FormatFloat(r.Run.Finished.Sub(r.Run.Started).Seconds(), 'f', 1, 64)
}
