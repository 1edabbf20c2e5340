package luatest

import (
	"strings"
	"testing"
)

func TestCoverageNamesTheLinesThatNoTestRuns(t *testing.T) {
	src := folder(t, `local other = require "other"
function M.on_invite(call)
  if call.req.uri.user == "x" then
    call:note("never")
    return b2b.reject(404)
  end
  return b2b.route { to = { trunk = other.trunk() } }
end`, map[string]string{
		"other.lua":  "return {\n  trunk = function()\n    return \"first\"\n  end,\n}\n",
		"unused.lua": "return {}\n",
		"a_test.lua": "local t = require \"b2b.test\"\n" + it(asked1+"c:b(1):send(200)"),
	})
	r, err := Run(Config{Source: src, Trunks: carriers(), Bubble: bubble(t), Cover: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `main.lua    75.0%  6 of 8 lines, not 5-6
other.lua  100.0%  3 of 3 lines
unused.lua   0.0%  0 of 1 lines, not 1
all         75.0%  9 of 12 lines

1 passed`
	if text := printed(t, r); !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	var b strings.Builder
	if err := r.WriteLCOV(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "TN:\nSF:other.lua\nDA:1,") || !strings.Contains(b.String(), "DA:6,0\n") || !strings.Contains(b.String(), "LF:8\nLH:6\nend_of_record\n") {
		t.Error(b.String())
	}
}
