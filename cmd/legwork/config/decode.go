package config

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder is a type with a form of its own in the file.
type decoder interface {
	// decode reads n, tells r of each problem, and says whether the value may
	// be used. name is the path of keys to it.
	decode(r *reader, n ast.Node, name string) bool
}

// value decodes n into v and marks where it stood. f describes v; f.key is the
// path of keys to it.
func (r *reader) value(n ast.Node, v reflect.Value, f field) {
	m := place(n)
	m.wrong = !r.decode(n, v, f)
	r.at[v.Addr().Interface()] = m
}

func (r *reader) decode(n ast.Node, v reflect.Value, f field) bool {
	if d, ok := v.Addr().Interface().(decoder); ok {
		return d.decode(r, n, f.key)
	}
	switch v.Type() {
	case durationType:
		return r.duration(n, v, f)
	case secondsType:
		return r.seconds(n, v, f)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return r.optional(n, v, f)
	case reflect.Bool:
		return r.boolean(n, v, f)
	case reflect.Struct:
		return r.structure(n, v, f)
	case reflect.Map:
		return r.mapping(n, v, f)
	case reflect.Slice:
		return r.list(n, v, f)
	case reflect.Int:
		return r.integer(n, v, f)
	case reflect.String:
		return r.word(n, v, f)
	default:
		panic("config: no form for " + v.Type().String())
	}
}

func (r *reader) structure(n ast.Node, v reflect.Value, f field) bool {
	known, later := fields(v.Type())
	return r.pairs(n, f.key, func(key string, at, value ast.Node) {
		i := slices.IndexFunc(known, func(f field) bool { return f.key == key })
		switch {
		case i >= 0:
			inner := known[i]
			inner.key = join(f.key, key)
			r.value(value, v.Field(inner.index), inner)
		case slices.Contains(idle(v.Type()), key):
			m := place(at)
			r.warnings = r.appended(r.warnings, m, fmt.Sprintf("%s is not used by this version", join(f.key, key)), "remove it")
		case slices.Contains(later, key) && isEmpty(value): // which is how things are
		case slices.Contains(later, key):
			r.problem(at, fmt.Sprintf("%q is not supported yet by this version", key), "remove it")
		default:
			r.problem(at, fmt.Sprintf("unknown key %q", key), didYouMean(key, keys(known)))
		}
	})
}

// isEmpty tells whether n is "", which switches off what its key is for.
func isEmpty(n ast.Node) bool {
	s, ok := n.(*ast.StringNode)
	return ok && s.Value == ""
}

// optional makes what a pointer is for; a key without a value leaves it nil.
func (r *reader) optional(n ast.Node, v reflect.Value, f field) bool {
	if n.Type() == ast.NullType {
		return true
	}
	v.Set(reflect.New(v.Type().Elem()))
	r.value(n, v.Elem(), f)
	return !r.at[v.Interface()].wrong
}

func (r *reader) boolean(n ast.Node, v reflect.Value, f field) bool {
	switch n := n.(type) {
	case *ast.BoolNode:
		v.SetBool(n.Value)
		return true
	case *ast.StringNode: // of a variable
		s, ok := r.text(n, f.key)
		if ok && s != "true" && s != "false" {
			r.problem(n, fmt.Sprintf("%s: want true or false, not %q", f.key, s), "write one of them, without quotes")
			return false
		}
		v.SetBool(s == "true")
		return ok
	}
	return r.want(n, f.key, "true or false")
}

// pairs calls each for the pairs of a mapping, or tells that n is none. A key
// without a value is as good as no key.
func (r *reader) pairs(n ast.Node, name string, each func(key string, at, value ast.Node)) bool {
	if n.Type() == ast.NullType {
		return true
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		return r.want(n, name, "a mapping of keys to values")
	}
	seen := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		at := it.Key()
		key, ok := r.key(at)
		if !ok {
			continue
		}
		if line, twice := seen[key]; twice {
			r.problem(at, fmt.Sprintf("key %q stands in line %d already", key, line), "remove one of them")
			continue
		}
		seen[key] = place(at).line
		each(key, at, it.Value())
	}
	return true
}

func (r *reader) key(n ast.MapKeyNode) (string, bool) {
	switch n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return n.GetToken().Value, true
	default:
		r.problem(n, "a key must be a word", "write key: value")
	}
	return "", false
}

