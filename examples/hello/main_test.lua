local t = require "b2b.test"

t.it("routes an extension to the PBX", function()
  local c = t.invite { to = "sip:4711@sbc.example", from_trunk = "phones" }
  t.eq(c:attempts(), 1)
  local invite = c:b(1):received("INVITE")
  t.eq(invite.uri.user, "4711")
  t.eq(invite.h["X-Legwork"], "hello")
  t.eq(invite.from.display, "Hello alice")
end)

t.it("knows only extensions", function()
  local c = t.invite { to = "sip:12@sbc.example", from_trunk = "phones" }
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 404)
end)

t.it("tells a busy phone as unavailable", function()
  local c = t.invite { to = "sip:4711@sbc.example", from_trunk = "phones" }
  c:b(1):send(180)
  c:b(1):send(486)
  t.eq(c:a():final().status, 480)
  t.eq(c:a():final().reason, "Busy, please call later")
end)
