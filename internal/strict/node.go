package strict

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Kind is the kind of a Node.
type Kind int

// The kinds of Node.
const (
	Null Kind = iota
	Text
	Int
	Float
	Bool
	Map
	List
	// Refused stands where the file had something that Parse already
	// reported; it decodes to nothing, without a second problem.
	Refused
)

// Node is a value of a parsed file. A Node is never changed once made, so
// trees may share parts; every node knows the file it came from.
type Node struct {
	Kind   Kind
	Text   string  // of a scalar, as it was written
	Fields []Field // of a Map, in the file's order
	Items  []*Node // of a List
	Pos    Pos

	partial bool // some of a Map's keys were refused
}

// Field is one key of a Map with its value.
type Field struct {
	Name  string
	Pos   Pos // of the key
	Value *Node
}

// Get returns the value of a Map's key, or nil.
func (n *Node) Get(name string) *Node {
	if n == nil {
		return nil
	}
	for _, f := range n.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// Scalar says whether n is a single value.
func (n *Node) Scalar() bool {
	switch n.Kind {
	case Text, Int, Float, Bool:
		return true
	}
	return false
}

// Found describes n for a message: `the text "three"`, "a list".
func (n *Node) Found() string {
	switch n.Kind {
	case Null:
		return "nothing"
	case Text:
		return fmt.Sprintf("the text %q", clip(n.Text))
	case Int, Float:
		return "the number " + clip(n.Text)
	case Bool:
		return clip(n.Text)
	case Map:
		return "a mapping"
	case List:
		return "a list"
	}
	return "something refused"
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// YAML returns n as a YAML document.
func (n *Node) YAML() ([]byte, error) {
	out, err := yaml.Marshal(n.yaml())
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out, nil
}

func (n *Node) yaml() *yaml.Node {
	switch n.Kind {
	case Map:
		m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range n.Fields {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Name}
			m.Content = append(m.Content, key, f.Value.yaml())
		}
		return m
	case List:
		l := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range n.Items {
			l.Content = append(l.Content, item.yaml())
		}
		return l
	case Null, Refused:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case Text:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.Text}
	}
	tag := map[Kind]string{Int: "!!int", Float: "!!float", Bool: "!!bool"}[n.Kind]
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: n.Text}
}
