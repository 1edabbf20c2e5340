package luatest

import (
	"strings"
	"testing"
)

func TestPhonesDoByThemselvesWhatPhonesDo(t *testing.T) {
	passes(t, failover, `
local function call() return t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" } end

t.it("a cancelled callee says 487", function()
  local c = call()
  c:b(1):send(180)
  c:a():send("CANCEL", { Reason = "SIP;cause=200;text=\"elsewhere\"" })
  t.match(c:b(1):received("CANCEL").h["Reason"], "elsewhere")
  t.eq(c:a():final().status, 487)
  t.raises(function() c:b(1):send(200) end, "no request to answer")
end)

t.it("a BYE is answered during a long wait", function()
  local c = call()
  c:b(1):send(200)
  t.advance(5 * 3600)
  t.ok(c:a():received("BYE"))
  t.ok(c:b(1):received("BYE"))
  t.advance(60)
  t.eq(c:a():received().method, "BYE")
end)

t.it("a 2xx is acknowledged however often it comes", function()
  local c = call()
  c:b(1):send(200)
  c:a():send("ACK")
  t.advance(40)
  t.eq(c:b(1):received().method, "ACK")
end)

t.it("nobody who rings is hung up on when the test ends", function()
  call():b(1):send(180)
  call()
end)
`)
}

func TestCalleesAreReachedOverTLS(t *testing.T) {
	passes(t, `function M.on_invite(call) return b2b.route { to = call.req.uri.user .. ":desk@192.0.2.77:5062" .. (call.req.h["X-More"] or "") } end`, `
for scheme, more in pairs { sip = ";transport=tls", sips = "" } do
  t.it("a call is placed and hung up, " .. scheme, function()
    local c = t.invite { to = "sip:" .. scheme .. "@sbc.example", from_trunk = "pbx", headers = { ["X-More"] = more } }
    t.match(c:b(1):received("INVITE").h["Via"], "SIP/2.0/TLS ")
    c:b(1):send(200)
    c:b(1):send("INVITE")
    t.ok(c:a():received("INVITE"))
    c:a():send(200)
    t.advance(600)
    c:b(1):send("BYE")
    t.ok(c:a():received("BYE"))
  end)
end
`)
}

func TestGoodbyesAreAnsweredAtOnce(t *testing.T) {
	for body, sign := range map[string]string{
		"c:b(1):send(200) t.advance(3601)":                       " 200 OK (BYE) ",
		`c:b(1):send(180) c:a():send("CANCEL") t.advance(0.001)`: " 487 Request ",
	} {
		r := play(t, `function M.on_invite(call) return b2b.route { to = { trunk = "first" }, max_duration = 3600 } end`, it(asked1+body+" t.ok(false)"))
		if ladder := strings.Join(r.Results[0].Failure.Ladders, ""); strings.Count(ladder, sign) != 2 {
			t.Errorf("want%stwice in\n%s", sign, ladder)
		}
	}
}

func TestOffersAndAnswersAreWhatAgentsWouldSay(t *testing.T) {
	passes(t, failover, `
local function call(more)
  local i = { to = "sip:1@sbc.example", from_trunk = "pbx" }
  for k, v in pairs(more or {}) do i[k] = v end
  return t.invite(i)
end

t.it("an answer takes the offered codecs", function()
  local c = call { sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\na=sendonly\r\n" ..
    "m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n" }
  c:b(1):send(183)
  t.eq(c:a():received(183).sdp.audio:codecs()[1].name, "G729")
  c:b(1):send(200)
  local sdp = c:a():final().sdp
  t.eq(sdp.audio.direction, "recvonly")
  t.eq(sdp.video.port, 0)
end)

t.it("an INVITE without an offer gets one, and the ACK the answer", function()
  local c = call { sdp = false }
  t.eq(c:b(1):received("INVITE").sdp, nil)
  c:b(1):send(200)
  t.eq(#c:a():final().sdp.audio:codecs(), 3)
  t.eq(#c:b(1):received("ACK").sdp.audio:codecs(), 3)
end)

t.it("a body can be given or left out", function()
  local c = call { body = "hello", headers = { ["Content-Type"] = "text/plain" } }
  t.eq(c:b(1):received("INVITE").body, "hello")
  t.eq(c:b(1):received("INVITE").content_type, "text/plain")
  c:b(1):send(200, { ["X-B"] = { "1", "2" } }, false)
  t.eq(c:a():final().body, nil)
end)

t.it("a re-INVITE crosses both ways", function()
  local c = call()
  c:b(1):send(200)
  c:a():send("INVITE")
  t.ok(c:b(1):received("INVITE").h["To"]:find("tag="))
  c:b(1):send(200)
  t.eq(c:a():received().status, 200)
  c:b(1):send("INVITE", nil, false)
  t.eq(c:a():received("INVITE").sdp, nil)
  c:a():send(488)
  t.eq(c:b(1):received(488).status, 488)
  c:a():send("BYE")
  t.ok(c:b(1):received("BYE"))
end)
`)
}

func TestHeadersAndIdentityAreTheTests(t *testing.T) {
	passes(t, `function M.on_invite(call) return b2b.route { to = "sip:1@far.example", headers = { preset = "transparent" }, callid = "keep" } end`, it(`
  local c = t.invite { to = "sip:1@sbc.example", from = "\"Ann\" <sip:ann@pbx.example>", from_trunk = "pbx", id = "my-call",
    headers = { ["X-A"] = { "1", "2" }, Subject = "s" } }
  local invite = c:b(1):received("INVITE")
  t.eq(invite.call_id, "my-call")
  t.eq(invite.from.display, "Ann")
  t.eq(invite.from.uri, "sip:ann@pbx.example")
  t.eq(invite.h:all("x-a"), { "1", "2" })
  t.eq(invite.h["s"], "s")
  c:b(1):send(200, { ["Alert-Info"] = "<http://b.example>" })
  t.eq(c:a():final().h["Alert-Info"], "<http://b.example>")
`))
}

