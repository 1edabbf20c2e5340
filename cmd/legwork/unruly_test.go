package main

import (
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// unruly misbehaves in the hook that the user part names; "4711" is a call like
// any other.
const unruly = `
local M = {}
local ways = {}

function ways.err() return nil + 1 end
function ways.loop() while true do end end
function ways.recurse() local function f() return 1 + f() end return f() end
function ways.memory() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end end
function ways.rep() return ("x"):rep(1e9) end
function ways.pattern() return (("a"):rep(40000)):find((".-"):rep(12) .. "b") end
function ways.decision() return "carrier" end
function ways.suppress() return b2b.suppress() end
function ways.field(call) return call.sorce.ip end
function ways.crlf(call, leg, msg) (msg or call.req).h["X-Bad"] = "a\r\nX-Injected: 1" end
function ways.nul(call, leg, msg) (msg or call.req).h["X-Bad"] = "a\0b" end
function ways.engine(call, leg, msg) (msg or call.req).h["Call-ID"] = "mine" end
function ways.wait(call, leg, msg) b2b.http.client { base = "http://127.0.0.1:9", timeout = 1 }:get("/") end
function ways.object() error({ code = 1 }) end
function ways.throw() error() end

local function misbehave(hook)
  return function(call, ...)
    local named, way = call.req.uri.user:match("^(on_%l+)%-(.+)$")
    if named == hook then
      return ways[way](call, ...)
    end
    if hook == "on_invite" then
      return b2b.route { to = { trunk = "pbx", user = call.req.uri.user } }
    end
  end
end

for _, hook in ipairs { "on_invite", "on_branch", "on_progress", "on_answer", "on_failure", "on_request", "on_response", "on_bye", "on_end" } do
  M[hook] = misbehave(hook)
end

return M
`

func TestAnUnrulyInviteHookGets500(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "")
	write(t, dir+"/main.lua", unruly)
	r := serve(t, dir)
	for way, want := range map[string]string{
		"err":      `script=main.lua line=5 .*err="cannot .* traceback="stack traceback:`,
		"loop":     `script=main.lua line=6 .*err="stopped after 1000000 instructions"`,
		"recurse":  `.*err="stack overflow" traceback="[^"]*main.lua:7: `,
		"memory":   `script=main.lua line=8 `,
		"rep":      `script=main.lua line=9 `,
		"pattern":  `script=main.lua line=10 `,
		"decision": `script=main.lua line=22 .*err="[^"]*string`,
		"suppress": `script=main.lua line=12 .*err="[^"]*suppress`,
		"field":    `script=main.lua line=13 .*did you mean 'source'`,
		"crlf":     `script=main.lua line=14 `,
		"nul":      `script=main.lua line=15 `,
		"engine":   `script=main.lua line=16 `,
	} {
		if _, err := alice.Send(alice.Invite("sip:on_invite-"+way+"@"+r.udp, demoSDP), r.udp); err != nil {
			t.Fatal(err)
		}
		refused := next(t, alice, "500")
		r.waitFor(`level=ERROR msg="hook failed" .*hook=on_invite ` + want)
		if strings.Contains(refused.String(), "main.lua") {
			t.Errorf("%s: the caller is told\n%s", way, refused)
		}
	}
	r.talk(alice, bob).hangUp()
	r.unhurt()
}

func TestAnUnrulyLaterHookLeavesTheMessageAsItWas(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "")
	write(t, dir+"/main.lua", unruly)
	r := serve(t, dir)
	for _, way := range []string{"err", "loop", "memory", "pattern", "decision", "crlf", "wait", "engine"} {
		for _, hook := range []string{"on_branch", "on_progress", "on_answer", "on_request", "on_response", "on_bye", "on_end"} {
			story(t, r, alice, bob, hook+"-"+way)
			if way == "wait" && hook != "on_end" {
				r.waitFor(`hook=` + hook + ` script=main.lua line=17 .*err="waiting is not allowed in ` + hook)
			}
		}
	}
	for _, way := range []string{"err", "loop", "decision"} {
		if _, err := alice.Send(alice.Invite("sip:on_failure-"+way+"@"+r.udp, demoSDP), r.udp); err != nil {
			t.Fatal(err)
		}
		next(t, bob, "INVITE").Reply(486, nil)
		next(t, alice, "486")
	}
	r.talk(alice, bob).hangUp()
	r.settles("legwork_calls_active", 0)
	r.unhurt()
}

// story is a call with everything in it, up to the BYE's 200.
func story(t *testing.T, r *running, alice, bob *simnet.Agent, user string) {
	t.Helper()
	late := time.AfterFunc(patience, func() { t.Logf("%s takes long", user) })
	defer late.Stop()
	invite := alice.Invite("sip:"+user+"@"+r.udp, demoSDP)
	if _, err := alice.Send(invite, r.udp); err != nil {
		t.Fatal(err)
	}
	in := next(t, bob, "INVITE")
	in.Reply(180, nil)
	in.Reply(200, withSDP)
	ok := next(t, alice, "200")
	for _, m := range []*message.Message{in.Message, next(t, alice, "180").Message, ok.Message} {
		if m.Get("X-Injected")+m.Get("X-Bad") != "" {
			t.Errorf("%s: %s", user, m)
		}
	}
	d := alice.Dialog(invite, ok.Message, false)
	if _, err := alice.SendACK(alice.In(d, "ACK", 1), r.udp); err != nil {
		t.Fatal(err)
	}
	next(t, bob, "ACK")
	for _, method := range []string{"INFO", "BYE"} {
		if _, err := alice.Send(alice.In(d, method, d.Next()), r.udp); err != nil {
			t.Fatal(err)
		}
		next(t, bob, method).Reply(200, nil)
		next(t, alice, "200 "+method)
	}
}
