package script

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/trunk"
)

// withAuth gives the trunk carrier credentials.
func withAuth(t testing.TB) func(*Config) {
	trunks := table(t, func(name string, one *trunk.Trunk) {
		if name == "carrier" {
			one.Auth = &trunk.Auth{User: "us", Password: "secret"}
		}
	})
	return func(c *Config) { c.Trunks = func() *trunk.Table { return trunks } }
}

func TestRoutesSayHowTheirLegsSpeakSIP(t *testing.T) {
	at := []b2bua.Target{{URI: "sip:a@b.example"}}
	for keys, want := range map[string]b2bua.Route{
		`prack = "interwork"`: {PRACK: trunk.InterworkPRACK}, `prack = "pass"`: {PRACK: trunk.PassPRACK}, `prack = "off"`: {PRACK: trunk.NoPRACK},
		`refer = "pass"`: {}, `refer = "local"`: {Refer: b2bua.LocalRefer}, `refer = "reject"`: {Refer: b2bua.RejectRefer},
		`redirect = "follow"`: {}, `redirect = "pass"`: {Redirects: b2bua.PassRedirects},
		`early = "pass"`: {}, `early = "first"`: {Early: b2bua.EarlyFirst}, `early = "suppress"`: {Early: b2bua.EarlySuppress},
		`media = "direct"`: {}, `callid = "keep"`: {KeepCallID: true}, `strategy = "parallel"`: {Strategy: b2bua.Parallel},
		`strategy = "hash"`: {Strategy: b2bua.Hash}, `strategy = "hash", key = "x"`: {Strategy: b2bua.Hash, Key: "x"}, `strategy = "least_loaded"`: {Strategy: b2bua.LeastLoaded},
		`timer = false`: {Timer: &trunk.Timer{Off: true}}, `timer = {}`: {Timer: &trunk.Timer{}}, `timer = {expires = 0}`: {Timer: &trunk.Timer{}},
		`timer = {expires = 1800, min = 120, refresher = "uac"}`: {Timer: &trunk.Timer{Expires: 30 * time.Minute, Min: 2 * time.Minute, Refresher: "uac"}},
	} {
		want.Targets = at
		d := decided(t, `b2b.route{to = "sip:a@b.example", `+keys+`}`)
		if !reflect.DeepEqual(d.Decision, want) {
			t.Errorf("%s\n got %+v\nwant %+v", keys, d.Decision, want)
		}
	}
}

func TestTargetsOfAnInnerListAreTriedTogether(t *testing.T) {
	one, two, three := b2bua.Target{URI: "sip:1@b.example"}, b2bua.Target{URI: "sip:2@b.example"}, b2bua.Target{Trunk: "pbx"}
	beside := func(t b2bua.Target) b2bua.Target {
		t.Beside = true
		return t
	}
	for to, want := range map[string][]b2bua.Target{
		`{{"sip:1@b.example", "sip:2@b.example"}, {trunk = "pbx"}}`:                    {one, beside(two), three},
		`{{trunk = "pbx"}, {"sip:1@b.example", {uri = "sip:2@b.example"}}}`:            {three, one, beside(two)},
		`{{"sip:1@b.example"}, {"sip:2@b.example"}}`:                                   {one, two},
		`{{{trunk = "pbx"}, "sip:1@b.example"}, {"sip:2@b.example", {trunk = "pbx"}}}`: {three, beside(one), two, beside(three)},
		`{{"sip:1@b.example", "sip:2@b.example", {trunk = "pbx"}}}`:                    {one, beside(two), beside(three)},
	} {
		if d := decided(t, `b2b.route{to = `+to+`}`); !reflect.DeepEqual(d.Decision, b2bua.Route{Targets: want}) {
			t.Errorf("%s: %+v", to, d.Decision)
		}
	}
}

func TestATargetMayHaveCredentialsOrBeARegisteredUser(t *testing.T) {
	ours := &trunk.Auth{User: "us", Password: "secret"}
	for to, want := range map[string]b2bua.Target{
		`{uri = "sip:a@b.example", auth = {user = "me", password = "mine"}}`: {URI: "sip:a@b.example", Auth: &trunk.Auth{User: "me", Password: "mine"}},
		`{uri = "sip:a@b.example", auth = "carrier"}`:                        {URI: "sip:a@b.example", Auth: ours},
		`{trunk = "pbx", auth = "carrier"}`:                                  {Trunk: "pbx", Auth: ours},
		`{aor = "sip:alice@sbc.example", ring = 20}`:                         {AOR: "sip:alice@sbc.example", Ring: 20 * time.Second},
		`{aor = call.req.to}`:                                                {AOR: "sip:+4930123@sbc.example"},
		`{uri = call.req.from}`:                                              {URI: "sip:+49891@carrier.example"},
	} {
		r := run(t, "function M.on_invite(call) return b2b.route{to = "+to+"} end", withAuth(t))
		c := r.call(t)
		if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Route{Targets: []b2bua.Target{want}}) {
			t.Errorf("%s: %+v", to, d.Decision)
		}
		c.Close()
	}
}

