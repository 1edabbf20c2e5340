// Package lib is the libraries that scripts find under b2b: what they share
// (store, limits, HTTP), what they look up (tables, numbers, opening hours) and
// the small things (JSON, hashes, metrics, logs).
//
// It knows nothing of SIP messages and routing: of a call it sees only its end,
// through Owner, and files of the scripts' folder come through Tables.
//
// Start reading at Open, which registers everything in one VM; Env is what all
// VMs share. Docs describes each function once, for stubs and the reference. Each
// library has a file with its functions; what they do without Lua is in files of its own:
// slots.go, prefix.go, lookup.go, breaker.go, hours.go, regex.go, codec.go.
package lib

import (
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/number"
	"legwork/script/lua"
)

// A Scope is what a VM adds to the Env.
type Scope struct {
	// Owner is the call that the running hook works for; nil when there is
	// none. A nil function means there never is one.
	Owner func(L *glua.LState) Owner
	// Call is that call's id, "" when there is none; a nil function likewise.
	Call func(L *glua.LState) string
	// Watch gives who hears what the running hook asks; nil: nobody does. A nil
	// function likewise.
	Watch func(L *glua.LState) func(Told)
	// Memo is that of the call that the running hook works for; nil, also what it
	// returns: nothing is to be remembered.
	Memo func(L *glua.LState) Memo
	// Tables are those of the VM's generation; nil: there are none.
	Tables *Tables
}

// library is the libraries of one VM.
type library struct {
	env   *Env
	scope Scope
	offer map[string][]string // methods and fields of each class, for the comparison with Docs

	format glua.LValue // string.format
	null   *glua.LUserData
	array  *glua.LTable // metatable of lists in JSON

	tables     *lua.Class[*Table]
	numbers    *lua.Class[*number.Number]
	clients    *lua.Class[*client]
	answers    *lua.Class[*scriptAnswer]
	counters   *lua.Class[instrument]
	histograms *lua.Class[instrument]
	redis      *lua.Class[server[Redis]]
	sql        *lua.Class[server[SQL]]
}

// Open makes the libraries and puts them into the table, under the names of
// contract section 5. The VM must have its string library.
func Open(L *glua.LState, b2b *glua.LTable, env *Env, scope Scope) {
	x := newLibrary(L, env, scope)
	for name, functions := range x.functions() {
		t := L.NewTable()
		lua.Register(L, t, functions)
		switch name {
		case "":
			lua.Register(L, b2b, functions)
			continue
		case "json":
			t.RawSetString("null", x.null)
		}
		b2b.RawSetString(name, lua.ReadOnly(L, "b2b."+name, t))
	}
	store := class(L, x, "b2b.store", lua.ClassDef[*Env]{Methods: x.storeMethods()})
	b2b.RawSetString("store", store.New(L, env))
}

func newLibrary(L *glua.LState, env *Env, scope Scope) *library {
	x := &library{env: env, scope: scope, offer: map[string][]string{}}
	x.format = L.GetField(glua.LString(""), "format")
	x.openJSON(L)
	x.tables = class(L, x, "prefix_table", lua.ClassDef[*Table]{Methods: x.tableMethods()})
	x.numbers = class(L, x, "phone_number", lua.ClassDef[*number.Number]{Methods: x.numberMethods(), Get: numberFields(), Meta: x.numberMeta()})
	x.clients = class(L, x, "http_client", lua.ClassDef[*client]{Methods: x.clientMethods()})
	x.answers = class(L, x, "http_answer", lua.ClassDef[*scriptAnswer]{Get: x.answerFields()})
	x.counters = class(L, x, "counter", lua.ClassDef[instrument]{Methods: x.counterMethods()})
	x.histograms = class(L, x, "histogram", lua.ClassDef[instrument]{Methods: x.histogramMethods()})
	x.redis = class(L, x, "redis_server", lua.ClassDef[server[Redis]]{Methods: x.redisMethods()})
	x.sql = class(L, x, "database", lua.ClassDef[server[SQL]]{Methods: x.sqlMethods()})
	return x
}

// functions are the libraries by name; "" are functions of b2b itself.
func (x *library) functions() map[string]map[string]glua.LGFunction {
	return map[string]map[string]glua.LGFunction{
		"":       x.single(),
		"codes":  x.codes(),
		"dns":    x.dns(),
		"hash":   hashes(),
		"http":   x.http(),
		"json":   x.json(),
		"limit":  x.limits(),
		"log":    x.logs(),
		"metric": x.metrics(),
		"number": x.number(),
		"q850":   q850Functions(),
		"random": x.random(),
		"re":     x.re(),
		"table":  x.table(),
		"time":   x.time(),
	}
}

// class makes a class and notes what it offers.
func class[T any](L *glua.LState, x *library, name string, def lua.ClassDef[T]) *lua.Class[T] {
	x.offer[name] = slices.Sorted(maps.Keys(def.Methods))
	x.offer[name] = slices.AppendSeq(x.offer[name], maps.Keys(def.Get))
	return lua.NewClass(L, name, def)
}

// self is the object a method was called on.
func self[T any](a args, c *lua.Class[T]) T {
	v, ok := c.Is(a.L.Get(1))
	if !ok {
		a.fail("call it with a colon, on the object")
	}
	return v
}