func TestAnINVITECanBeAFile(t *testing.T) {
	src := folder(t, failover, map[string]string{
		"sip/invite.sip": strings.Join([]string{
			"INVITE sip:+4930123@sbc.example SIP/2.0", "Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1", "f: Bob <sip:bob@pbx.example>",
			"t: <sip:+4930123@sbc.example>", "Call-ID: from-a-file", "CSeq: 7 INVITE", "Contact: <sip:bob@203.0.113.9>", "Subject: hello",
			"Content-Type: text/plain", "Content-Length: 99", "", "two", "lines",
		}, "\n"),
		"main_test.lua": `local t = require "b2b.test"
t.it("reads it", function()
  local c = t.invite { file = "sip/invite.sip", from_trunk = "pbx" }
  local invite = c:b(1):received("INVITE")
  t.eq(invite.uri.user, "+4930123")
  t.eq(invite.from.display, "Bob")
  t.eq(invite.h["Subject"], "hello")
  t.eq(invite.body, "two\r\nlines")
  c:b(1):send(200)
  t.eq(c:a():final().cseq, 7)
  c:b(1):send("BYE")
  t.ok(c:a():received("BYE"))
end)
t.it("takes other values from the test", function()
  local c = t.invite { file = "sip/invite.sip", to = "sip:nobody@sbc.example", from_trunk = "pbx" }
  t.eq(c:a():final().status, 404)
end)`,
	})
	r, err := Run(Config{Source: src, Trunks: carriers(), Bubble: bubble(t)})
	if err != nil {
		t.Fatal(err)
	}
	if passed, failed := r.Count(); passed != 2 || failed != 0 {
		t.Error(printed(t, r))
	}
}

func TestCallsOfOneTestAreToldApart(t *testing.T) {
	passes(t, failover, it(`
  local calls = {}
  for i = 1, 5 do calls[i] = t.invite { to = "sip:" .. i .. "@sbc.example", from_trunk = "pbx" } end
  for i = 5, 1, -1 do
    t.eq(calls[i]:b(1):received("INVITE").uri.user, tostring(i))
    calls[i]:b(1):send(503)
  end
  for i = 1, 5 do
    t.eq(calls[i]:attempts(), 2)
    t.eq(calls[i]:b(2):received("INVITE").uri.user, tostring(i))
    calls[i]:b(2):send(480 + i)
    t.eq(calls[i]:a():final().status, 480 + i)
  end
`))
}

func TestTestsDoNotSeeEachOther(t *testing.T) {
	passes(t, `
local seen = 0
function M.on_invite(call)
  seen = seen + 1
  b2b.store:set("n", (b2b.store:get("n") or 0) + 1)
  return b2b.reject(480, seen .. " " .. tostring(b2b.store:get("n")))
end
function M.on_load(ctx) ctx:every(60, function() seen = seen + 100 end) end
`, `
local mine = 0
for n = 1, 50 do
  t.it("test " .. n, function()
    mine = mine + 1
    t.eq(mine, 1)
    local function reason() return t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }:a():final().reason end
    t.eq(reason(), "1 1")
    t.advance(61)
    t.eq(reason(), "102 2")
  end)
end
`)
}

func TestChanceIsTheSameInEveryRun(t *testing.T) {
	const body, test = `function M.on_invite(call) return b2b.reject(480, tostring(math.random(1000000))) end`,
		`t.eq(t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }:a():final().reason, "")`
	if first, second := breaks(t, body, it(test)), breaks(t, body, it(test)); first != second {
		t.Errorf("%s\n%s", first, second)
	}
}

func TestScriptsHaveNoNetworkInTests(t *testing.T) {
	passes(t, `
local client = b2b.http.client { base = "http://192.0.2.200" }
function M.on_invite(call)
  local answer, err = client:get("/")
  return b2b.reject(480, err)
end`, it(`
  t.match(t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }:a():final().reason, "no stub answers this look%-up")
`))
}

func TestACodeMayBeAString(t *testing.T) {
	passes(t, failover, it(asked1+`c:b("1"):send("180")
t.eq(c:a():received("180").status, 180)
t.advance("1")`))
}

func TestProfilesSeeGoodbyesAndLateAnswers(t *testing.T) {
	passes(t, `
function M.on_invite(call) return b2b.route { to = "sip:desk@192.0.2.77", headers = { preset = "transparent" } } end
local function mark(msg) msg.h["X-In"] = msg.method end
M.inbound = { BYE = mark, ACK = mark }
M.outbound = { BYE = function(msg) msg.h["X-Out"] = msg.h["X-In"] end, ACK = function(msg) msg.h["X-Out"] = msg.h["X-In"] end }`, `
t.it("sees both", function()
  local c = t.invite { to = "sip:1@sbc.example", from_trunk = "pbx", body = false }
  c:b(1):send(200)
  t.eq(c:b(1):received("ACK").h["X-Out"], "ACK")
  c:a():send("BYE")
  t.eq(c:b(1):received("BYE").h["X-Out"], "BYE")
end)
`)
}