func TestWrongRoutesNameTheCure(t *testing.T) {
	for keys, want := range map[string]string{
		`prack = "of"`:                     `prack is "of"; want one of [interwork pass off]; did you mean "off"?`,
		`refer = 1`:                        `refer is "1"; want one of [pass local reject]`,
		`redirect = {}`:                    "redirect is a table; want a string",
		`early = "none"`:                   `early is "none"; want one of [pass first suppress]`,
		`timer = true`:                     "timer is a boolean; want {expires =, min =, refresher =} or false",
		`timer = 1800`:                     "timer is 1800; want {",
		`timer = {expire = 1800}`:          `did you mean "expires"?`,
		`timer = {expires = 60}`:           "expires is 60; want 0 for none, or at least 90 seconds",
		`timer = {expires = 1, min = 120}`: "at least 120 seconds",
		`timer = {min = 30}`:               "min is 30; want a whole number from 90",
		`timer = {refresher = "ua"}`:       `did you mean "uac"?`,
		`media = "relay"`:                  `media = "relay" is not supported yet by this version`,
		`media = "dirct"`:                  `did you mean "direct"?`,
		`key = "x"`:                        `key is of strategy = "hash"`,
		`strategy = "paralel"`:             `did you mean "parallel"?`,
		`strategy = {}`:                    "to try targets together, put a list into the list",
		`strategy = "weighted", to = {{"sip:a@b.example", "sip:c@d.example"}}`: `strategy = "weighted" has no use for a list in the list of to`,
		`to = {{{"sip:a@b.example"}}}`:                                         "a list in a list in a list",
		`to = {{}, "sip:a@b.example"}`:                                         "a target needs uri, trunk or aor",
		`to = {"sip:a@b.example", ring = 5}`:                                   `a list of targets with the key "ring"`,
		`to = {user = "1"}`:                                                    "no target; want a SIP URI",
		`to = {aor = "alice"}`:                                                 `aor: "alice" is not a SIP URI`,
		`to = {aor = "sip:a@b.example", user = "1"}`:                           "have no meaning beside it",
		`to = {trunk = "pbx", auth = "pbx"}`:                                   `auth: trunk "pbx" has no credentials`,
		`to = {trunk = "pbx", auth = "carier"}`:                                `unknown trunk "carier"; did you mean "carrier"?`,
		`to = {trunk = "pbx", auth = {user = "x"}}`:                            "want {user = ..., password = ...}",
		`to = {trunk = "pbx", auth = {user = "x", pasword = "hidden"}}`:        `did you mean "password"?`,
		`to = {trunk = "pbx", auth = {user = "x", password = "hidden\n"}}`:     "one line of text each",
		`to = {trunk = "pbx", auth = 5}`:                                       "auth is 5; want {",
	} {
		if !strings.Contains(keys, "to =") {
			keys += `, to = "sip:a@b.example"`
		}
		r := run(t, "function M.on_invite(call) return b2b.route{"+keys+"} end", withAuth(t))
		c := r.call(t)
		failed, ok := c.invite().Decision.(b2bua.Failed)
		c.Close()
		if !ok || !strings.Contains(failed.Err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", keys, failed.Err, want)
		}
		if log := r.log.String(); strings.Contains(log, "hidden") || strings.Contains(log, "secret") {
			t.Errorf("%s: the log shows a password: %s", keys, log)
		}
	}
}

func TestAScriptCannotReadTheCredentialsOfATrunk(t *testing.T) {
	r := run(t, `
function M.on_invite(call)
  local d = b2b.route { to = { trunk = "carrier", auth = "carrier" } }
  for _, read in ipairs {
    function() return d.Targets end, function() return d.to end, function() return call.a.trunk.auth end, function() return call.a.trunk.Auth end,
    function() for k in pairs(d) do return k end end,
  } do
    assert(not pcall(read))
  end
  assert(not tostring(d):find("secret"))
  for _, v in pairs(b2b.trunk.stats("carrier")) do assert(not tostring(v):find("secret")) end
  return d
end`, withAuth(t))
	c := r.call(t)
	defer c.Close()
	route, ok := c.invite().Decision.(b2bua.Route)
	if !ok || route.Targets[0].Auth.Password != "secret" {
		t.Error(r.log)
	}
}
