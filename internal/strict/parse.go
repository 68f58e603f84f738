package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The bounds of what Parse reads; a scenario is a page or two.
const (
	maxBytes = 1 << 20
	maxDepth = 64
)

// Parse reads one YAML document. It refuses what makes a file mean something
// else than it seems to: a key given twice, aliases and merge keys (a profile's
// patch is the way to say "the same, but for"), tags, a second document, an
// empty file. The node returned beside problems holds what could be read; it
// is nil if nothing could.
func Parse(file string, src []byte) (*Node, Problems) {
	whole := func(line int, format string, args ...any) (*Node, Problems) {
		return nil, Problems{{Pos: Pos{File: file, Line: line}, Message: fmt.Sprintf(format, args...)}}
	}
	if len(src) > maxBytes {
		return whole(0, "is %d bytes long: at most %d are read", len(src), maxBytes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	doc, err := document(dec)
	switch {
	case errors.Is(err, io.EOF):
		return whole(0, "is empty")
	case err != nil:
		line, message := syntax(err, src)
		return whole(line, "not YAML: %s", message)
	case len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" && doc.Content[0].Value == "":
		return whole(0, "is empty")
	}
	r := &parser{file: file, aliases: map[string]bool{}}
	n := r.node(doc.Content[0], "", 0)
	switch second, err := document(dec); {
	case errors.Is(err, io.EOF):
	case err != nil:
		line, message := syntax(err, src)
		r.problems = append(r.problems, Problem{Pos: Pos{file, line, 0}, Message: "not YAML: " + message})
	default:
		r.problems = append(r.problems, Problem{Pos: Pos{file, second.Line, 0}, Message: "a second YAML document begins here: write one scenario a file"})
	}
	return n, r.problems
}

// document decodes the next document. The YAML library panics on some input
// that it should refuse, mostly around comments; to a user that is a syntax
// error like any other.
func document(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: cannot be parsed: %v", p)
		}
	}()
	doc = &yaml.Node{}
	return doc, dec.Decode(doc)
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: (?:line (\d+): )?((?s:.*))$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.+)' referenced$`)
)

// syntax finds the line and the reason in an error of the YAML library.
func syntax(err error, src []byte) (int, string) {
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ := strconv.Atoi(m[1])
	message := m[2]
	if line == 0 && !strings.Contains(message, "UTF") && !strings.Contains(message, "control characters") {
		line = 1 // the library leaves the first line's number out
	}
	if m[1] != "" && strings.HasPrefix(message, "did not find expected") {
		line++ // the library's parser counts from 0, its scanner from 1
	}
	lines := strings.Split(string(src), "\n")
	if a := unknownAnchor.FindStringSubmatch(message); a != nil {
		for i, l := range lines {
			if strings.Contains(l, "*"+a[1]) {
				return i + 1, fmt.Sprintf("the alias *%s stands for nothing; aliases are refused anyway: write the value out", a[1])
			}
		}
	}
	if line > len(lines) {
		line = len(lines)
	}
	if line > 0 {
		text := lines[line-1]
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if strings.Contains(indent, "\t") {
			return line, "the line is indented with a tab: YAML wants spaces"
		}
	}
	return line, message
}

// parser turns the library's nodes into ours.
type parser struct {
	file     string
	problems Problems
	aliases  map[string]bool // reported
}

func (r *parser) problem(y *yaml.Node, path, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: Pos{r.file, y.Line, y.Column}, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *parser) node(y *yaml.Node, path string, depth int) *Node {
	n := &Node{Kind: Refused, Pos: Pos{r.file, y.Line, y.Column}}
	if depth > maxDepth {
		r.problem(y, "", "is nested more than %d levels deep", maxDepth)
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		if !r.aliases[y.Value] {
			r.aliases[y.Value] = true
			r.problem(y, path, "the alias *%s is refused: write the value out, or put what differs into a profile's patch", clip(y.Value))
		}
	case yaml.MappingNode:
		if y.Tag != "!!map" {
			r.problem(y, path, "the tag %s is refused", clip(y.Tag))
			return n
		}
		n.Kind = Map
		r.mapping(n, y, path, depth)
	case yaml.SequenceNode:
		if y.Tag != "!!seq" {
			r.problem(y, path, "the tag %s is refused", clip(y.Tag))
			return n
		}
		n.Kind = List
		for i, item := range y.Content {
			n.Items = append(n.Items, r.node(item, at(path, i, label(item)), depth+1))
		}
	case yaml.ScalarNode:
		kind, ok := scalarKind(y)
		if !ok {
			r.problem(y, path, "the tag %s is refused", clip(y.Tag))
			return n
		}
		n.Kind, n.Text = kind, y.Value
	}
	return n
}

func (r *parser) mapping(n *Node, y *yaml.Node, path string, depth int) {
	first := map[string]int{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		switch {
		case key.Kind == yaml.ScalarNode && key.Tag == "!!merge":
			r.problem(key, path, "the merge key << is refused: write the fields out, or put what differs into a profile's patch")
			n.partial = true
			continue
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
			r.problem(key, path, "a key must be a text")
			n.partial = true
			continue
		}
		name := key.Value
		if line, twice := first[name]; twice {
			r.problem(key, under(path, name), "the key %q is given twice, first on line %d", clip(name), line)
			continue
		}
		first[name] = key.Line
		n.Fields = append(n.Fields, Field{name, Pos{r.file, key.Line, key.Column}, r.node(value, under(path, name), depth+1)})
	}
}

// scalarKind returns the kind of a scalar; ok is false for a tag of the
// user's own. Dates and the like, which YAML knows and storm does not, are texts.
func scalarKind(y *yaml.Node) (Kind, bool) {
	if y.Style&yaml.TaggedStyle != 0 {
		return Refused, false
	}
	switch y.Tag {
	case "!!null":
		return Null, true
	case "!!int":
		return Int, true
	case "!!float":
		return Float, true
	case "!!bool":
		return Bool, true
	}
	return Text, true
}

// label returns the name of a list's element, if it has one.
func label(y *yaml.Node) string {
	for i := 0; y.Kind == yaml.MappingNode && i+1 < len(y.Content); i += 2 {
		if k, v := y.Content[i], y.Content[i+1]; k.Value == "name" && v.Kind == yaml.ScalarNode {
			return v.Value
		}
	}
	return ""
}

// ParseValue reads a value given on a command line: a scalar, or a list or
// mapping in YAML's flow style. Its nodes have no lines; an empty text is null.
func ParseValue(origin, text string) (*Node, Problems) {
	if strings.TrimSpace(text) == "" {
		return &Node{Kind: Null, Pos: Pos{File: origin}}, nil
	}
	n, problems := Parse(origin, []byte(text))
	for i := range problems {
		problems[i].Pos = Pos{File: origin}
	}
	return n.without(), problems
}

// without returns a copy of n without lines.
func (n *Node) without() *Node {
	if n == nil {
		return nil
	}
	out := &Node{Kind: n.Kind, Text: n.Text, Pos: Pos{File: n.Pos.File}}
	for _, f := range n.Fields {
		out.Fields = append(out.Fields, Field{f.Name, Pos{File: f.Pos.File}, f.Value.without()})
	}
	for _, item := range n.Items {
		out.Items = append(out.Items, item.without())
	}
	return out
}
