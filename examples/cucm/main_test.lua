local t = require "b2b.test"

local function out(to)
  return t.invite {
    to = to or "sip:+4930123@sbc.example", from_trunk = "pbx", from = "<sip:4711@192.0.2.3>",
    headers = { Diversion = "<sip:4712@192.0.2.3>;reason=no-answer" },
  }
end

t.it("hides extensions and addresses from the carrier", function()
  local got = out():b(1):received("INVITE")
  t.eq(got.h.Diversion, "<sip:+18885554712@192.0.2.3>;reason=no-answer")
  t.eq(tostring(got.from.uri), "sip:4711@pbx.example")
end)

t.it("leaves an emergency call as it is", function()
  local got = out("sip:911@sbc.example"):b(1):received("INVITE")
  t.eq(got.h.Diversion, nil)
  t.eq(tostring(got.from.uri), "sip:4711@192.0.2.3")
end)

t.it("lets phones hear the carrier's announcements", function()
  local c = out()
  c:b(1):send(180)
  t.eq(c:a():received(180).status, 180)
  c:b(1):send(180, { ["Content-Type"] = "application/sdp" }, "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")
  t.eq(c:a():received(183).reason, "Session Progress")
end)

t.it("tells the PBX whose call it is", function()
  local c = t.invite { to = "sip:4711@sbc.example", from_trunk = "carrier", headers = { ["X-Account"] = "7" } }
  t.eq(c:b(1):received("INVITE").h["X-Account"], "7")
  c:b(1):send(488, { Warning = '304 192.0.2.3 "Media type not available"' })
  t.eq(c:a():final().status, 480)
  t.eq(c:a():final().h.Warning, nil)
end)
