package lib

import (
	"fmt"
	"math"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// args are the arguments of one call of a library function: strict, because
// a number where a text belongs is how telephone numbers lose their digits.
type args struct {
	L    *glua.LState
	name string // "b2b.re.match"
	skip int    // 1 for a method, whose argument 1 is the object
}

// function makes a Go function that scripts call.
func function(name string, f func(a args) int) glua.LGFunction {
	return func(L *glua.LState) int { return f(args{L, name, 0}) }
}

// method makes a function for a class of objects.
func method(name string, f func(a args) int) glua.LGFunction {
	return func(L *glua.LState) int { return f(args{L, name, 1}) }
}

// fail raises an error at the script's line. It does not return.
func (a args) fail(format string, values ...any) {
	lua.RaiseAt(a.L, "%s: %s", a.name, fmt.Sprintf(format, values...))
}

func (a args) at(n int) glua.LValue { return a.L.Get(n + a.skip) }
func (a args) has(n int) bool       { return a.at(n) != glua.LNil }
func (a args) give(v ...glua.LValue) int {
	for _, v := range v {
		a.L.Push(v)
	}
	return len(v)
}

func (a args) giveText(s string) int {
	lua.Charge(a.L, len(s))
	return a.give(glua.LString(s))
}

// giveFailure returns nil and the reason.
func (a args) giveFailure(reason string) int { return a.give(glua.LNil, glua.LString(reason)) }

func (a args) wrong(what, want string, got glua.LValue) {
	hint := ""
	if want == "a string" && got.Type() == glua.LTNumber {
		hint = "; write it in quotes, or use tostring"
	}
	a.fail("%s must be %s, not %s%s", what, want, kindOf(got), hint)
}

func kindOf(v glua.LValue) string {
	if v == glua.LNil {
		return "nil"
	}
	return "a " + v.Type().String()
}

func (a args) text(n int, what string) string { return a.asText(a.at(n), what) }

func (a args) asText(v glua.LValue, what string) string {
	s, ok := v.(glua.LString)
	if !ok {
		a.wrong(what, "a string", v)
	}
	return string(s)
}

// key is a text of 1 to most bytes.
func (a args) key(n int, what string, most int) string {
	s := a.text(n, what)
	if len(s) == 0 || len(s) > most {
		a.fail("%s must have 1 to %d bytes", what, most)
	}
	return s
}

func (a args) optText(n int, what, otherwise string) string {
	if !a.has(n) {
		return otherwise
	}
	return a.text(n, what)
}

func (a args) number(n int, what string) float64 { return a.asNumber(a.at(n), what) }

func (a args) asNumber(v glua.LValue, what string) float64 {
	f, ok := lua.ToNumber(v)
	if !ok {
		a.wrong(what, "a number", v)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		a.fail("%s must be a finite number", what)
	}
	return f
}

func (a args) optNumber(n int, what string, otherwise float64) float64 {
	if !a.has(n) {
		return otherwise
	}
	return a.number(n, what)
}

// whole is a whole number from lo to hi.
func (a args) whole(n int, what string, lo, hi int) int { return a.asWhole(a.at(n), what, lo, hi) }

func (a args) asWhole(v glua.LValue, what string, lo, hi int) int {
	f := a.asNumber(v, what)
	if f != math.Trunc(f) || f < float64(lo) || f > float64(hi) {
		a.fail("%s must be a whole number from %d to %d", what, lo, hi)
	}
	return int(f)
}

func (a args) optWhole(n int, what string, lo, hi, otherwise int) int {
	if !a.has(n) {
		return otherwise
	}
	return a.whole(n, what, lo, hi)
}

func (a args) table(n int, what string) *glua.LTable { return a.asTable(a.at(n), what) }

func (a args) asTable(v glua.LValue, what string) *glua.LTable {
	t, ok := v.(*glua.LTable)
	if !ok {
		a.wrong(what, "a table", v)
	}
	return t
}

// maxSeconds is what time spans may be at most: ten years.
const maxSeconds = 10 * 366 * 24 * 3600

// asSeconds is a time span.
func (a args) asSeconds(v glua.LValue, what string) time.Duration {
	f := a.asNumber(v, what)
	if f < 0 || f > maxSeconds {
		a.fail("%s must be 0 to %d seconds", what, maxSeconds)
	}
	return time.Duration(f * float64(time.Second))
}

// texts is a table of texts by name: at most 64, none with a line break.
// Numbers and booleans are taken as texts.
func (a args) texts(t *glua.LTable, what string) map[string]string {
	texts := map[string]string{}
	t.ForEach(func(k, v glua.LValue) {
		key := a.asText(k, "a name in "+what)
		switch v.(type) {
		case glua.LNumber, glua.LBool:
			v = glua.LString(v.String())
		}
		value := a.asText(v, what+"."+key)
		if len(texts) == 64 || strings.ContainsAny(key+value, "\r\n\x00") {
			a.fail("%s may have 64 entries, and none a line break", what)
		}
		texts[key] = value
	})
	return texts
}

// fields are a table of named options. Each is asked for once; done refuses
// what nobody asked for.
type fields struct {
	args
	of    string // "" or "cache."
	t     *glua.LTable
	known []string
}

func (a args) fields(t *glua.LTable, of string) *fields { return &fields{args: a, of: of, t: t} }

func (f *fields) get(name string) glua.LValue {
	f.known = append(f.known, name)
	return f.t.RawGetString(name)
}

func (f *fields) text(name string) string { return f.asText(f.get(name), f.of+name) }

func (f *fields) optText(name, otherwise string) string {
	v := f.get(name)
	if v == glua.LNil {
		return otherwise
	}
	return f.asText(v, f.of+name)
}

func (f *fields) seconds(name string, otherwise time.Duration) time.Duration {
	v := f.get(name)
	if v == glua.LNil {
		return otherwise
	}
	return f.asSeconds(v, f.of+name)
}

func (f *fields) whole(name string, lo, hi, otherwise int) int {
	v := f.get(name)
	if v == glua.LNil {
		return otherwise
	}
	return f.asWhole(v, f.of+name, lo, hi)
}

func (f *fields) texts(name string) map[string]string {
	v := f.get(name)
	if v == glua.LNil {
		return nil
	}
	return f.args.texts(f.asTable(v, f.of+name), f.of+name)
}

func (f *fields) sub(name string) *fields {
	v := f.get(name)
	if v == glua.LNil {
		return nil
	}
	return f.args.fields(f.asTable(v, f.of+name), f.of+name+".")
}

// done refuses unknown options.
func (f *fields) done() {
	known := make(map[string]bool, len(f.known))
	for _, k := range f.known {
		known[k] = true
	}
	f.t.ForEach(func(k, _ glua.LValue) {
		name, ok := k.(glua.LString)
		if ok && known[string(name)] {
			return
		}
		hint := "; there are " + strings.Join(f.known, ", ")
		if near := lua.Nearest(k.String(), f.known); near != "" {
			hint = ", did you mean '" + near + "'?"
		}
		f.fail("unknown option '%s%s'%s", f.of, k, hint)
	})
}
