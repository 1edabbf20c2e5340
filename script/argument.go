package script

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// Arguments are read strictly: a wrong type or an unknown key is an error at
// the script's line. None of these functions returns then.

type (
	getter[T any] = func(L *glua.LState, self T) glua.LValue
	setter[T any] = func(L *glua.LState, self T, v glua.LValue)
)

// toString is what tostring(object) says.
func toString[T any](of func(T) string) map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"__tostring": func(L *glua.LState) int {
		L.Push(glua.LString(of(self[T](L, "this object"))))
		return 1
	}}
}

// withEqual adds ==: objects are made anew each time a script asks for them.
func withEqual[T any](meta map[string]glua.LGFunction, same func(a, b T) bool) map[string]glua.LGFunction {
	meta["__eq"] = func(L *glua.LState) int {
		other, ok := L.Get(2).(*glua.LUserData)
		if !ok {
			L.Push(glua.LFalse)
			return 1
		}
		b, ok := other.Value.(T)
		L.Push(glua.LBool(ok && same(self[T](L, "this object"), b)))
		return 1
	}
	return meta
}

// self is the object a method was called on.
func self[T any](L *glua.LState, class string) T {
	if ud, ok := L.Get(1).(*glua.LUserData); ok {
		if v, ok := ud.Value.(T); ok {
			return v
		}
	}
	lua.RaiseAt(L, "this is a method of %s: call it with a colon", class)
	panic("unreachable")
}

func must(L *glua.LState, err error) {
	if err != nil {
		lua.RaiseAt(L, "%s", err.Error())
	}
}

// textOf accepts strings, numbers, and the objects that are text: a URI, an
// address.
func textOf(v glua.LValue) (string, bool) {
	switch v := v.(type) {
	case glua.LString:
		return string(v), true
	case glua.LNumber:
		return plain(float64(v)), true
	case *glua.LUserData:
		switch object := v.Value.(type) {
		case *uriView:
			return object.String(), true
		case *addrView:
			return object.untagged(), true
		}
	}
	return "", false
}

// plain writes whole numbers without a point or exponent.
func plain(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'g', 14, 64)
}

func wantText(L *glua.LState, v glua.LValue) string {
	s, ok := textOf(v)
	if !ok {
		lua.RaiseAt(L, "want a string, got %s", kindOf(v))
	}
	return s
}

// wantValues reads the value of a header: nil for none, one, or a list.
func wantValues(L *glua.LState, v glua.LValue) []string {
	if v == glua.LNil {
		return nil
	}
	if t, ok := v.(*glua.LTable); ok {
		return listOf(L, t)
	}
	return []string{wantText(L, v)}
}

// wantNames reads a list of names, or one.
func wantNames(L *glua.LState, v glua.LValue) []string {
	if v == glua.LNil {
		lua.RaiseAt(L, "want a list of names")
	}
	return wantValues(L, v)
}

// maxList bounds the lists that a script hands over.
const maxList = 1000

func listOf(L *glua.LState, t *glua.LTable) []string {
	n := t.Len()
	if n > maxList {
		lua.RaiseAt(L, "a list of %d: at most %d are taken", n, maxList)
	}
	list := make([]string, 0, n)
	for i := 1; i <= n; i++ {
		list = append(list, wantText(L, t.RawGetInt(i)))
	}
	t.ForEach(func(k, _ glua.LValue) {
		if _, ok := k.(glua.LNumber); !ok {
			lua.RaiseAt(L, "want a list, got a table with the key %q", k.String())
		}
	})
	return list
}

func wantInt(L *glua.LState, v glua.LValue) int {
	n, ok := lua.ToNumber(v)
	if !ok || n != math.Trunc(n) || math.Abs(n) > 1<<31 {
		lua.RaiseAt(L, "want a whole number, got %s", kindOf(v))
	}
	return int(n)
}

