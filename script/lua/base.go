package lua

import (
	"cmp"
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// openGlobals makes what a script sees. Scripts get an empty table as their
// environment that reads through to the globals and refuses to be written.
func (v *VM) openGlobals() {
	L := v.main
	globals := L.NewTable()
	glua.OpenBase(L)
	for _, name := range []string{"ipairs", "next", "pairs", "rawequal", "rawget", "select", "type"} {
		globals.RawSetString(name, L.G.Global.RawGetString(name))
	}
	L.SetTop(0)
	L.G.Global = L.NewTable()
	L.Env = L.G.Global
	Register(L, globals, map[string]glua.LGFunction{
		"assert": assert, "error": raise, "getmetatable": getMetatable, "pcall": pcall, "print": v.print,
		"require": v.require, "setmetatable": setMetatable, "tonumber": toNumber, "tostring": toString,
		"rawset": rawSet, "unpack": unpack, "xpcall": xpcall,
	})
	globals.RawSetString("_VERSION", glua.LString("Lua 5.1"))
	v.env = v.environment(globals)
	globals.RawSetString("_G", v.env)

	text := stringLibrary(L)
	Register(L, text, v.cfg.Strings)
	L.SetMetatable(glua.LString(""), locked(L, text))
	for name, lib := range map[string]*glua.LTable{
		"string": text, "table": tableLibrary(L), "math": mathLibrary(L, v.cfg.Rand), "os": v.osLibrary(L),
	} {
		globals.RawSetString(name, ReadOnly(L, name, lib))
	}
	for _, name := range v.cfg.Globals {
		globals.RawSetString(name, v.library(L, name))
	}
	globals.ForEach(func(name, _ glua.LValue) { v.names = append(v.names, name.String()) })
}

// Register puts functions into a table, each made safe by Protect.
func Register(L *glua.LState, into *glua.LTable, functions map[string]glua.LGFunction) {
	for name, fn := range functions {
		into.RawSetString(name, L.NewFunction(Protect(fn)))
	}
}

// Protect makes a binding that panics end its run, and its VM, instead of the
// process; a pcall of the script does not hide it.
func Protect(fn glua.LGFunction) glua.LGFunction {
	return func(L *glua.LState) int {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if _, ok := p.(*glua.ApiError); ok || fmt.Sprint(p) == "lua "+stackOverflow {
				panic(p)
			}
			if t := taskOf(L); t != nil {
				t.stop(ErrPanic, "internal error: %v", p)
			}
			RaiseAt(L, "internal error: %v", p)
		}()
		return fn(L)
	}
}

// environment is what scripts see as their globals.
func (v *VM) environment(globals *glua.LTable) *glua.LTable {
	if !v.cfg.Open {
		return v.readOnlyGlobals(globals)
	}
	env := v.main.NewTable()
	env.Metatable = locked(v.main, globals)
	return env
}

// readOnlyGlobals refuses what is misspelt.
func (v *VM) readOnlyGlobals(globals *glua.LTable) *glua.LTable {
	L := v.main
	undefined := L.NewTable()
	Register(L, undefined, map[string]glua.LGFunction{"__index": func(L *glua.LState) int {
		RaiseAt(L, "undefined global '%s'%s", L.Get(2), near(L.Get(2).String(), v.names))
		return 0
	}})
	globals.Metatable = undefined
	mt := locked(L, globals)
	Register(L, mt, map[string]glua.LGFunction{"__newindex": func(L *glua.LState) int {
		RaiseAt(L, "assignment to undeclared global '%s'%s; did you forget 'local'?", L.Get(2), near(L.Get(2).String(), v.names))
		return 0
	}})
	env := L.NewTable()
	env.Metatable = mt
	return env
}

// locked is a metatable that reads through to a table and that no script gets
// its hands on.
func locked(L *glua.LState, through *glua.LTable) *glua.LTable {
	mt := L.NewTable()
	mt.RawSetString("__index", through)
	mt.RawSetString("__metatable", glua.LFalse)
	return mt
}

