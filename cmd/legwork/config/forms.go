package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"legwork/b2bua/message"
)

func (s *Secret) decode(r *reader, n ast.Node, name string) bool {
	text, ok := r.secret(n, name)
	*s = Secret(text)
	address := strings.HasSuffix(name, "url") || strings.HasSuffix(name, "dsn")
	if ok && text != "" && inPlain(n) && (!address || message.Mask(text) != text) {
		r.warnings = r.appended(r.warnings, place(n), name+": a secret stands here in plain", "write !file path, or ${NAME} of the environment")
	}
	return ok
}

// inPlain tells whether a value stands in the file itself.
func inPlain(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StringNode:
		return !strings.Contains(n.Value, "${")
	case *ast.LiteralNode:
		return !strings.Contains(n.Value.Value, "${")
	}
	return false
}

// decode takes a URI alone, or the mapping.
func (t *Target) decode(r *reader, n ast.Node, name string) bool {
	if m, ok := n.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() && strings.HasPrefix(it.Key().GetToken().Value, "sip") {
			r.problem(n, name+": a bare URI between brackets is taken for a mapping", "put it in quotes")
			return false
		}
		return r.structure(n, reflect.ValueOf(t).Elem(), field{key: name})
	}
	uri, ok := r.text(n, name)
	t.URI = uri
	m := place(n)
	m.wrong = !ok
	r.at[&t.URI] = m
	return ok
}

// decode takes a mapping; what else stands there is not shown, since it may be
// the password.
func (a *Auth) decode(r *reader, n ast.Node, name string) bool {
	if _, ok := n.(ast.MapNode); !ok {
		r.problem(n, name+": want a mapping", "write {user: ..., password: ...}")
		return false
	}
	return r.structure(n, reflect.ValueOf(a).Elem(), field{key: name})
}

// decode takes false, or the mapping.
func (t *TrunkTimer) decode(r *reader, n ast.Node, name string) bool {
	if on, ok := n.(*ast.BoolNode); ok {
		t.Off = !on.Value
		return t.Off || r.want(n, name, "a mapping of keys to values, or false")
	}
	return r.structure(n, reflect.ValueOf(t).Elem(), field{key: name})
}

func (p *Params) decode(r *reader, n ast.Node, name string) bool {
	*p = Params{}
	return r.pairs(n, name, func(key string, _, value ast.Node) {
		if v, ok := r.plain(value, join(name, key)); ok {
			(*p)[key] = v
		}
	})
}

// plain is a value of params.
func (r *reader) plain(n ast.Node, name string) (any, bool) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.TagNode:
		return r.secret(n, name)
	case *ast.BoolNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, !math.IsInf(n.Value, 0) || r.want(n, name, "a finite number")
	case *ast.IntegerNode:
		i, ok := n.Value.(int64)
		if u, big := n.Value.(uint64); big && u <= math.MaxInt64 {
			i, ok = int64(u), true
		}
		return i, ok || r.want(n, name, "a number of at most 64 bits")
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for i, elem := range n.Values {
			if v, ok := r.plain(elem, fmt.Sprintf("%s[%d]", name, i)); ok {
				list = append(list, v)
			}
		}
		return list, true
	case ast.MapNode:
		var inner Params
		ok := inner.decode(r, n.(ast.Node), name)
		return map[string]any(inner), ok
	}
	return nil, r.want(n, name, "a string, number, true, false, list or mapping")
}

func (rs *Responses) decode(r *reader, n ast.Node, name string) bool {
	return r.pairs(n, name, func(key string, at, value ast.Node) {
		if !isFrom(key) {
			r.problem(at, fmt.Sprintf("%s: %q does not name failures", name, key), `write a code from 300 to 699, "5xx", "400-499" or "*"`)
			return
		}
		if row, ok := r.response(key, value, join(name, key)); ok {
			*rs = append(*rs, row)
		}
	})
}

// response is the row that maps from to what n says.
func (r *reader) response(from string, n ast.Node, name string) (Response, bool) {
	row := Response{From: from}
	code, text := n, ast.Node(nil)
	switch n := n.(type) {
	case *ast.BoolNode:
		row.Pass = true
		return row, !n.Value || r.want(n, name, "a code, [code, text] or false")
	case *ast.SequenceNode:
		if len(n.Values) != 2 {
			return row, r.want(n, name, "a code, [code, text] or false")
		}
		code, text = n.Values[0], n.Values[1]
	}
	s, ok := r.figure(code, name, "a code, [code, text] or false")
	if !ok {
		return row, false
	}
	if row.Code, ok = failure(s); !ok {
		r.problem(code, fmt.Sprintf("%s: %q is not the code of a failure", name, s), "300 to 699")
		return row, false
	}
	if text == nil {
		return row, true
	}
	if row.Text, ok = r.text(text, name); ok && !isPrintable(row.Text) {
		r.problem(text, name+": control character in the text", "remove it")
		return row, false
	}
	return row, ok
}

// isFrom tells whether key is a code, a class, a range or "*".
func isFrom(key string) bool {
	if low, high, found := strings.Cut(key, "-"); found {
		from, ok := failure(low)
		to, also := failure(high)
		return ok && also && from <= to
	}
	if class, found := strings.CutSuffix(key, "xx"); found {
		return len(class) == 1 && class >= "3" && class <= "6"
	}
	_, ok := failure(key)
	return ok || key == "*"
}

func failure(s string) (int, bool) {
	code, err := strconv.Atoi(s)
	return code, err == nil && len(s) == 3 && code >= 300 && code <= 699
}

// isPrintable tells whether s may stand in one line of a SIP message.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
