package luatest

import "testing"

// outside answers what is no call.
const outside = `
function M.on_message(txn)
  if txn.req.body == "here" then return b2b.reply(200, "Read", { ["X-By"] = txn.source.trunk }, "thanks") end
  return b2b.route { to = { { trunk = "first" }, { trunk = "second" } }, callid = "keep" }
end
function M.on_register(txn)
  return b2b.reject(403, ("%s %s %s"):format(tostring(txn.req.uri), txn.req.from.uri.user, txn.req.to.uri.user))
end
function M.on_other(txn) return b2b.reply(299, txn.req.method) end
`

func TestARequestOutsideACallIsAnsweredByItsHook(t *testing.T) {
	passes(t, outside, `
t.it("here", function()
  local c = t.request { method = "MESSAGE", to = "sip:bob@sbc.example", from_trunk = "pbx", body = "here" }
  t.eq(c:final().status, 200)
  t.eq(c:a():final().h["X-By"], "pbx")
  t.eq(c:a():received().body, "thanks")
  t.eq(c:attempts(), 0)
end)
t.it("registers for itself with the domain", function()
  local c = t.request { method = "REGISTER", to = "sip:bob@sbc.example:5070", from_trunk = "pbx" }
  t.eq(c:final().reason, "sip:sbc.example:5070 bob bob")
end)
t.it("by its method", function()
  t.eq(t.request { method = "X-FOO", to = "sip:bob@sbc.example", from_trunk = "pbx" }:final().reason, "X-FOO")
  t.eq(t.request { method = "OPTIONS", to = "sip:sbc.example", from_trunk = "pbx" }:final().status, 299)
end)
t.it("in the middle of a call", function()
  local c = t.invite { to = "sip:bob@sbc.example", from_trunk = "pbx" }
  t.eq(c:final().status, 404)
  t.eq(t.request { method = "MESSAGE", to = "sip:bob@sbc.example", from_trunk = "pbx", body = "here" }:final().status, 200)
  t.eq(c:attempts(), 0)
end)
`)
}

func TestARequestThatGoesOnIsSeenByItsTargets(t *testing.T) {
	passes(t, outside, `
t.it("to the second when the first is down", function()
  local c = t.request {
    method = "MESSAGE", to = "sip:bob@sbc.example", from = "sip:anna@pbx.example", from_trunk = "pbx",
    headers = { ["Content-Type"] = "text/plain" }, body = "far", id = "m1",
  }
  t.eq(c:b(1):received("MESSAGE").body, "far")
  t.eq(c:b(1):received().call_id, "m1")
  t.ok(not c:b(1):received().contact)
  c:b(1):send(503)
  t.eq(c:attempts(), 2)
  c:b(2):send(202, { ["SIP-ETag"] = "e1" })
  t.eq(c:final().status, 202)
  t.eq(c:final().h["SIP-ETag"], "e1")
end)
`)
}

func TestAMisuseOfARequestIsExplained(t *testing.T) {
	for body, want := range map[string]string{
		`t.request { to = "sip:1@sbc.example" }`:                                                            `t.request: method = "" is not a method`,
		`t.request { method = "A B", to = "sip:1@sbc.example" }`:                                            `t.request: method = "A B" is not a method`,
		`t.request { method = "INVITE", to = "sip:1@sbc.example" }`:                                         `t.request: a call is placed with t.invite{...}`,
		`t.request { method = "MESSAGE" }`:                                                                  `t.request: to = "sip:..." is missing`,
		`t.request { metod = "MESSAGE" }`:                                                                   `t.request: unknown key "metod"; did you mean "method"?`,
		`t.request { method = "MESSAGE", to = "sip:1@x.example", auth = "anna" }`:                           `t.request: auth = {user = ..., password = ...}: want a table, got a string`,
		`t.request { method = "MESSAGE", to = "sip:1@x.example", auth = { user = "anna" } }`:                `t.request: auth needs user and password`,
		`t.request "MESSAGE"`:                                                                               `t.request{to=..., from_trunk=...}: want a table, got a string`,
		`t.request { method = "MESSAGE", to = "sip:1@sbc.example", from_trunk = "pbx" }:a():send("CANCEL")`: `send: there is no INVITE to cancel; nothing came`,
		`t.request { method = "MESSAGE", to = "sip:1@sbc.example", from_trunk = "pbx" }:a():send("INFO")`:   `send: INFO needs a dialog and there is none; nothing came`,
	} {
		if got := breaks(t, outside, it(body)); got != "main_test.lua:3: "+want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestAChallengeIsAnsweredByWhoHasThePassword(t *testing.T) {
	const body = `
local proof = b2b.challenge { realm = "home", users = function(user) return user == "anna" and "secret" or nil end }
function M.on_register(txn)
  if not txn.source.account then txn.data.asked = true return proof end
  return b2b.reply(200, txn.source.account .. tostring(txn.data.asked))
end
function M.on_invite(call)
  if not call.source.account then return b2b.challenge { users = function() return "secret" end, code = 407 } end
  return b2b.route { to = { trunk = "first" } }
end
function M.on_message(txn) return proof end
`
	passes(t, body, `
local function register(user, password)
  local auth = user and { user = user, password = password }
  return t.request { method = "REGISTER", to = "sip:anna@sbc.example", from_trunk = "pbx", auth = auth }:final()
end
t.it("registers", function()
  t.eq(register("anna", "secret").reason, "annatrue")
  t.eq(register("anna", "wrong").status, 401)
  t.eq(register("bert", "secret").status, 401)
  t.eq(register().status, 401)
  t.match(register().h["WWW-Authenticate"], 'realm="home"')
end)
t.it("calls", function()
  local c = t.invite { to = "sip:bob@sbc.example", from_trunk = "pbx", auth = { user = "anna", password = "secret" } }
  t.ok(not c:b(1):received("INVITE").h["Proxy-Authorization"])
  c:b(1):send(200)
  t.eq(c:final().status, 200)
  c:a():send("BYE")
  t.ok(c:b(1):received("BYE"))
  t.eq(t.invite { to = "sip:bob@sbc.example", from_trunk = "pbx" }:final().status, 407)
end)
t.it("falls back to the default when it asks twice", function()
  local auth = { user = "anna", password = "secret" }
  t.eq(t.request { method = "MESSAGE", to = "sip:bob@sbc.example", from_trunk = "pbx", auth = auth }:final().status, 405)
end)
`)
}
