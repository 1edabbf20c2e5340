package config

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// maxUnfolded bounds what aliases may stand for, in values: a few of them can
// stand for more than there is memory.
const maxUnfolded = 1 << 17

// unfolder puts in place of each alias the value that its anchor names, and in
// place of merge keys (<<) the pairs they stand for. What is wrong in such a
// value is told at the anchor, where it is written. An alias of nothing stays, for
// who decodes it to tell of.
type unfolder struct {
	r     *reader
	named map[string]unfolded // only of anchors whose value is complete, so that none holds itself
	over  bool                // more than maxUnfolded, which was told
}

// unfolded is a value without aliases and the number of values in it.
type unfolded struct {
	node ast.Node
	size int
}

// Unfold is the tree of a file that Parse has taken, without its anchors, aliases
// and merge keys.
func Unfold(n ast.Node) ast.Node { return (&reader{}).unfold(n) }

// unfold is n without anchors, aliases and merge keys.
func (r *reader) unfold(n ast.Node) ast.Node {
	u := unfolder{r: r, named: map[string]unfolded{}}
	return u.value(n).node
}

func (u *unfolder) value(n ast.Node) unfolded {
	switch n := n.(type) {
	case *ast.AnchorNode:
		v := u.value(n.Value)
		u.named[n.Name.GetToken().Value] = v
		return v
	case *ast.AliasNode:
		if v, ok := u.named[n.Value.GetToken().Value]; ok {
			return v
		}
	case *ast.SequenceNode:
		return u.sequence(n)
	case *ast.MappingNode:
		return u.mapping(n)
	case *ast.MappingValueNode:
		return u.mapping(ast.Mapping(n.Start, n.IsFlowStyle, n))
	case *ast.TagNode:
		v := u.value(n.Value)
		n.Value = v.node
		return unfolded{n, v.size}
	}
	return unfolded{n, 1}
}

func (u *unfolder) sequence(n *ast.SequenceNode) unfolded {
	size := 1
	for i, one := range n.Values {
		v := u.value(one)
		n.Values[i] = v.node
		if size += v.size; !u.fits(one, size) {
			n.Values = n.Values[:i]
			break
		}
	}
	return unfolded{n, size}
}

// mapping is n with the pairs of its merge keys behind its own, less those whose
// keys it has already.
func (u *unfolder) mapping(n *ast.MappingNode) unfolded {
	own, size := make([]*ast.MappingValueNode, 0, len(n.Values)), 1
	var merged []*ast.MappingValueNode
	for _, pair := range n.Values {
		v := u.value(pair.Value)
		if size += v.size; !u.fits(pair.Value, size) {
			break
		}
		if _, ok := pair.Key.(*ast.MergeKeyNode); ok {
			merged = u.merge(merged, v.node)
			continue
		}
		pair.Value = v.node
		own = append(own, pair)
	}
	for _, pair := range merged {
		if !slices.ContainsFunc(own, func(o *ast.MappingValueNode) bool { return keyOf(o) == keyOf(pair) }) {
			own = append(own, pair)
		}
	}
	out := ast.Mapping(n.Start, n.IsFlowStyle, own...)
	out.End = n.End
	return unfolded{out, size}
}

// merge adds the pairs of what stands behind <<: a mapping, or a list of them of
// which the first to have a key is right.
func (u *unfolder) merge(pairs []*ast.MappingValueNode, from ast.Node) []*ast.MappingValueNode {
	switch from := from.(type) {
	case *ast.MappingNode:
		return append(pairs, from.Values...)
	case *ast.SequenceNode:
		for _, one := range from.Values {
			m, ok := one.(*ast.MappingNode)
			if !ok {
				u.r.problem(one, "behind << there is no mapping", "name anchors of mappings: <<: [*a, *b]")
				continue
			}
			pairs = append(pairs, m.Values...)
		}
		return pairs
	}
	u.r.problem(from, "behind << there is no mapping", "name the anchor of one: <<: *a")
	return pairs
}

func keyOf(pair *ast.MappingValueNode) string { return pair.Key.GetToken().Value }

// fits tells whether so many values may be, and says once when they may not.
func (u *unfolder) fits(at ast.Node, size int) bool {
	if size > maxUnfolded && !u.over {
		u.over = true
		u.r.problem(at, fmt.Sprintf("aliases stand for more than %d values", maxUnfolded), "write fewer of them")
	}
	return size <= maxUnfolded
}
