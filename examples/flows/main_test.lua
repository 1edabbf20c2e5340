local t = require "b2b.test"

local function call(callee)
  return t.invite { to = "sip:" .. callee .. "@biloxi.example.com", from_trunk = "alice" }
end

local function rings(c, n)
  return c:b(n):received("INVITE").uri.user
end

t.it("forwards every call of one who wants that", function()
  local c = call("bob.always")
  t.eq(rings(c, 1), "carol")
end)

t.it("forwards calls to a busy phone, and no others", function()
  local c = call("bob.busy")
  t.eq(rings(c, 1), "bob")
  c:b(1):send(486)
  t.eq(rings(c, 2), "carol")
  local other = call("bob.busy")
  other:b(1):send(180)
  t.advance(61)
  t.eq(other:attempts(), 1)
  t.eq(other:a():final().status, 480)
end)

t.it("forwards calls that nobody answers", function()
  local c = call("bob.away")
  c:b(1):send(180)
  t.advance(19)
  t.eq(c:attempts(), 1)
  t.advance(2)
  t.eq(rings(c, 2), "carol")
end)

t.it("looks for one who is somewhere", function()
  local c = call("bob.anywhere")
  c:b(1):send(486)
  c:b(2):send(480)
  t.eq(rings(c, 3), "desk")
  c:b(3):send(486)
  t.eq(c:a():final().status, 486)
end)

t.it("says where one has moved", function()
  local c = call("bob.moved")
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 302)
  t.eq(c:a():final().contact.uri.host, "192.0.2.233")
end)

t.it("wants to know who calls one who screens calls", function()
  local c = call("bob.private")
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 407)
  t.ok(c:a():final().h["Proxy-Authenticate"])
end)

t.it("knows nobody else", function()
  t.eq(call("nobody"):a():final().status, 404)
end)
