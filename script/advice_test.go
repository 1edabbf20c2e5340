package script

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// advised are the warnings of legwork check about one script.
func advised(t *testing.T, body string) string {
	t.Helper()
	r, err := try(t, map[string]string{"main.lua": "local M = {}\n" + body + "\nreturn M\n"})
	if err != nil {
		t.Fatal(err)
	}
	problems, _ := Check(context.Background(), r.config(t))
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("it runs: %s", p)
		}
	}
	return strings.TrimPrefix(problems.Error(), "\n")
}

func TestCheckWarnsOfWhatWillGoWrong(t *testing.T) {
	for body, want := range map[string]string{
		`function M.on_branch(call, leg, req) req.h["Via"] = "x" end`:                                                  `main.lua:2:44: Via belongs to the engine: each leg has its own`,
		`function M.on_branch(call, leg, r) r.h:add('call-id', "x") end`:                                               `main.lua:2:44: call-id belongs to the engine`,
		`function M.on_branch(call, leg, r) r.h:drop{"X-*", "Route"} end`:                                              `main.lua:2:52: Route belongs to the engine`,
		`function M.on_branch(call, leg, r) r.h.From = nil end`:                                                        `main.lua:2:40: From has a tag`,
		`function M.on_branch(call, leg, r) r.status = 200 end`:                                                        `main.lua:2:37: a request has no status`,
		`function M.on_progress(call, leg, r) r.status = 200 end`:                                                      `main.lua:2:49: status 200: this response can become 101 to 199`,
		`M.on_answer = function(_, _, r) r.status = 180 end`:                                                           `main.lua:2:44: status 180: this response can become 200 to 299`,
		`M.outbound = { ["4xx-6xx *"] = function(m) m.status = 200 end }`:                                              `main.lua:2:55: status 200: this response can become 300 to 699`,
		`M.inbound = { INVITE = function(m) m.call_id = "x" end }`:                                                     `main.lua:2:37: message.call_id is read only`,
		`function M.on_invite(call) return call.req.form end`:                                                          `main.lua:2:43: message has no field "form"; did you mean "from"?`,
		`function M.on_invite(call) call:nte("x") end`:                                                                 `main.lua:2:32: call has no field "nte"; did you mean "note"?`,
		`function M.on_invite(call) call.note("x") end`:                                                                `main.lua:2:32: call:note is called with a colon`,
		`function M.on_invite(call) if call.source.truk then end end`:                                                  `main.lua:2:42: source has no field "truk"; did you mean "trunk"?`,
		`function M.on_invite(call) return b2b.rout "sip:a@b.example" end`:                                             `main.lua:2:38: b2b has no "rout"; did you mean "route"?`,
		`function M.on_invite(call) return b2b.trunk.isup("pbx") end`:                                                  `main.lua:2:44: b2b.trunk has no "isup"`,
		`function M.on_invite(call) return b2b.reject(200) end`:                                                        `main.lua:2:46: code 200 is not 400 to 699`,
		`function M.on_invite(call) return b2b.reject(486, "x", {Via = "y"}) end`:                                      `main.lua:2:57: Via belongs to the engine`,
		`function M.on_invite(call) return b2b.redirect{contact = "sip:a@b", code = 486} end`:                          `main.lua:2:76: code 486 is not 300 to 399`,
		`function M.on_request() return b2b.reply(180) end`:                                                            `main.lua:2:42: code 180 is not 200 to 699`,
		`M.inbound = { INVIT = function(m) end }`:                                                                      `"INVIT" is never asked: no method is called INVIT; did you mean "INVITE"?`,
		`M.outbound = { ["180 INVTE"] = function() end }`:                                                              `main.lua:2:17: "180 INVTE" is never asked: no method is called INVTE; did you mean "INVITE"?`,
		`function M.on_invite() return b2b.route{too = "sip:a@b.example"} end`:                                         `main.lua:2:41: b2b.route: unknown key "too"; did you mean "to"?`,
		`function M.on_invite() if b2b.random.int(1, 2) == 1 then return b2b.skip() end end`:                           `main.lua:2:65: on_invite returns b2b.skip; it may return nil, b2b.route, b2b.reject,`,
		`function M.on_request(call, leg, req) return b2b.reject(486) end`:                                             `on_request returns b2b.reject; it may return nil or b2b.reply(code)`,
		`function M.on_message() return 200 end`:                                                                       `main.lua:2:32: on_message returns 200; it may return nil, b2b.route, b2b.reply`,
		`function M.on_branch() return false end`:                                                                      `on_branch returns a boolean; it may return nil or b2b.skip()`,
		`function M.on_invite() return b2b.route{to = {trunk = "pxb"}} end`:                                            `main.lua:2:55: unknown trunk "pxb"; did you mean "pbx"?`,
		`function M.on_invite() return b2b.route{trunk = "pxb"} end`:                                                   `unknown trunk "pxb"`,
		`function M.on_invite() if b2b.trunk.up("pxb") then end end`:                                                   `main.lua:2:40: unknown trunk "pxb"`,
		`function M.on_failure() return b2b.next{to = {{trunk = "x"}}} end`:                                            `unknown trunk "x"`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", rng = 3} end`:                                 `main.lua:2:65: b2b.route: unknown key "rng"; did you mean "ring"?`,
		`function M.on_invite() return b2b.route{to = {"sip:a@b.example", "sip:a@b.example"}} end`:                     `sip:a@b.example stands in the list twice: it is called twice`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", retry = {503, 603}} end`:                      `main.lua:2:79: retry: 603 Decline is said for the person`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", retry = {487}} end`:                           `retry: 487 Request Terminated follows a CANCEL`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", retry = {"5x"}} end`:                          `retry: "5x" is not a code from 300 to 699`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", headers = {set = {CSeq = "1"}}} end`:          `main.lua:2:83: CSeq belongs to the engine`,
		`function M.on_invite() return b2b.route{to = {{trunk = "pbx", user = "1"}, {user = "1", trunk = "pbx"}}} end`: `trunk pbx stands in the list twice with the same number`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", strategy = "serail"} end`:                     `main.lua:2:76: b2b.route: strategy is "serail"; want one of [serial parallel weighted hash least_loaded]; did you mean "serial"?`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", callid = 1} end`:                              `main.lua:2:74: b2b.route: callid is "1"`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", headers = {preset = "egde"}} end`:             `b2b.route: headers: preset is "egde"; want one of`,
		`function M.on_invite() return b2b.route{to = "sip:a@b.example", ring = -1} end`:                               `main.lua:2:72: b2b.route: ring is -1; want seconds`,
		`function M.on_invite() return b2b.route{to = {uri = "sip:a@b.example", try = "soon"}} end`:                    `target: try is soon; want seconds`,
	} {
		if got := advised(t, body); !strings.HasPrefix(got, "main.lua:2:") || !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestCheckSaysNothingOfWhatMayBeRight(t *testing.T) {
	for _, body := range []string{
		`function M.on_branch(call, leg, req) req.h["X-A"] = nil req.h:keep{"Via"} req.h:drop{"V*"} req.from.uri.user = "x" req.uri.params.lr = "" end`,
		`function M.on_branch(call, leg, req) for _, req in ipairs{{h = {}, foo = 1}} do req.h["Via"] = req.foo end end`,
		`function M.on_branch(call, leg, req) local h = {Via = 1} h["Via"] = 2 req = {} req.status = 3 end`,
		`function M.on_failure(call, leg, res) res.status = 486 res.reason = "x" if leg.trunk and leg.trunk.up then leg.trunk:penalize(3) end end`,
		`function M.on_response(call, leg, res) res.status = 404 end`,
		`function M.on_invite(call) local function n() return 5 end table.sort({}, function() return false end) return b2b.drop() end`,
		`M.inbound = { FOO = function(m) end, ["* SERVICE"] = function() end, ["* *"] = function() end }`,
		`M.outbound = { ["* *"] = function(m) m.status = 183 end, ["1xx-2xx *"] = function(m) m.status = 299 end, ["18x INVITE"] = function(m) m.status = 183 end }`,
		`function M.on_invite(call) local code = 200 return b2b.reject(call.req.h["X"] and code or 486) end`,
		`function M.on_invite(call) return b2b.route{to = {{trunk = "pbx", user = "1"}, {trunk = call.params.x}, {"sip:a@b.example", "sip:a@b.example"}}, retry = {486, "4xx", "5xx", "timeout"}} end`,
		`function M.on_invite(call) return b2b.route{to = {"sip:a@b.example", "sip:a@b.example"}, strategy = "weighted"} end`,
		`function M.on_end(call) local f = function() return b2b.reject(486) end f() end`,
		`function M.on_invite(call) return b2b.route{to = {{trunk = "pbx"}, {trunk = "pbx", user = "2"}, {trunk = "pbx", user = call.req.uri.user}, {trunk = "pbx", user = call.req.uri.user}}, ring = "30", try = 0.5, strategy = call.data.x} end`,
		`function M.on_register(txn) return b2b.reply(200, "OK", {["X-A"] = "b"}, txn.req.body) end`,
		`function M.on_final(call, res) if res.sdp and res.sdp.audio then res.sdp.audio:keep{"PCMA"} end call.data.x = 1 call.data.y.z = 2 end`,
	} {
		if got := advised(t, body); got != "" {
			t.Errorf("%s:\n%s", body, got)
		}
	}
}

func TestCheckWarnsAlsoOfAScriptThatDoesNotLoad(t *testing.T) {
	r, err := try(t, map[string]string{"main.lua": "return {}"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := r.config(t)
	cfg.Source.Path = filepath.Join(t.TempDir(), "main.lua")
	write(t, filepath.Dir(cfg.Source.Path), map[string]string{"main.lua": "local M = {}\nfunction M.on_invite() return b2b.reject(99) end\n  function M.on_invit() end\nreturn M\n"})
	problems, _ := Check(context.Background(), cfg)
	wantIn(t, problems.Error(), `main.lua:3:14: unknown hook on_invit; did you mean "on_invite"?`, "main.lua:2:42: code 99 is not 400 to 699")
}

func TestCheckReadsTheModulesThatAreRequired(t *testing.T) {
	r, err := try(t, map[string]string{
		"main.lua":           "local dial = require 'lib.dial'\nreturn {on_invite = function() return dial() end}",
		"lib/dial.lua":       "return function() return b2b.route {trunk = 'nobody'} end",
		"elsewhere/main.lua": "return {on_invite = function() return b2b.route {trunk = 'another'} end}",
	})
	if err != nil {
		t.Fatal(err)
	}
	problems, _ := Check(context.Background(), r.config(t))
	if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), `lib/dial.lua:1:45: unknown trunk "nobody"`) {
		t.Error(problems)
	}
}
