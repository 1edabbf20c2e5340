local t = require "b2b.test"

local function call()
  return t.invite { to = "sip:+491713920012@sbc.example", from_trunk = "pbx" }
end

local function carrier(c, n)
  return c:b(n):received("INVITE").uri.host
end

t.it("tries each carrier once, the reserve last", function()
  local c = call()
  c:b(1):send(503)
  c:b(2):send(500)
  t.ok(carrier(c, 1) ~= carrier(c, 2))
  t.eq(carrier(c, 3), "127.0.0.4")
  c:b(3):send(502)
  t.eq(c:attempts(), 3)
  t.eq(c:a():final().status, 503)
  t.eq(c:a():final().reason, "No carrier")
  t.eq(c:a():final().q850, 42)
end)

t.it("moves on when a carrier stays silent", function()
  local c = call()
  t.advance(4.1)
  t.eq(c:attempts(), 2)
end)

t.it("does not ring a person twice", function()
  local c = call()
  c:b(1):send(180)
  c:b(1):send(503)
  t.eq(c:attempts(), 1)
  t.eq(c:a():final().status, 503)
end)

t.it("does not try elsewhere when nobody answers", function()
  local c = call()
  c:b(1):send(180)
  t.advance(45.1)
  t.eq(c:attempts(), 1)
  t.eq(c:a():final().status, 480)
end)

t.it("takes a busy phone at its word", function()
  local c = call()
  c:b(1):send(486)
  t.eq(c:attempts(), 1)
  t.eq(c:a():final().status, 486)
end)

t.it("leaves a carrier alone that asked for a rest", function()
  local first = call()
  local resting = carrier(first, 1)
  first:b(1):send(503, { ["Retry-After"] = "30" })
  first:b(2):send(486)
  for _ = 1, 10 do
    local c = call()
    t.ok(carrier(c, 1) ~= resting, "it was called again")
    c:b(1):send(486)
  end
end)

t.it("tells a number that is not there the same way whoever says so", function()
  local c = call()
  c:b(1):send(604)
  t.eq(c:a():final().status, 404)
  t.eq(c:a():final().reason, "No such number")
end)

t.it("has three lines and says when they are free", function()
  local calls = {}
  for i = 1, 3 do
    calls[i] = call()
    t.eq(calls[i]:attempts(), 1)
  end
  local fourth = call()
  t.eq(fourth:attempts(), 0)
  t.eq(fourth:a():final().status, 503)
  t.eq(fourth:a():final().reason, "All lines busy")
  t.eq(fourth:a():final().h["Retry-After"], "10")
  calls[1]:b(1):send(486)
  t.advance(40) -- a call is over once its transactions are
  t.eq(call():attempts(), 1)
end)
