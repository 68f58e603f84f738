package strict

import "strconv"

// Value returns what n holds as encoding/json would: a nil, text, bool, int64,
// float64, []any or map[string]any.
func (n *Node) Value() any {
	switch n.Kind {
	case Map:
		m := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			m[f.Name] = f.Value.Value()
		}
		return m
	case List:
		l := make([]any, len(n.Items))
		for i, item := range n.Items {
			l[i] = item.Value()
		}
		return l
	case Bool:
		b, err := strconv.ParseBool(n.Text)
		if err == nil {
			return b
		}
	case Int:
		i, err := strconv.ParseInt(n.Text, 0, 64)
		if err == nil {
			return i
		}
	case Float:
		f, err := strconv.ParseFloat(n.Text, 64)
		if err == nil {
			return f
		}
	case Null, Refused:
		return nil
	}
	return n.Text
}
