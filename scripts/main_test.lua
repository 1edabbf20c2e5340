local t = require "b2b.test"
local main = require "main"
local numbers = require "numbers"
local routes = require "routes"

t.it("has no answer of its own when no route fits", function()
  local c = t.invite { to = "sip:+4930123@sbc.example", from_trunk = "office" }
  t.eq(c:attempts(), 0)
  t.eq(c:a():final().status, 404)
end)

t.it("asks for a number", function()
  local c = t.invite { to = "sip:sbc.example", from_trunk = "office" }
  t.eq(c:a():final().status, 484)
end)

t.it("takes the longest prefix whose trunks are there", function()
  local all = routes.read({ "+49 a b", "+4930 c", "* a", "+1 gone", "  4   b  " }, { "a", "b", "c" })
  local function find(number)
    local prefix, trunks = routes.find(all, number)
    return prefix .. ": " .. table.concat(trunks, " ")
  end
  t.eq(find("+4930123"), "+4930: c")
  t.eq(find("+4989123"), "+49: a b")
  t.eq(find("4711"), "4: b")
  t.eq(find("+15550100"), "*: a")
  t.eq(find("alice"), "*: a")
end)

t.it("has no route without a prefix that matches", function()
  t.eq(routes.find(routes.read({ "+49 a", "nonsense" }, { "a" }), "+1555"), nil)
end)

t.it("writes numbers in E.164 and leaves the rest alone", function()
  t.eq(numbers.e164("030 123456", "DE"), "030 123456") -- not a number of SIP
  t.eq(numbers.e164("030123456", "DE"), "+4930123456")
  t.eq(numbers.e164("0044-20-7946-0018", "DE"), "+442079460018")
  t.eq(numbers.e164("+442079460018", "DE"), "+442079460018")
  t.eq(numbers.e164("4711", "DE"), "4711")
  t.eq(numbers.e164("alice", "DE"), "alice")
  t.eq(numbers.e164("030123456", ""), "030123456")
end)

t.it("declares what the configuration may set", function()
  t.eq(main.params.routes.type, "list")
  t.eq(main.params.country.default, "")
end)
