package luatest

import (
	"fmt"
	"strings"
	"testing"
)

func TestManyTestsOfOneFilePass(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "t.it(\"%d\", function()\n  local c = t.invite { to = \"sip:1@sbc.example\", from_trunk = \"pbx\" }\n"+
			"  c:b(1):send(180)\n  c:b(1):send(503)\n  t.eq(c:a():final().status, 503)\n  t.advance(60)\nend)\n", i)
	}
	r := passes(t, failover, b.String())
	t.Logf("%d in %v", len(r.Results), r.Took)
}
