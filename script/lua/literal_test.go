package lua

import (
	"fmt"
	"slices"
	"testing"
)

func TestCallsWithTextsAreFound(t *testing.T) {
	const src = `local a = b2b.redis("global")
local b2b = require "b2b"
local c = b2b.redis "local"
local function f()
  local x, y = 1, 2
  return b2b.sql("upvalue"), other.redis("not b2b"), b2b.redis(x), b2b.redis("two", x), b2b.env("not asked for")
end
function M_on(b2b) b2b.sql("parameter") end
local other = {redis = f}
other.redis("a local that is not b2b")
`
	proto, err := Compile("main.lua", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range Literals(proto, []string{"redis", "sql"}) {
		got = append(got, fmt.Sprintf("%d %s %s", l.Line, l.Function, l.Text))
	}
	if want := []string{"1 redis global", "3 redis local", "6 sql upvalue", "8 sql parameter"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