// ReadOnly is a view of a library: scripts share it and cannot change it; an
// unknown field is an error that suggests the near one.
func ReadOnly(L *glua.LState, name string, lib *glua.LTable) *glua.LTable {
	var names []string
	lib.ForEach(func(k, _ glua.LValue) { names = append(names, k.String()) })
	mt, strict := locked(L, lib), L.NewTable()
	if lib.Metatable == glua.LNil {
		Register(L, strict, map[string]glua.LGFunction{"__index": func(L *glua.LState) int {
			RaiseAt(L, "%s has no '%s'%s", name, L.Get(2), suggest(L.Get(2).String(), names))
			return 0
		}})
		lib.Metatable = strict
	}
	Register(L, mt, map[string]glua.LGFunction{"__newindex": func(L *glua.LState) int {
		RaiseAt(L, "%s cannot be changed", name)
		return 0
	}})
	view := L.NewTable()
	view.Metatable = mt
	return view
}

// near ends an error about an unknown name with the one that was meant.
func near(name string, known []string) string {
	if meant := Nearest(name, known); meant != "" {
		return ", did you mean '" + meant + "'?"
	}
	return ""
}

// suggest is near, or else all the names there are.
func suggest(name string, known []string) string {
	return cmp.Or(near(name, known), Listed(known))
}

func (v *VM) print(L *glua.LState) int {
	var line strings.Builder
	for i := 1; i <= L.GetTop(); i++ {
		if i > 1 {
			line.WriteByte('\t')
		}
		text := textOf(L, L.Get(i))
		Charge(L, len(text))
		line.WriteString(text)
	}
	if v.cfg.Print != nil {
		v.cfg.Print(L, line.String())
	}
	return 0
}

func assert(L *glua.LState) int {
	if glua.LVIsFalse(L.CheckAny(1)) {
		if L.GetTop() >= 2 {
			throw(L, L.Get(2))
		}
		RaiseAt(L, "assertion failed!")
	}
	return L.GetTop()
}

// raise is error(object[, level]).
func raise(L *glua.LState) int {
	object, level := L.Get(1), optInt(L, 2, 1)
	if s, ok := object.(glua.LString); ok && level > 0 {
		object = glua.LString(place(L, level)) + s
	}
	throw(L, object)
	return 0
}

// throw raises a value as it is.
func throw(L *glua.LState, object glua.LValue) { L.Error(object, 0) }

// place is "file:line: " of the function so many levels up.
func place(L *glua.LState, level int) string {
	at, ok := L.GetStack(level)
	if !ok {
		return ""
	}
	if _, err := L.GetInfo("Sl", at, nil); err != nil || at.CurrentLine <= 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", at.Source, at.CurrentLine)
}

func getMetatable(L *glua.LState) int {
	L.Push(L.GetMetatable(L.CheckAny(1)))
	return 1
}

// setMetatable takes tables only: a metatable of numbers or of a binding's
// object would change them for the whole VM.
func setMetatable(L *glua.LState) int {
	t := L.CheckTable(1)
	L.CheckTypes(2, glua.LTNil, glua.LTTable)
	if mt, ok := t.Metatable.(*glua.LTable); ok && mt.RawGetString("__metatable") != glua.LNil {
		RaiseAt(L, "cannot change a protected metatable")
	}
	t.Metatable = L.Get(2)
	L.SetTop(1)
	return 1
}

// rawSet is rawset; what is read only stays so.
func rawSet(L *glua.LState) int {
	t, key, value := L.CheckTable(1), L.Get(2), L.Get(3)
	if mt, ok := t.Metatable.(*glua.LTable); ok && mt.RawGetString("__metatable") == glua.LFalse {
		RaiseAt(L, "cannot change a protected table")
	}
	checkKey(L, key)
	put(L, t, key, value)
	L.SetTop(1)
	return 1
}

func toString(L *glua.LState) int {
	L.Push(glua.LString(textOf(L, L.CheckAny(1))))
	return 1
}

// textOf is tostring.
func textOf(L *glua.LState, v glua.LValue) string {
	switch v.(type) {
	case glua.LString, glua.LNumber:
		return toText(v)
	}
	return toText(L.ToStringMeta(v))
}

func unpack(L *glua.LState) int {
	t, from := L.CheckTable(1), optInt(L, 2, 1)
	to := optInt(L, 3, t.Len())
	if from > to {
		return 0
	}
	if to-from >= maxResults || to-from < 0 {
		RaiseAt(L, "too many results to unpack")
	}
	for i := from; i <= to; i++ {
		L.Push(t.RawGet(glua.LNumber(i)))
	}
	return to - from + 1
}

// maxResults is how many values one function may return.
const maxResults = 8000
