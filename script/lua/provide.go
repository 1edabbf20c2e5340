package lua

import glua "github.com/yuin/gopher-lua"

// Provide adds a library to what require finds. It belongs before the first
// run.
func (v *VM) Provide(name string, open func(L *glua.LState) glua.LValue) {
	v.mu.Lock()
	defer v.mu.Unlock()
	libraries := map[string]func(*glua.LState) glua.LValue{name: open}
	for known, one := range v.cfg.Libraries {
		libraries[known] = one
	}
	v.cfg.Libraries = libraries
}
