package script

import (
	"testing"

	"legwork/b2bua/trunk"
)

func TestIdentityIsThatOfTheTrunksTrust(t *testing.T) {
	for want, trust := range map[string]trunk.Trust{
		"+4989555 nil": trunk.TrustUnsaid, "+4989555 true": trunk.Trusted, "+49891 false": trunk.Untrusted,
	} {
		trunks := table(t, func(name string, one *trunk.Trunk) {
			if name == "carrier" {
				one.Trust = trust
			}
		})
		r := run(t, `
function M.on_branch(call, leg, req)
  req.h["X-Who"] = call.req.identity.uri.user .. " " .. tostring(call.a.trunk.trusted)
end`, func(c *Config) { c.Trunks = func() *trunk.Table { return trunks } })
		c := r.call(t)
		if got := c.branch().Get("X-Who"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		c.Close()
	}
}
