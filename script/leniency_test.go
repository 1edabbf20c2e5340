package script

import (
	"strings"
	"testing"

	"legwork/b2bua"
)

func TestNumbersMayBeStringsThatLookLikeOne(t *testing.T) {
	edited(t, `
  b2b.route{to = {trunk = "pbx", weight = "3", ring = "5", try = "2.5"}, budget = "90", max_duration = "60"}
  assert(b2b.response_map{[503] = {"480", "x"}, [404] = "410"})
  req.uri.port = "5070"
  assert(req.uri.port == 5070)
  leg.trunk:penalize("1")
  assert(b2b.random.int("1", "1") == 1)`)
	wantIn(t, fault(t, `b2b.reject("busy")`), "main.lua:3", "b2b.reject: want a whole number, got a string; a code is 400 to 699")
}

func TestAnAddressThatIsCopiedLeavesItsTagBehind(t *testing.T) {
	req := edited(t, `
  req.to = call.req.from
  req.h["P-Asserted-Identity"] = call.req.from
  assert(call.req.from.tag and tostring(call.req.from):find("tag="))`)
	if strings.Contains(req.Get("To")+req.Get("P-Asserted-Identity"), "tag=") || !strings.Contains(req.Get("To"), "Alice") {
		t.Errorf("%q, %q", req.Get("To"), req.Get("P-Asserted-Identity"))
	}
}

func TestAParameterIsSetAndRemovedByTrueAndFalse(t *testing.T) {
	req := edited(t, `
  req.uri.params.lr, req.uri.params.user = true, "phone"
  assert(req.uri.params.lr == "")
  req.uri.params.user = false`)
	if req.URI != "sip:+4930123@sbc.example;lr" {
		t.Error(req.URI)
	}
}

func TestTheSameLegAndTrunkAreEqual(t *testing.T) {
	edited(t, `
  assert(call.a == call.a and leg == leg and leg ~= call.a and leg.trunk == leg.trunk and leg.trunk ~= call.a.trunk)
  assert(leg ~= nil and leg ~= "leg b")`)
}

func TestAnAttributeIsSetAndRemovedByTrueAndFalse(t *testing.T) {
	edited(t, `
  local a = req.sdp.audio
  a:attr("rtcp-mux", true)
  assert(a:attr("rtcp-mux") == "")
  a:attr("rtcp-mux", false)
  assert(a:attr("rtcp-mux") == nil)`)
}

func TestAStackOverflowNamesItsLine(t *testing.T) {
	wantIn(t, fault(t, "local function f() return 1 + f() end\nf()"), "script=main.lua line=3", "stack overflow")
}

func TestATargetThatWeighsNothingIsTriedLast(t *testing.T) {
	r := run(t, `function M.on_invite() return b2b.route{strategy = "weighted", to = {{trunk = "pbx", weight = 0}, {trunk = "carrier"}}} end`)
	c := r.call(t)
	defer c.Close()
	route := c.invite().Decision.(b2bua.Route)
	if !route.Targets[0].Backup || route.Targets[1].Backup {
		t.Errorf("%+v", route.Targets)
	}
}

func TestAProfileKeyWithoutItsSpaceIsRefused(t *testing.T) {
	for _, key := range []string{"180INVITE", "180"} {
		wantIn(t, refused(t, `M.outbound = {["`+key+`"] = function() end}`), "main.lua:2", "have a space between them")
	}
}

func TestATracebackEndsWithTheHook(t *testing.T) {
	log := fault(t, "local function f(x) return x.y end\nlocal y = f(nil)\nreturn y")
	wantIn(t, log, `main.lua:4: in function <main.lua:2>`)
	if strings.Contains(log, "main chunk") {
		t.Error(log)
	}
}

func TestAProfileDecidesNothing(t *testing.T) {
	r := run(t, `M.inbound = { INVITE = function(msg)
  msg.h["X-Z"] = "1"
  return b2b.reject(404)
end, ["* *"] = function(msg) msg.h["X-Z"] = "2" return msg end }`)
	c := r.call(t)
	defer c.Close()
	req, res := invite(t), answerTo(t, 180)
	c.Inbound(c.view.A, req)
	c.Inbound(c.legB(), res)
	if req.Get("X-Z") != "" || res.Get("X-Z") != "2" || r.count("inbound") != 1 {
		t.Errorf("%q %q %d", req.Get("X-Z"), res.Get("X-Z"), r.count("inbound"))
	}
	wantIn(t, r.log.String(), "inbound INVITE returned b2b.reject; a profile edits the message", "line=4")
}
