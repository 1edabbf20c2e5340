package luatest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// equal is t.eq(got, want[, text]): tables are equal when what they hold is;
// objects also equal their text.
func equal(L *glua.LState) int {
	got, want := L.Get(1), L.Get(2)
	if !same(L, got, want) {
		fail(L, 3, "expected %s, got %s", show(L, want), show(L, got))
	}
	return 0
}

// truthy is t.ok(value[, text]).
func truthy(L *glua.LState) int {
	if v := L.Get(1); !glua.LVAsBool(v) {
		fail(L, 2, "expected something true, got %s", show(L, v))
	}
	return 0
}

// matches is t.match(text, pattern[, text]).
func (l *library) matches(L *glua.LState) int {
	s, ok := L.Get(1).(glua.LString)
	if !ok && L.Get(1).Type() != glua.LTNumber && L.Get(1).Type() != glua.LTUserData {
		fail(L, 3, "expected a match of %s, got %s", show(L, L.Get(2)), show(L, L.Get(1)))
	}
	if !ok {
		s = glua.LString(textOf(L, L.Get(1)))
	}
	if !l.matched(L, string(s), L.Get(2)) {
		fail(L, 3, "expected a match of %s, got %s", show(L, L.Get(2)), show(L, s))
	}
	return 0
}

func (l *library) matched(L *glua.LState, s string, pattern glua.LValue) bool {
	if pattern.Type() != glua.LTString {
		lua.RaiseAt(L, "want a pattern, got %s", kindOf(pattern))
	}
	L.Push(l.match)
	L.Push(glua.LString(s))
	L.Push(pattern)
	L.Call(2, 1)
	found := L.Get(-1) != glua.LNil
	L.Pop(1)
	return found
}

// raises is t.raises(fn[, pattern]): fn must end with an error whose text
// matches.
func (l *library) raises(L *glua.LState) int {
	fn, ok := L.Get(1).(*glua.LFunction)
	if !ok {
		lua.RaiseAt(L, "t.raises(fn[, pattern]): want a function, got %s", kindOf(L.Get(1)))
	}
	L.Push(l.pcall)
	L.Push(fn)
	L.Call(1, 2)
	fine, err := L.Get(-2), L.Get(-1)
	L.Pop(2)
	if glua.LVAsBool(fine) {
		fail(L, 3, "expected an error, got none")
	}
	if pattern := L.Get(2); pattern != glua.LNil && !l.matched(L, err.String(), pattern) {
		fail(L, 3, "expected an error that matches %s, got %s", show(L, pattern), show(L, err))
	}
	return 0
}

// fail ends the test at the line that asked; what the test says about it, as
// argument n, comes first.
func fail(L *glua.LState, n int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if said, ok := L.Get(n).(glua.LString); ok {
		text = string(said) + ": " + text
	}
	lua.RaiseAt(L, "%s", assertion+text)
}

// assertion marks the errors of fail, which need no traceback.
const assertion = "\x00"

func same(L *glua.LState, a, b glua.LValue) bool {
	if a == b {
		return true
	}
	_, objectA := a.(*glua.LUserData)
	_, objectB := b.(*glua.LUserData)
	if objectA && (objectB || b.Type() == glua.LTString) || objectB && a.Type() == glua.LTString {
		return L.ToStringMeta(a).String() == L.ToStringMeta(b).String()
	}
	if a.Type() != glua.LTTable || b.Type() != glua.LTTable {
		return false
	}
	x, errA := lua.ToGo(a)
	y, errB := lua.ToGo(b)
	return errA == nil && errB == nil && reflect.DeepEqual(x, y)
}

// inLua writes a plain value as a script would.
func inLua(v any) string {
	var parts []string
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		for _, one := range v {
			parts = append(parts, inLua(one))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			name := key
			if !isName(key) {
				name = "[" + strconv.Quote(key) + "]"
			}
			parts = append(parts, name+" = "+inLua(v[key]))
		}
	default:
		return fmt.Sprint(v)
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// isName tells whether a key needs no quotes.
func isName(key string) bool {
	for i, c := range key {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return key != ""
}

// maxShown bounds one value in a message.
const maxShown = 400

func show(L *glua.LState, v glua.LValue) string {
	text := ""
	switch v := v.(type) {
	case glua.LString:
		text = strconv.Quote(string(v))
	case *glua.LUserData:
		text = L.ToStringMeta(v).String()
	case *glua.LTable:
		plain, err := lua.ToGo(v)
		if err != nil {
			return "a table"
		}
		text = inLua(plain)
	case *glua.LFunction:
		return "a function"
	default:
		text = v.String()
	}
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}
