-- Made by legwork fixture of call.pcap:
-- 2027-01-15 08:00:00.000 sip:12@pbx.example → sip:4711@sbc.example one
local t = require "b2b.test"

local function lines(text) return (text:gsub("\n", "\r\n")) end

t.it("calls 4711 as on 2027-01-15 08:00:00", function()
  local c = t.invite {
    from_trunk = "pbx",
    text = [[
INVITE sip:4711@sbc.example SIP/2.0
From: <sip:12@pbx.example>;tag=a
To: <sip:4711@sbc.example>
Call-ID: one
CSeq: 1 INVITE
Contact: <sip:12@192.0.2.70>
Max-Forwards: 70
Subject: yes
Content-Type: application/sdp

v=0
o=- 1 1 IN IP4 192.0.2.70
s=-
c=IN IP4 192.0.2.70
t=0 0
m=audio 4000 RTP/AVP 8
]],
  }
  t.advance(3)
  t.eq(c:attempts(), 1)
  local b1 = c:b(1):received("INVITE")
  t.eq(b1.uri.user, "4711")
  t.eq(b1.from.uri.user, "12")
  t.eq(b1.h["Subject"], "yes")
  -- t.eq(b1.h["X-At"], "192.0.2.1") names an address
  t.ok(b1.sdp)
  t.advance(1)
  c:b(1):send(503, { ["Retry-After"] = "7" })
  t.advance(2)
  t.eq(c:attempts(), 2)
  local b2 = c:b(2):received("INVITE")
  t.eq(b2.uri.user, "4711")
  t.eq(b2.from.uri.user, "12")
  t.ok(b2.sdp)
  t.advance(1)
  c:b(2):send(180)
  t.advance(1)
  t.ok(c:a():received(180))
  t.advance(1)
  c:b(2):send(200, nil, lines [[
v=0
o=- 1 1 IN IP4 192.0.2.70
s=-
c=IN IP4 192.0.2.70
t=0 0
m=audio 4000 RTP/AVP 8
]])
  t.advance(1)
  t.eq(c:a():final().status, 200)
  t.advance(2)
  c:b(2):send("BYE", { ["Reason"] = "Q.850;cause=16" })
  t.advance(1)
  t.ok(c:a():received("BYE"))
  t.eq(c:attempts(), 2)
end)
