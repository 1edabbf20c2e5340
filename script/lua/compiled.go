package lua

import (
	"bytes"
	"sync"

	glua "github.com/yuin/gopher-lua"
)

// Compiled compiles a text once, for those who load the same scripts many times.
// It keeps the last text of each name. The zero value is ready, and may be used
// from any goroutine.
type Compiled struct {
	mu    sync.Mutex // guards known
	known map[string]once
}

type once struct {
	src   []byte
	proto *glua.FunctionProto
	err   error
}

// Compile is the function of this name, with what it found before if the text is
// the same.
func (c *Compiled) Compile(name string, src []byte) (*glua.FunctionProto, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.known[name]; ok && bytes.Equal(k.src, src) {
		return k.proto, k.err
	}
	var k once
	k.src = src
	k.proto, k.err = Compile(name, src)
	if c.known == nil {
		c.known = map[string]once{}
	}
	c.known[name] = k
	return k.proto, k.err
}