func (r *reader) mapping(n ast.Node, v reflect.Value, f field) bool {
	v.Set(reflect.MakeMap(v.Type()))
	return r.pairs(n, f.key, func(key string, at, value ast.Node) {
		inner := field{key: join(f.key, key)}
		elem := reflect.New(v.Type().Elem())
		if v.Type().Elem().Kind() == reflect.Pointer {
			elem.Elem().Set(reflect.New(v.Type().Elem().Elem()))
			r.value(value, elem.Elem().Elem(), inner)
		} else {
			r.value(value, elem.Elem(), inner)
		}
		v.SetMapIndex(reflect.ValueOf(key), elem.Elem())
		m := place(at)
		r.at[entry{v.Addr().Interface(), key}] = m
	})
}

func (r *reader) list(n ast.Node, v reflect.Value, f field) bool {
	v.SetZero()
	if n.Type() == ast.NullType {
		return true
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return r.want(n, f.key, "a list")
	}
	if len(seq.Values) == 0 {
		return true
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, elem := range seq.Values {
		r.value(elem, v.Index(i), field{key: fmt.Sprintf("%s[%d]", f.key, i), enum: f.enum})
	}
	return true
}

func (r *reader) word(n ast.Node, v reflect.Value, f field) bool {
	switch n.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		if len(f.enum) > 0 {
			r.problem(n, fmt.Sprintf("%s: unknown value %q", f.key, n.GetToken().Value), "known: "+strings.Join(f.enum, ", "))
			return false
		}
	}
	s, ok := r.text(n, f.key)
	if !ok {
		return false
	}
	switch {
	case len(f.enum) == 0 || slices.Contains(f.enum, s):
		v.SetString(s)
		return true
	case slices.Contains(f.later, s):
		r.problem(n, fmt.Sprintf("%s %q is not supported yet by this version", f.key, s), "known: "+strings.Join(f.enum, ", "))
	default:
		r.problem(n, fmt.Sprintf("%s: unknown value %q", f.key, s), didYouMean(s, f.enum))
	}
	return false
}

func (r *reader) integer(n ast.Node, v reflect.Value, f field) bool {
	s, ok := r.figure(n, f.key, "a whole number")
	if !ok {
		return false
	}
	i, err := strconv.Atoi(s)
	if err != nil || !decimal.MatchString(s) || i > math.MaxInt32 {
		r.problem(n, fmt.Sprintf("%s: want a whole number, not %q", f.key, s), wholeCure)
		return false
	}
	if low, err := strconv.Atoi(f.min); err == nil && i < low {
		r.problem(n, fmt.Sprintf("%s: %d is too small", f.key, i), "at least "+f.min)
		return false
	}
	if high, err := strconv.Atoi(f.max); err == nil && i > high {
		r.problem(n, fmt.Sprintf("%s: %d is too large", f.key, i), "at most "+f.max)
		return false
	}
	v.SetInt(int64(i))
	return true
}

// decimal has no leading zero: YAML 1.1 reads 010 as eight, people do not.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// figure is the text of a number or a duration, which ${NAME} may stand for.
func (r *reader) figure(n ast.Node, name, what string) (string, bool) {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	case *ast.StringNode:
		return r.text(n, name)
	}
	return "", r.want(n, name, what)
}

// want tells that n has the wrong type, and is false.
func (r *reader) want(n ast.Node, name, what string) bool {
	if name == "" {
		name = "the file"
	}
	cure := cureFor(n, what)
	got := "nothing"
	switch n.(type) {
	case *ast.NullNode:
	case *ast.MappingNode, *ast.MappingValueNode:
		got = "a mapping" // as 2001:db8::1 is between brackets
	case *ast.SequenceNode:
		got = "a list"
	case *ast.AliasNode:
		r.problem(n, name+": an alias of an anchor that is not above it", "put a value that begins with * in quotes, or write & and its name where the value stands")
		return false
	case *ast.TagNode:
		r.problem(n, fmt.Sprintf("%s: tag %q is not taken here", name, n.GetToken().Value), "!file is for tokens, passwords and params")
		return false
	default:
		got = strconv.Quote(n.GetToken().Value)
	}
	r.problem(n, fmt.Sprintf("%s: want %s, not %s", name, what, got), cure)
	return false
}

func join(path, key string) string {
	if strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c == '.' }) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
