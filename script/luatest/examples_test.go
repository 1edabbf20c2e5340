package luatest

import (
	"path/filepath"
	"testing"

	"legwork/script"
)

func TestManyTestsTakeLittleTime(t *testing.T) {
	r := passes(t, failover, `for n = 1, 1000 do t.it("test " .. n, function()
  local c = t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }
  c:b(1):send(486)
  t.eq(c:a():final().status, 486)
end) end`)
	t.Log(r.sum())
}

func TestExample(t *testing.T) {
	for _, name := range []string{"../../examples/hello", "../../examples/failover", "../../examples/carrier-to-pbx", "../../scripts"} {
		src := script.Source{Path: filepath.Join(name, "main.lua")}
		snap, err := src.Read()
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(Config{Source: src, Trunks: Invent(snap), Bubble: bubble(t)})
		if err != nil {
			t.Error(err)
			continue
		}
		t.Log(printed(t, r))
	}
}
