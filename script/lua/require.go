package lua

import (
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// require serves libraries made in Go and modules of the snapshot; there is no
// file system.
func (v *VM) require(L *glua.LState) int {
	name := L.CheckString(1)
	if value, ok := v.loaded[name]; ok {
		L.Push(value)
		return 1
	}
	if _, ok := v.cfg.Libraries[name]; ok {
		L.Push(v.library(L, name))
		return 1
	}
	proto, ok := v.cfg.Modules[strings.ReplaceAll(name, ".", "/")+".lua"]
	if !ok {
		RaiseAt(L, "module '%s' not found%s", name, near(name, v.modules()))
	}
	if slices.Contains(v.path, name) {
		RaiseAt(L, "circular require: %s -> %s", strings.Join(v.path, " -> "), name)
	}
	L.Push(v.load(L, name, proto))
	return 1
}

// load runs a module's file once. Nothing else has the VM meanwhile, because a
// module may not wait.
func (v *VM) load(L *glua.LState, name string, proto *glua.FunctionProto) glua.LValue {
	t := taskOf(L)
	if t == nil {
		RaiseAt(L, "require outside of a run")
	}
	depth := len(v.path)
	v.path = append(v.path, name)
	t.loading++
	defer func() {
		t.loading--
		v.path = v.path[:depth]
	}()
	L.Push(v.Function(proto))
	L.Push(glua.LString(name))
	L.Call(1, 1)
	value := L.Get(-1)
	L.Pop(1)
	if value == glua.LNil {
		value = glua.LTrue
	}
	v.loaded[name] = value
	return value
}

// library makes a Go library, once.
func (v *VM) library(L *glua.LState, name string) glua.LValue {
	if value, ok := v.loaded[name]; ok {
		return value
	}
	value := v.cfg.Libraries[name](L)
	v.loaded[name] = value
	return value
}

func (v *VM) modules() []string {
	var names []string
	for file := range v.cfg.Modules {
		names = append(names, strings.ReplaceAll(strings.TrimSuffix(file, ".lua"), "/", "."))
	}
	for name := range v.cfg.Libraries {
		names = append(names, name)
	}
	return names
}
