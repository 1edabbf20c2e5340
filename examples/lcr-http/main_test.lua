local t = require "b2b.test"

local function call(number)
  return t.invite { to = "sip:" .. number .. "@sbc.example", from_trunk = "pbx" }
end

local function carrier(c, n)
  return c:b(n):received("INVITE").uri.host
end

-- says makes the service answer any number with these prices, by carrier.
local function says(prices, after)
  local offers = {}
  for name, price in pairs(prices) do
    offers[#offers + 1] = { carrier = name, price = price }
  end
  t.stub { http = "GET *", answer = { json = { offers = offers } }, after = after }
end

local function fails(why)
  t.stub { http = "GET *", error = why }
end

t.it("asks for the number as the world writes it", function()
  t.stub { http = "GET */offers?number=%2B493012345678", answer = { json = { offers = { { carrier = "carrier-b", price = 1 } } } } }
  t.eq(carrier(call("03012345678"), 1), "127.0.0.3")
end)

t.it("tries the cheapest first, then the others", function()
  says { ["carrier-a"] = 0.019, ["carrier-b"] = 0.012 }
  local c = call("03012345678")
  t.eq(carrier(c, 1), "127.0.0.3")
  c:b(1):send(503)
  t.eq(carrier(c, 2), "127.0.0.2")
end)

t.it("passes over carriers that it can't call", function()
  says { ["carrier-a"] = 0.019, ["carrier-c"] = 0.001 }
  local c = call("03012345678")
  t.eq(carrier(c, 1), "127.0.0.2")
  c:b(1):send(503)
  t.eq(c:attempts(), 1)
end)

t.it("says so when nobody takes the number", function()
  t.stub { http = "GET *", answer = { status = 404 } }
  t.eq(call("03012345678"):a():final().status, 404)
end)

t.it("keeps the caller waiting for half a second at most", function()
  says({ ["carrier-b"] = 0.012 }, "2s")
  local c = call("03012345678")
  t.advance(0.4)
  t.eq(c:attempts(), 0)
  t.advance(0.2)
  t.eq(carrier(c, 1), "127.0.0.2") -- of the table
end)

t.it("does not ask again for five minutes", function()
  says { ["carrier-b"] = 0.012 }
  call("03012345678")
  says { ["carrier-a"] = 0.001 }
  t.eq(carrier(call("03012345678"), 1), "127.0.0.3")
  t.advance(301)
  t.eq(carrier(call("03012345678"), 1), "127.0.0.2")
end)

t.it("goes by old prices while the service is away", function()
  says { ["carrier-b"] = 0.012 }
  call("03012345678")
  fails("refused")
  t.advance(3600)
  t.eq(carrier(call("03012345678"), 1), "127.0.0.3")
  t.advance(86400)
  t.eq(carrier(call("03012345678"), 1), "127.0.0.2") -- of the table: they are too old
end)

t.it("leaves a service alone that fails", function()
  local asked = 0
  t.stub { http = "GET *", answer = function()
    asked = asked + 1
    return nil, "timeout"
  end }
  for i = 1, 9 do
    call("0301234567" .. i)
  end
  t.eq(asked, 5)
  t.advance(31)
  call("03012345678")
  t.eq(asked, 6)
end)

t.it("goes by the table when the service says something else", function()
  for _, answer in ipairs { { status = 500 }, { status = 403 }, { body = "<html>" }, { json = {} }, { json = { offers = 7 } } } do
    t.stub { http = "GET *", answer = answer }
    t.eq(carrier(call("03012345678"), 1), "127.0.0.2")
    t.advance(400) -- nothing of it is served again
  end
end)

t.it("goes by the table when nobody can ask the service", function()
  fails("refused")
  local c = call("03012345678")
  t.eq(carrier(c, 1), "127.0.0.2")
  t.eq(c:b(1):received("INVITE").uri.user, "+493012345678")
  c:b(1):send(503)
  t.eq(carrier(c, 2), "127.0.0.3")
  c:b(2):send(200)
  t.eq(c:a():final().status, 200)
end)

t.it("takes the longest prefix of the table", function()
  fails("refused")
  t.eq(carrier(call("01713920012"), 1), "127.0.0.3")
end)

t.it("takes no carrier that the table does not name", function()
  fails("refused")
  local c = call("00442079460018")
  c:b(1):send(503)
  t.eq(c:attempts(), 1)
  t.eq(c:a():final().status, 503)
end)

t.it("says so when no carrier takes a number", function()
  fails("refused")
  local c = call("0033142688788")
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 404)
end)

t.it("wants a number", function()
  t.eq(call("reception"):a():final().status, 484)
end)
