package luatest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"legwork/b2bua/trunk"
	"legwork/script"
)

// carriers are the trunks of most tests here.
func carriers() []trunk.Trunk {
	return []trunk.Trunk{
		{Name: "pbx", Match: []string{"192.0.2.64/28"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.65"}}},
		{Name: "first", Targets: []trunk.Endpoint{{URI: "sip:first.example"}}},
		{Name: "second", Targets: []trunk.Endpoint{{URI: "sip:second.example"}}},
	}
}

const failover = `
function M.on_invite(call)
  if call.req.uri.user == "nobody" then return b2b.reject(404, "No such number") end
  return b2b.route { to = { { trunk = "first" }, { trunk = "second" } }, try = 5 }
end
`

// folder writes a scripts' folder: main.lua around body, and the tests.
func folder(t *testing.T, body string, files map[string]string) script.Source {
	t.Helper()
	dir := t.TempDir()
	files["main.lua"] = "local M = {}\n" + body + "\nreturn M\n"
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return script.Source{Path: filepath.Join(dir, "main.lua")}
}

func bubble(t *testing.T) func(func()) {
	return func(f func()) { synctest.Test(t, func(*testing.T) { f() }) }
}

// play runs one Lua test.
func play(t *testing.T, body, test string, change ...func(*Config)) *Report {
	t.Helper()
	cfg := Config{
		Source: folder(t, body, map[string]string{"main_test.lua": "local t = require \"b2b.test\"\n" + test}),
		Trunks: carriers(), Bubble: bubble(t),
	}
	for _, f := range change {
		f(&cfg)
	}
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// passes fails unless all Lua tests pass.
func passes(t *testing.T, body, test string, change ...func(*Config)) *Report {
	t.Helper()
	r := play(t, body, test, change...)
	if _, failed := r.Count(); failed > 0 || len(r.Results) == 0 {
		t.Error(printed(t, r))
	}
	return r
}

// breaks is the message of the only test, which must fail.
func breaks(t *testing.T, body, test string) string {
	t.Helper()
	r := play(t, body, test)
	if len(r.Results) != 1 || r.Results[0].Failure == nil {
		t.Fatalf("want one failure:\n%s", printed(t, r))
	}
	f := r.Results[0].Failure
	return place(f.File, f.Line) + ": " + f.Message
}

func printed(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// it wraps a body into a test.
func it(body string) string { return "t.it(\"one\", function()\n" + body + "\nend)\n" }

func TestTheContractsExamplesPass(t *testing.T) {
	passes(t, failover, `
t.it("does not ring a person twice", function()
  local c = t.invite { to = "sip:+4930123@sbc.example", from_trunk = "pbx" }
  c:b(1):send(180)
  c:b(1):send(503, { ["Retry-After"] = "7" })
  t.eq(c:attempts(), 1)
  t.eq(c:a():final().status, 503)
end)

t.it("moves on when a carrier stays silent", function()
  local c = t.invite { to = "sip:+4930123@sbc.example", from_trunk = "pbx" }
  t.advance(5.1)
  t.eq(c:attempts(), 2)
end)
`)
}

func TestACallIsPlayedFromInviteToBye(t *testing.T) {
	passes(t, failover, it(`
  local c = t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }
  t.eq(c:b(1):received("INVITE").sdp.audio:codecs()[1].name, "PCMA")
  c:b(1):send(180)
  t.eq(c:a():received(180).status, 180)
  t.eq(c:a():final(), nil)
  c:b(1):send(200)
  t.eq(c:a():final().status, 200)
  t.eq(c:a():final().sdp.audio.port, 40000)
  t.ok(c:b(1):received("ACK"), "the ACK crosses")
  t.advance(3600)
  c:a():send("INFO", { ["X-A"] = "1" }, "hello")
  t.eq(c:b(1):received("INFO").body, "hello")
  c:b(1):send(200)
  t.eq(c:a():received().status, 200)
  c:b(1):send("BYE")
  t.ok(c:a():received("BYE"))
  t.eq(c:b(1):received().method, "BYE")
`))
}

func TestTargetsOverTCPAreCallees(t *testing.T) {
	passes(t, `function M.on_invite(call) return b2b.route { to = "sip:x@far.example;transport=tcp" } end`, it(`
  local c = t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }
  t.match(c:b(1):received("INVITE").h["Via"], "SIP/2.0/TCP")
  c:b(1):send(200)
  t.ok(c:b(1):received("ACK"))
  c:b(1):send("BYE")
  t.ok(c:a():received("BYE"))
`))
}
