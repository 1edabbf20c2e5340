local t = require "b2b.test"

t.it("takes a number to the PBX", function()
  local c = t.invite { to = "sip:+4930123@web.example", from_trunk = "pbx" }
  t.eq(c:b(1):received("INVITE").uri.user, "+4930123")
  t.eq(c:b(1):received("INVITE").uri.host, "127.0.0.2")
end)

t.it("has nobody to call where nobody has registered", function()
  local c = t.invite { to = "sip:alice@web.example", from_trunk = "pbx" }
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 480)
end)
