local t = require "b2b.test"

local function call(number)
  return t.invite { to = "sip:" .. number .. "@sbc.example", from_trunk = "pbx" }
end

local function carrier(c, n)
  return c:b(n):received("INVITE").uri.host
end

t.it("goes by the table when nobody can ask the service", function()
  local c = call("03012345678")
  t.eq(carrier(c, 1), "127.0.0.2")
  t.eq(c:b(1):received("INVITE").uri.user, "+493012345678")
  c:b(1):send(503)
  t.eq(carrier(c, 2), "127.0.0.3")
  c:b(2):send(200)
  t.eq(c:a():final().status, 200)
end)

t.it("takes the longest prefix of the table", function()
  t.eq(carrier(call("01713920012"), 1), "127.0.0.3")
end)

t.it("takes no carrier that the table does not name", function()
  local c = call("00442079460018")
  c:b(1):send(503)
  t.eq(c:attempts(), 1)
  t.eq(c:a():final().status, 503)
end)

t.it("says so when no carrier takes a number", function()
  local c = call("0033142688788")
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 404)
end)

t.it("wants a number", function()
  t.eq(call("reception"):a():final().status, 484)
end)
