package lib

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

const (
	maxJSON  = 1 << 20 // bytes, in and out
	maxDepth = 32
)

// openJSON makes the two things that Lua has no word for: null, and a list
// that may be empty.
func (x *library) openJSON(L *glua.LState) {
	mt := L.NewTable()
	mt.RawSetString("__metatable", glua.LString("b2b.json.null"))
	lua.Register(L, mt, map[string]glua.LGFunction{"__tostring": function("tostring", func(a args) int {
		return a.giveText("null")
	})})
	x.null = &glua.LUserData{Metatable: mt}
	x.array = L.NewTable()
	x.array.RawSetString("__metatable", glua.LString("b2b.json.array"))
}

func (x *library) json() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"encode": function("b2b.json.encode", func(a args) int {
			text, err := x.encodeJSON(a.at(1))
			if err != nil {
				a.fail("%v", err)
			}
			return a.giveText(string(text))
		}),
		"decode": function("b2b.json.decode", func(a args) int {
			v, err := x.decodeJSON(a.L, []byte(a.text(1, "the text")))
			if err != nil {
				return a.giveFailure(err.Error())
			}
			return a.give(v)
		}),
		"array": function("b2b.json.array", func(a args) int {
			t := a.table(1, "the list")
			if t.Metatable != glua.LNil && t.Metatable != x.array {
				a.fail("the list has a metatable of its own")
			}
			t.Metatable = x.array
			return a.give(t)
		}),
	}
}

// decodeJSON reads one value. Objects and lists become tables, null becomes
// b2b.json.null, numbers are floating point.
func (x *library) decodeJSON(L *glua.LState, text []byte) (glua.LValue, error) {
	if len(text) > maxJSON {
		return nil, fmt.Errorf("more than %d bytes of JSON", maxJSON)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return x.fromJSON(L, v, 0)
}

// What a table and a place in it are charged as; about what gopher-lua takes.
const (
	tableCost = 128
	entryCost = 80
)

func (x *library) fromJSON(L *glua.LState, v any, depth int) (glua.LValue, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("JSON is nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return x.null, nil
	case []any:
		lua.Charge(L, tableCost+len(v)*16)
		t := L.CreateTable(len(v), 0)
		t.Metatable = x.array
		for i, item := range v {
			value, err := x.fromJSON(L, item, depth+1)
			if err != nil {
				return nil, err
			}
			t.RawSetInt(i+1, value)
		}
		return t, nil
	case map[string]any:
		lua.Charge(L, tableCost+len(v)*entryCost)
		t := L.CreateTable(0, len(v))
		for name, item := range v {
			value, err := x.fromJSON(L, item, depth+1)
			if err != nil {
				return nil, err
			}
			t.RawSetString(name, value)
		}
		return t, nil
	}
	return lua.FromGo(L, v), nil
}

// encodeJSON writes a value: a table with the keys 1 to n, or one from
// b2b.json.array, is a list; any other, with strings as keys, an object with sorted names.
func (x *library) encodeJSON(v glua.LValue) ([]byte, error) {
	w := jsonWriter{x: x}
	w.value(v, 0)
	return w.text, w.err
}

type jsonWriter struct {
	x    *library
	text []byte
	err  error
}

func (w *jsonWriter) fail(format string, values ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, values...)
	}
}

func (w *jsonWriter) value(v glua.LValue, depth int) {
	switch {
	case w.err != nil:
		return
	case depth > maxDepth:
		w.fail("tables are nested deeper than %d, or contain themselves", maxDepth)
		return
	case len(w.text) > maxJSON:
		w.fail("more than %d bytes of JSON", maxJSON)
		return
	}
	switch v := v.(type) {
	case glua.LString:
		w.string(string(v))
	case glua.LBool:
		w.text = strconv.AppendBool(w.text, bool(v))
	case glua.LNumber:
		number, err := json.Marshal(float64(v))
		if err != nil {
			w.fail("a number is not finite")
		}
		w.text = append(w.text, number...)
	case *glua.LTable:
		w.table(v, depth)
	default:
		if v != w.x.null {
			w.fail("cannot write %s; use b2b.json.null for null", kindOf(v))
		}
		w.text = append(w.text, "null"...)
	}
}

func (w *jsonWriter) string(s string) {
	if !utf8.ValidString(s) {
		w.fail("a string is not UTF-8")
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		w.fail("%w", err)
	}
	w.text = append(w.text, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

var errMixedKeys = errors.New("a table has keys that are neither all strings nor 1 to n")

func (w *jsonWriter) table(t *glua.LTable, depth int) {
	n, names, others := t.Len(), []string(nil), 0
	t.ForEach(func(k, _ glua.LValue) {
		if s, ok := k.(glua.LString); ok {
			names = append(names, string(s))
			return
		}
		others++
	})
	isList := n > 0 || t.Metatable == w.x.array
	switch {
	case isList && (len(names) > 0 || others != n), !isList && others > 0:
		w.fail("%w", errMixedKeys)
	case isList:
		w.list(t, n, depth)
	default:
		w.object(t, names, depth)
	}
}

func (w *jsonWriter) list(t *glua.LTable, n, depth int) {
	w.text = append(w.text, '[')
	for i := 1; i <= n && w.err == nil; i++ {
		if i > 1 {
			w.text = append(w.text, ',')
		}
		w.value(t.RawGetInt(i), depth+1)
	}
	w.text = append(w.text, ']')
}

func (w *jsonWriter) object(t *glua.LTable, names []string, depth int) {
	slices.Sort(names)
	w.text = append(w.text, '{')
	for i, name := range names {
		if w.err != nil {
			return
		}
		if i > 0 {
			w.text = append(w.text, ',')
		}
		w.string(name)
		w.text = append(w.text, ':')
		w.value(t.RawGetString(name), depth+1)
	}
	w.text = append(w.text, '}')
}
