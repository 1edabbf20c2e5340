package luatest

import _ "embed" // for stub.lua

//go:embed stub.lua
var stub string

// Stub describes b2b.test for editors, in LuaLS's annotations: the file
// b2b/test.lua of a library.
func Stub() []byte { return []byte(stub) }
