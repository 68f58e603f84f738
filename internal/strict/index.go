package strict

import (
	"strconv"
	"strings"
)

// Index finds where in its files each field of a document stands, so that a
// check on decoded values can name the place. Its keys are paths with the
// numbers of list elements: spec.workloads[1].eventChurn.rate.
type Index map[string]place

type place struct {
	pos  Pos
	path string // with the names of list elements: spec.workloads[churn].eventChurn.rate
}

// NewIndex returns the index of a document.
func NewIndex(root *Node) Index {
	ix := Index{}
	ix.add(root, "", "")
	return ix
}

func (ix Index) add(n *Node, key, path string) {
	if n == nil {
		return
	}
	ix[key] = place{n.Pos, path}
	for _, f := range n.Fields {
		ix.add(f.Value, under(key, f.Name), under(path, f.Name))
	}
	for i, item := range n.Items {
		ix.add(item, at(key, i, ""), at(path, i, item.name()))
	}
}

// Has says whether the field is in the document.
func (ix Index) Has(key string) bool {
	_, ok := ix[key]
	return ok
}

// Problem returns a problem with a field; one that is not in the document is
// placed where the nearest field around it stands.
func (ix Index) Problem(key, message string) Problem {
	around, rest := key, ""
	for {
		p, ok := ix[around]
		if ok || around == "" {
			return Problem{Pos: p.pos, Path: strings.TrimPrefix(p.path+rest, "."), Message: message}
		}
		i := strings.LastIndexAny(around, ".[")
		if i < 0 {
			around, rest = "", "."+around+rest
			continue
		}
		around, rest = around[:i], around[i:]+rest
	}
}

// name returns the name of a list's element, if it has one.
func (n *Node) name() string {
	if v := n.Get("name"); v != nil && v.Scalar() {
		return v.Text
	}
	return ""
}

// at returns the path of a list's element, by its name if it has one.
func at(path string, i int, name string) string {
	if name == "" {
		name = strconv.Itoa(i)
	}
	return path + "[" + clip(name) + "]"
}

// under returns the path of a map's field.
func under(path, name string) string {
	if path == "" {
		return clip(name)
	}
	return path + "." + clip(name)
}
