local t = require "b2b.test"

local function from_carrier(to, headers)
  return t.invite { to = "sip:" .. to, from = "sip:+442079460018@carrier.example", from_trunk = "carrier", headers = headers }
end

local function from_pbx(user, to)
  return t.invite { to = "sip:" .. to .. "@sbc.example", from = "sip:" .. user .. "@pbx.example", from_trunk = "pbx" }
end

t.it("rings the extension of a number", function()
  local invite = from_carrier("+493023125211@sbc.example"):b(1):received("INVITE")
  t.eq(invite.uri.user, "211")
  t.eq(invite.from.uri.user, "+442079460018")
end)

t.it("finds the number when it is called by its account", function()
  local headers = { ["P-Called-Party-ID"] = "<sip:03023125212@carrier.example>" }
  t.eq(from_carrier("acct@sbc.example", headers):b(1):received("INVITE").uri.user, "212")
end)

t.it("knows no other numbers", function()
  t.eq(from_carrier("+493023125213@sbc.example"):a():final().status, 404)
  t.eq(from_carrier("acct@sbc.example"):a():final().status, 404)
end)

t.it("calls out with the number of the extension", function()
  local invite = from_pbx("211", "01713920012"):b(1):received("INVITE")
  t.eq(tostring(invite.uri), "sip:+491713920012@carrier.example")
  t.eq(tostring(invite.to.uri), "sip:+491713920012@carrier.example")
  t.eq(tostring(invite.from.uri), "sip:+493023125211@carrier.example")
  t.eq(invite.h:addr("P-Asserted-Identity").uri.user, "+493023125211")
end)

t.it("calls out with the main number for an extension without one", function()
  t.eq(from_pbx("333", "112"):b(1):received("INVITE").from.uri.user, "+4930231250")
end)

t.it("keeps calls to our own numbers in the house", function()
  local invite = from_pbx("211", "03023125212"):b(1):received("INVITE")
  t.eq(invite.uri.user, "212")
  t.eq(invite.from.uri.user, "211")
end)

t.it("shows the password when it is asked for it", function()
  local c = from_pbx("211", "01713920012")
  c:b(1):send(407, { ["Proxy-Authenticate"] = 'Digest realm="carrier.example", nonce="abc", qop="auth"' })
  t.match(c:b(1):received("INVITE").h["Proxy-Authorization"], 'username="acct"')
  c:b(1):send(200)
  t.eq(c:a():final().status, 200)
end)

t.it("has four lines at the carrier", function()
  for _ = 1, 4 do
    from_pbx("211", "01713920012"):b(1):send(180)
  end
  t.eq(from_pbx("212", "01713920012"):a():final().status, 503)
end)
