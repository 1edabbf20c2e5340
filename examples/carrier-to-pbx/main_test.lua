local t = require "b2b.test"
local dial = require "dial"

local site = { country = "DE", code = "49", block = "+493023125" }

local offer = table.concat({
  "v=0", "o=- 1 1 IN IP4 192.0.2.5", "s=-", "c=IN IP4 192.0.2.5", "t=0 0",
  "m=audio 40000 RTP/AVP 9 0 8 18 101",
  "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:18 G729/8000",
  "a=rtpmap:101 telephone-event/8000", "",
}, "\r\n")

local function names(msg)
  local list = {}
  for i, codec in ipairs(msg.sdp.audio:codecs()) do
    list[i] = codec.name
  end
  return table.concat(list, " ")
end

t.it("translates what the phones dial", function()
  t.eq(dial.outside("211", site), "+493023125211")
  t.eq(dial.outside("01713920012", site), "+491713920012")
  t.eq(dial.outside("00442079460018", site), "+442079460018")
  t.eq(dial.outside("112", site), "112")
  t.eq(dial.outside("reception", site), nil)
end)

t.it("translates what the phones show", function()
  t.eq(dial.inside("+493023125211", site), "211")
  t.eq(dial.inside("+491713920012", site), "01713920012")
  t.eq(dial.inside("+442079460018", site), "00442079460018")
  t.eq(dial.inside("anonymous", site), "anonymous")
end)

t.it("calls the carrier by number and with a number", function()
  local c = t.invite {
    to = "sip:01713920012@sbc.example", from = "sip:211@pbx.example", from_trunk = "pbx",
    headers = { ["X-Floor"] = "3", ["User-Agent"] = "PBX 1.0" },
  }
  local invite = c:b(1):received("INVITE")
  t.eq(invite.uri.user, "+491713920012")
  t.eq(invite.to.uri.user, "+491713920012")
  t.eq(invite.from.uri.user, "+493023125211")
  t.eq(invite.from.display, nil)
  t.eq(invite.h:addr("P-Asserted-Identity").uri.user, "+493023125211")
  t.eq(invite.h["X-Floor"], nil)
  t.eq(invite.h["User-Agent"], "Office")
end)

t.it("hides who calls when the phone asks for it", function()
  local c = t.invite {
    to = "sip:01713920012@sbc.example", from = "sip:211@pbx.example", from_trunk = "pbx",
    headers = { Privacy = "id" },
  }
  local invite = c:b(1):received("INVITE")
  t.eq(invite.from.uri.host, "anonymous.invalid")
  t.eq(invite.h["Privacy"], "id")
  t.eq(invite.h:addr("P-Asserted-Identity").uri.user, "+493023125211")
end)

t.it("offers the carrier G.711, A-law first", function()
  local c = t.invite { to = "sip:112@sbc.example", from_trunk = "pbx", sdp = offer }
  local invite = c:b(1):received("INVITE")
  t.eq(invite.uri.user, "112")
  t.eq(names(invite), "PCMA PCMU telephone-event")
end)

t.it("rings an extension for a number of ours", function()
  local c = t.invite {
    to = "sip:+493023125211@sbc.example", from = "sip:+442079460018@carrier.example", from_trunk = "carrier",
    headers = { ["P-Asserted-Identity"] = "<sip:+442079460018@carrier.example>" }, sdp = offer,
  }
  local invite = c:b(1):received("INVITE")
  t.eq(invite.uri.user, "211")
  t.eq(invite.from.uri.user, "00442079460018")
  t.eq(invite.h:addr("P-Asserted-Identity").uri.user, "00442079460018")
  t.eq(invite.h["X-Line"], "carrier")
  t.eq(names(invite), "G722 PCMA PCMU G729 telephone-event")
end)

t.it("tells the carrier who answered, and nothing else", function()
  local c = t.invite { to = "sip:+493023125211@sbc.example", from_trunk = "carrier" }
  c:b(1):send(200, {
    ["P-Asserted-Identity"] = '"Anna" <sip:212@pbx.example>', ["X-Floor"] = "3", ["Server"] = "PBX 1.0",
  })
  local ok = c:a():final()
  t.eq(ok.status, 200)
  t.eq(ok.h:addr("P-Asserted-Identity").uri.user, "+493023125212")
  t.eq(ok.h:addr("P-Asserted-Identity").display, nil)
  t.eq(ok.h["X-Floor"], nil)
  t.eq(ok.h["Server"], "Office")
end)

t.it("refuses what is not ours or not a number", function()
  t.eq(t.invite { to = "sip:+493099999@sbc.example", from_trunk = "carrier" }:a():final().status, 404)
  t.eq(t.invite { to = "sip:reception@sbc.example", from_trunk = "pbx" }:a():final().status, 484)
end)
