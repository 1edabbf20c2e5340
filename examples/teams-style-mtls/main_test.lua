local t = require "b2b.test"

-- What a client that speaks ICE and SRTP offers.
local offer = table.concat({
  "v=0", "o=- 1 1 IN IP4 192.0.2.5", "s=-", "c=IN IP4 192.0.2.5", "t=0 0", "a=ice-lite",
  "m=audio 40000 RTP/SAVP 104 8 101",
  "a=rtpmap:104 SILK/16000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000",
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^31",
  "a=ice-ufrag:8hhY", "a=ice-pwd:YH75Fviy6338Vbrhrlp8Yh",
  "a=candidate:1 1 UDP 2130706431 192.0.2.5 40000 typ host", "a=rtcp-mux", "",
}, "\r\n")

local function from_pbx(to)
  return t.invite {
    to = "sip:" .. (to or "03012345678") .. "@sbc.example", from = '"Anna" <sip:03087654321@pbx.example>', from_trunk = "pbx", sdp = offer,
    headers = { ["P-Asserted-Identity"] = "<sip:03087654321@pbx.example>" },
  }
end

local function from_cloud()
  return t.invite { to = "sip:+493087654321@sbc.example", from = "sip:+493012345678@sip.cloud.example", from_trunk = "cloud", sdp = offer }
end

t.it("shows the cloud our name and numbers of the world", function()
  local invite = from_pbx():b(1):received("INVITE")
  local name = invite.contact.uri.host
  t.eq(invite.uri.user, "+493012345678")
  t.eq(invite.uri.params.user, "phone")
  t.eq(invite.from.uri.user, "+493087654321")
  t.eq(invite.from.uri.host, name)
  t.eq(invite.h:addr("P-Asserted-Identity").uri.host, name)
end)

t.it("writes numbers for the PBX as its phones dial", function()
  local invite = from_cloud():b(1):received("INVITE")
  t.eq(invite.uri.user, "03087654321")
  t.eq(invite.from.uri.user, "03012345678")
end)

t.it("leaves ICE and SRTP alone, both ways", function()
  for _, c in ipairs { from_pbx(), from_cloud() } do
    t.eq(c:b(1):received("INVITE").body, offer)
    c:b(1):send(200, nil, offer)
    t.eq(c:a():final().body, offer)
  end
end)

t.it("moves to the next place of the cloud when one is silent or down", function()
  local c = from_pbx()
  t.eq(c:b(1):received("INVITE").uri.host, "127.0.0.2")
  t.advance(3.1)
  t.eq(c:b(2):received("INVITE").uri.host, "127.0.0.3")
  c:b(2):send(503)
  t.eq(c:b(3):received("INVITE").uri.host, "127.0.0.4")
  c:b(3):send(200)
  t.eq(c:a():final().status, 200)
end)

t.it("refreshes the session at half time, and ends it when the cloud is gone", function()
  local c = from_pbx()
  local invite = c:b(1):received("INVITE")
  t.eq(invite.h["Session-Expires"], "1800;refresher=uac")
  t.eq(invite.h["Min-SE"], "90")
  c:b(1):send(200, { ["Session-Expires"] = "1800;refresher=uac", Require = "timer" })
  t.advance(901)
  local refresh = c:b(1):received("UPDATE") or c:b(1):received("INVITE")
  t.ok(refresh.h["CSeq"] ~= invite.h["CSeq"], "no refresh")
  t.ok(not c:a():received("BYE"))
  t.advance(40) -- and nobody answers it
  t.ok(c:a():received("BYE"))
end)

t.it("answers the cloud's OPTIONS", function()
  local ok = t.request { method = "OPTIONS", to = "sip:sbc.example", from_trunk = "cloud" }:final()
  t.eq(ok.status, 200)
end)
