package lua

import (
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// A ClassDef says what scripts can do with objects of Go's type T. All parts
// may be left out.
type ClassDef[T any] struct {
	// Methods get the object as argument 1; Class.Check gives it.
	Methods map[string]glua.LGFunction
	Get     map[string]func(L *glua.LState, self T) glua.LValue
	Set     map[string]func(L *glua.LState, self T, v glua.LValue)
	// Index and NewIndex serve keys that are no method or property. Index
	// answers nil for "there is no such field", LNil for "it is nil".
	Index    func(L *glua.LState, self T, key glua.LValue) glua.LValue
	NewIndex func(L *glua.LState, self T, key, v glua.LValue) bool
	// Meta are further metamethods: __tostring, __len, __eq, __call ...
	Meta map[string]glua.LGFunction
}

// A Class makes objects of one kind for one VM.
type Class[T any] struct {
	name    string
	def     ClassDef[T]
	methods map[string]*glua.LFunction
	mt      *glua.LTable
}

// NewClass makes the metatable of a class. An unknown field is an error that
// names the script's line and the near field; scripts cannot see or change the
// metatable.
func NewClass[T any](L *glua.LState, name string, def ClassDef[T]) *Class[T] {
	c := &Class[T]{name: name, def: def, methods: map[string]*glua.LFunction{}, mt: L.NewTable()}
	for method, fn := range def.Methods {
		c.methods[method] = L.NewFunction(Protect(fn))
	}
	Register(L, c.mt, def.Meta)
	Register(L, c.mt, map[string]glua.LGFunction{"__newindex": c.newIndex})
	if len(def.Get) == 0 && def.Index == nil {
		c.mt.RawSetString("__index", c.methodTable(L))
	} else {
		Register(L, c.mt, map[string]glua.LGFunction{"__index": c.index})
	}
	c.mt.RawSetString("__metatable", glua.LString(name))
	return c
}

// methodTable is the faster way when there are only methods.
func (c *Class[T]) methodTable(L *glua.LState) *glua.LTable {
	methods, strict := L.NewTable(), L.NewTable()
	for name, fn := range c.methods {
		methods.RawSetString(name, fn)
	}
	Register(L, strict, map[string]glua.LGFunction{"__index": func(L *glua.LState) int {
		c.unknown(L, L.Get(2))
		return 0
	}})
	methods.Metatable = strict
	return methods
}

// New makes an object for scripts of v.
func (c *Class[T]) New(L *glua.LState, v T) *glua.LUserData {
	return &glua.LUserData{Value: v, Env: L.Env, Metatable: c.mt}
}

// Is gives the object behind a value, if it is one of this class.
func (c *Class[T]) Is(v glua.LValue) (T, bool) {
	if ud, ok := v.(*glua.LUserData); ok && ud.Metatable == c.mt {
		self, ok := ud.Value.(T)
		return self, ok
	}
	var none T
	return none, false
}

// Check is Is for argument n of a Go function; anything else is an error.
func (c *Class[T]) Check(L *glua.LState, n int) T {
	self, ok := c.Is(L.Get(n))
	if !ok {
		L.ArgError(n, c.name+" expected, got "+c.kind(L.Get(n))+c.colon(L, n))
	}
	return self
}

// colon is what to do about a method that was called without its object.
func (c *Class[T]) colon(L *glua.LState, n int) string {
	here, ok := L.GetStack(0)
	if n != 1 || !ok {
		return ""
	}
	if _, err := L.GetInfo("n", here, glua.LNil); err != nil || c.methods[here.Name] == nil {
		return ""
	}
	return "; call it with a colon, " + c.name + ":" + here.Name + "(...)"
}

// kind names a value: a class's name, or Lua's type.
func (c *Class[T]) kind(v glua.LValue) string {
	if ud, ok := v.(*glua.LUserData); ok {
		if mt, ok := ud.Metatable.(*glua.LTable); ok {
			if name, ok := mt.RawGetString("__metatable").(glua.LString); ok {
				return string(name)
			}
		}
	}
	return v.Type().String()
}

func (c *Class[T]) index(L *glua.LState) int {
	self, key := c.Check(L, 1), L.Get(2)
	if name, ok := key.(glua.LString); ok {
		if get, ok := c.def.Get[string(name)]; ok {
			L.Push(get(L, self))
			return 1
		}
		if fn, ok := c.methods[string(name)]; ok {
			L.Push(fn)
			return 1
		}
	}
	if c.def.Index != nil {
		if v := c.def.Index(L, self, key); v != nil {
			L.Push(v)
			return 1
		}
	}
	c.unknown(L, key)
	return 0
}

func (c *Class[T]) newIndex(L *glua.LState) int {
	self, key, v := c.Check(L, 1), L.Get(2), L.Get(3)
	if name, ok := key.(glua.LString); ok {
		if set, ok := c.def.Set[string(name)]; ok {
			set(L, self, v)
			return 0
		}
	}
	if c.def.NewIndex != nil && c.def.NewIndex(L, self, key, v) {
		return 0
	}
	if name := key.String(); c.def.Get[name] != nil || c.methods[name] != nil {
		RaiseAt(L, "%s.%s is read only", c.name, name)
	}
	c.unknown(L, key)
	return 0
}

func (c *Class[T]) unknown(L *glua.LState, key glua.LValue) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(c.methods)), maps.Keys(c.def.Get))
	names = slices.AppendSeq(names, maps.Keys(c.def.Set))
	RaiseAt(L, "%s has no field '%s'%s", c.name, key, suggest(key.String(), names))
}