// kindOf names a value in an error.
func kindOf(v glua.LValue) string {
	switch v := v.(type) {
	case *glua.LUserData:
		switch object := v.Value.(type) {
		case *messageView:
			return "a message"
		case *uriView:
			return "a URI"
		case *addrView:
			return "an address"
		case *decision:
			return object.name
		case *callView:
			return "a " + object.kind()
		case legView:
			return "a leg"
		}
		return "an object"
	case *glua.LNilType:
		return "nil"
	case glua.LNumber:
		return plain(float64(v))
	}
	return "a " + v.Type().String()
}

// closure makes a Go function for a script, an iterator for instance.
func closure(L *glua.LState, fn glua.LGFunction) *glua.LFunction {
	lua.Charge(L, 256)
	return L.NewFunction(lua.Protect(fn))
}

// form is a table argument with named keys.
type form struct {
	L    *glua.LState
	t    *glua.LTable
	what string
}

func (f form) fail(format string, args ...any) {
	lua.RaiseAt(f.L, "%s: %s", f.what, fmt.Sprintf(format, args...))
}

// only refuses keys that are not known, with the one that was meant.
func (f form) only(known ...string) {
	f.t.ForEach(func(k, _ glua.LValue) {
		if name := k.String(); !slices.Contains(known, name) || k.Type() != glua.LTString {
			f.fail("unknown key %q%s", name, meant(name, known))
		}
	})
}

// meant is "; did you mean ...?", or else the names there are.
func meant(name string, known []string) string {
	return cmp.Or(near(name, known), lua.Listed(known))
}

// near is "; did you mean ...?" or nothing.
func near(name string, known []string) string {
	if near := lua.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func (f form) get(key string) glua.LValue { return f.t.RawGetString(key) }

// text is "" when the key is not there.
func (f form) text(key string) string {
	v := f.get(key)
	if v == glua.LNil {
		return ""
	}
	s, ok := textOf(v)
	if !ok {
		f.fail("%s is %s; want a string", key, kindOf(v))
	}
	return s
}

// maxSeconds bounds every duration of a script: a week.
const maxSeconds = 7 * 24 * 3600

// seconds is 0 when the key is not there.
func (f form) seconds(key string) time.Duration {
	v := f.get(key)
	if v == glua.LNil {
		return 0
	}
	n, ok := lua.ToNumber(v)
	if !ok || !(n > 0) || n > maxSeconds {
		f.fail("%s is %s; want seconds, more than 0 and at most %d", key, kindOf(v), maxSeconds)
	}
	return max(time.Duration(n*float64(time.Second)), time.Millisecond)
}

func (f form) integer(key string, low, high int) int {
	v := f.get(key)
	if v == glua.LNil {
		return 0
	}
	n, ok := lua.ToNumber(v)
	if !ok || n != math.Trunc(n) || n < float64(low) || n > float64(high) {
		f.fail("%s is %s; want a whole number from %d to %d", key, kindOf(v), low, high)
	}
	return int(n)
}

func (f form) boolean(key string) bool {
	v := f.get(key)
	b, ok := v.(glua.LBool)
	if v != glua.LNil && !ok {
		f.fail("%s is %s; want true or false", key, kindOf(v))
	}
	return bool(b)
}

// choice reads one of a few words; "" when the key is not there. A caller per
// key of each route: the words are one text so that it costs nothing.
func (f form) choice(key, words, later string) string {
	if f.get(key) == glua.LNil {
		return ""
	}
	s, known := f.text(key), strings.Fields(words)
	switch {
	case slices.Contains(known, s):
	case slices.Contains(strings.Fields(later), s):
		f.fail("%s = %q is not supported yet by this version", key, s)
	default:
		f.fail("%s is %q; want one of %v%s", key, s, known, near(s, known))
	}
	return s
}

func (f form) names(key string) []string {
	if v := f.get(key); v != glua.LNil {
		return wantNames(f.L, v)
	}
	return nil
}
