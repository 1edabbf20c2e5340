package lua

import "testing"

func TestATextIsCompiledOnce(t *testing.T) {
	var c Compiled
	first, err := c.Compile("a.lua", []byte("return 1"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Compile("a.lua", []byte("return 1")); err != nil || again != first {
		t.Errorf("%p, %v; want %p", again, err, first)
	}
	if other, err := c.Compile("b.lua", []byte("return 1")); err != nil || other == first {
		t.Errorf("another file is the same, %v", err)
	}
	if changed, err := c.Compile("a.lua", []byte("return 2")); err != nil || changed == first {
		t.Errorf("a changed file is the same, %v", err)
	}
	for range 2 {
		if _, err := c.Compile("a.lua", []byte("return (")); err == nil {
			t.Error("compiled what is no Lua")
		}
	}
}
