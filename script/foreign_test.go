package script

import (
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// foreignly makes a policy whose two trunks have these CUCM scripts.
func foreignly(t testing.TB, carrier, pbx string, params map[string]any) (*rig, error) {
	t.Helper()
	files := map[string]string{"main.lua": "return {}", "carrier.lua": carrier, "pbx.lua": pbx}
	return try(t, files, func(c *Config) {
		dir := strings.TrimSuffix(c.Source.Path, "main.lua")
		trunks := table(t, func(name string, one *trunk.Trunk) {
			one.Params = map[string]any{"of": name, "mask": "trunk's"}
			if files[name+".lua"] != "" {
				one.CUCM = &trunk.CUCM{File: dir + name + ".lua", Params: params}
			}
		})
		if pbx == "" {
			delete(files, "pbx.lua")
		}
		c.Trunks = func() *trunk.Table { return trunks }
	})
}

func cisco(t testing.TB, carrier, pbx string) *rig {
	t.Helper()
	if pbx == "" {
		pbx = "return {}"
	}
	r, err := foreignly(t, carrier, pbx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// handled runs the body of a handler for what comes from the carrier and gives
// the message back, or fails on an error of the script.
func handled(t testing.TB, handler, body string, m *message.Message) *message.Message {
	t.Helper()
	r := cisco(t, "M = {}\nfunction M.inbound_"+handler+"(msg)\n"+body+"\nend\nreturn M\n", "")
	c := r.call(t)
	defer c.Close()
	c.Inbound(c.view.A, m)
	if r.count("inbound") > 0 {
		t.Fatalf("%s", r.log)
	}
	return m
}

func TestACUCMScriptEditsHeaders(t *testing.T) {
	for name, one := range map[string]struct{ body, header, want string }{
		"joined":         {`msg:addHeader("X-R", msg:getHeader("x-A"))`, "X-R", "one,two"},
		"absent":         {`msg:addHeader("X-R", tostring(msg:getHeader("X-None")))`, "X-R", "nil"},
		"values":         {`local all = msg:getHeaderValues("Diversion") msg:addHeader("X-R", #all .. all[2])`, "X-R", "2<sip:b@carrier.example>"},
		"no values":      {`msg:addHeader("X-R", tostring(#msg:getHeaderValues("Call-Info")))`, "X-R", "0"},
		"modify":         {`msg:modifyHeader("From", (string.gsub(msg:getHeader("From"), "+49891", "1111")))`, "From", `"Alice, A." <sip:1111@carrier.example>;tag=a1`},
		"modify none":    {`msg:modifyHeader("X-None", "x")`, "X-None", ""},
		"same tag":       {`local tag = msg:getHeaderValueParameter("FROM", "tag") msg:modifyHeader("FROM", "<sip:x@y.example>") msg:addHeaderValueParameter("FROM", "tag", tag)`, "From", "<sip:x@y.example>;tag=a1"},
		"remove":         {`msg:removeHeader("X-A") msg:removeHeader("X-None")`, "X-A", ""},
		"remove member":  {`msg:removeHeaderValue("Supported", "TIMER")`, "Supported", "100rel"},
		"remove last":    {`msg:removeHeaderValue("X-A", "one") msg:removeHeaderValue("X-A", "two")`, "X-A", ""},
		"uri":            {`msg:addHeader("X-R", msg:getUri("P-Asserted-Identity"))`, "X-R", "sip:4989555@carrier.example"},
		"value param":    {`msg:addHeaderValueParameter("Contact", "color", "blue") msg:addHeader("X-R", msg:getHeaderValueParameter("Contact", "COLOR"))`, "X-R", "blue"},
		"bare param":     {`msg:addHeaderValueParameter("Contact", "flag") msg:addHeader("X-R", "[" .. msg:getHeaderValueParameter("Contact", "flag") .. "]")`, "X-R", "[]"},
		"no param":       {`msg:addHeader("X-R", tostring(msg:getHeaderValueParameter("To", "tag")))`, "X-R", "nil"},
		"uri param":      {`msg:addHeaderUriParameter("P-Asserted-Identity", "user", "phone")`, "P-Asserted-Identity", "<sip:+4989555@carrier.example;user=phone>"},
		"first of many":  {`msg:addHeaderUriParameter("Diversion", "user", "phone")`, "Diversion", "<sip:a@carrier.example;user=phone>;reason=unconditional, <sip:b@carrier.example>"},
		"read uri param": {`msg:addHeaderUriParameter("To", "user", "phone") msg:addHeader("X-R", msg:getHeaderUriParameter("To", "user"))`, "X-R", "phone"},
		"mask":           {`msg:applyNumberMask("P-Asserted-Identity", "+1888XXXX")`, "P-Asserted-Identity", "<sip:+18889555@carrier.example>"},
		"context":        {`local c = msg:getContext() c.n = 7 msg:addHeader("X-R", tostring(msg:getContext().n))`, "X-R", "7"},
		"initial":        {`msg:addHeader("X-R", tostring(msg:isInitialInviteRequest()) .. tostring(msg:isReInviteRequest()))`, "X-R", "truefalse"},
		"a nil global":   {`if not notMadeByAnybody then pt = "g" end msg:addHeader("X-R", pt)`, "X-R", "g"},
		"old escape":     {`msg:addHeader("X-R", (string.gsub("sip\:1", "sip\:", "")))`, "X-R", "1"},
		"sip utility":    {`local u = sipUtils.parseUri(msg:getUri("To")) msg:addHeader("X-R", u:applyNumberMask("00XX") .. " " .. u:getUser() .. " " .. u:getHost() .. " " .. u:encode())`, "X-R", "0023 0023 sbc.example sip:0023@sbc.example"},
		"plus signs":     {`msg:addHeader("X-R", (string.gsub("++1", "++", "+")))`, "X-R", "+1"},
		"nobody":         {`msg:modifyHeader("From", (string.gsub(msg:getHeader("From"), "sip:.-@", "sip:@")))`, "From", `"Alice, A." <sip:carrier.example>;tag=a1`},
		"gfind":          {`local n = "" for d in string.gfind("a1b2", "%d") do n = n .. d end msg:addHeader("X-R", n)`, "X-R", "12"},
		"no uri":         {`msg:addHeader("X-R", tostring(sipUtils.parseUri("no uri")))`, "X-R", "nil"},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.ReplaceAll(one.body, `"sip:4989555`, `"sip:+4989555`)
			m := handled(t, "INVITE", body, invite(t))
			want := strings.ReplaceAll(one.want, "sip:4989555", "sip:+4989555")
			if got := m.Get(one.header); got != want {
				t.Errorf("%s: %q, want %q", one.header, got, want)
			}
		})
	}
}

func TestACUCMScriptReadsAndWritesTheFirstLine(t *testing.T) {
	m := handled(t, "INVITE", `local method, uri, version = msg:getRequestLine()
assert("sip\:1" == "sip:1") assert(method == "INVITE" and uri == "sip:+4930123@sbc.example" and version == "SIP/2.0")
msg:setRequestUri("sip:1234@192.0.2.7;user=phone")
assert(msg:getRequestUriParameter("user") == "phone" and msg:getRequestUriParameter("x") == nil)`, invite(t))
	if m.URI != "sip:1234@192.0.2.7;user=phone" {
		t.Error(m.URI)
	}
	m = handled(t, "4XX_INVITE", `local version, code, reason = msg:getResponseLine()
assert(version == "SIP/2.0" and code == 404 and reason == "Not Found")
msg:setResponseCode(604, "Does Not Exist Anywhere") msg:setResponseCode(nil, nil)`, answerTo(t, 404))
	if m.Status != 604 || m.Reason != "Does Not Exist Anywhere" {
		t.Errorf("%d %s", m.Status, m.Reason)
	}
	if m = handled(t, "180_INVITE", `msg:setResponseCode(183)`, answerTo(t, 180)); m.Status != 183 || m.Reason != "Session Progress" {
		t.Errorf("%d %s", m.Status, m.Reason)
	}
}

func TestACUCMScriptEditsSDPAsText(t *testing.T) {
	edit := func(body string) string {
		return string(handled(t, "INVITE", "local sdp = msg:getSdp()\n"+body+"\nmsg:setSdp(sdp)", invite(t)).Body)
	}
	for body, want := range map[string]string{
		`sdp = sdp:gsub("G729", "G729a")`: strings.Replace(sdpText, "G729", "G729a", 1),
		`local l = sdp:getLine("c=", "IP4") sdp = sdp:modifyLine("c=", "IP4", (l:gsub("192.0.2.4", "192.0.2.5")))`: strings.Replace(sdpText, "c=IN IP4 192.0.2.4", "c=IN IP4 192.0.2.5", 1),
		`sdp = sdp:addLine("a=ptime:20")`:                                                                                sdpText + "a=ptime:20\r\n",
		`sdp = sdp:insertLineAfter("a=", "G729", "a=fmtp:18 annexb=no")`:                                                 strings.Replace(sdpText, "G729/8000\r\n", "G729/8000\r\na=fmtp:18 annexb=no\r\n", 1),
		`sdp = sdp:insertLineBefore("m=", "audio", "b=AS:64")`:                                                           strings.Replace(sdpText, "m=audio", "b=AS:64\r\nm=audio", 1),
		`sdp = sdp:removeLine("a=", "sendrecv")`:                                                                         strings.Replace(sdpText, "a=sendrecv\r\n", "", 1),
		`sdp = sdp:removeLine("a=", ".*")`:                                                                               sdpText,
		`assert(sdp:getLine("b=", "") == nil and sdp:getMediaDescription(2) == nil)`:                                     sdpText,
		`local m = sdp:getMediaDescription("audio") sdp = sdp:addMediaDescription((m:gsub("audio 4000", "audio 4002")))`: sdpText + strings.Replace(sdpText[strings.Index(sdpText, "m="):], "4000", "4002", 1),
		`sdp = sdp:insertMediaDescription(1, "m=video 0 RTP/AVP 31")`:                                                    strings.Replace(sdpText, "m=audio", "m=video 0 RTP/AVP 31\r\nm=audio", 1),
		`sdp = sdp:modifyMediaDescription(1, "m=audio 4000 RTP/AVP 8\r\n")`:                                              sdpText[:strings.Index(sdpText, "m=")] + "m=audio 4000 RTP/AVP 8\r\n",
		`sdp = sdp:addMediaDescription("m=video 4 RTP/AVP 31") sdp = sdp:removeMediaDescription("video")`:                sdpText,
	} {
		if got := edit(body); got != want {
			t.Errorf("%s:\n%s", body, got)
		}
	}
}

func TestACUCMScriptAddsAndRemovesBodies(t *testing.T) {
	m := handled(t, "INVITE", `msg:addContentBody("application/x-note", "hello", "render", nil, "en")
local text, disposition, encoding, language = msg:getContentBody("application/x-note")
assert(text == "hello" and disposition == "render" and encoding == nil and language == "en")
assert(msg:getContentBody("text/none") == nil and msg:getSdp():find("m=audio"))
msg:setSdp((msg:getSdp():gsub("4000", "4002")))`, invite(t))
	if !strings.HasPrefix(m.Get("Content-Type"), "multipart/mixed") || !strings.Contains(string(m.Body), "m=audio 4002") {
		t.Errorf("%v", m)
	}
	m = handled(t, "INVITE", `msg:removeContentBody("application/sdp")`, m)
	if m.Get("Content-Type") != "application/x-note" || string(m.Body) != "hello" || m.Get("Content-Disposition") != "render" {
		t.Errorf("%v", m)
	}
	m = handled(t, "INVITE", `msg:removeContentBody("application/x-note") assert(msg:getSdp() == nil) msg:setSdp("v=0\r\n")`, m)
	if m.Get("Content-Type") != "application/sdp" || string(m.Body) != "v=0\r\n" || m.Get("Content-Disposition") != "" {
		t.Errorf("%v", m)
	}
}

func TestSDPIsTakenOutOfAnUnreliable18XOnly(t *testing.T) {
	for _, more := range []string{"X: y", "Require: 100rel"} {
		res := answerTo(t, 183, "Content-Type: application/sdp", more)
		res.Body = []byte(sdpText)
		handled(t, "18X_INVITE", `msg:removeUnreliableSdp()`, res)
		if kept := len(res.Body) > 0; kept != strings.HasPrefix(more, "Require") {
			t.Errorf("%s: %v", more, res)
		}
	}
}

func TestDiversionBecomesHistoryAndComesBack(t *testing.T) {
	m := invite(t)
	diversions := "<sip:b@x.example>;reason=user-busy;counter=1;privacy=full, \"A\" <sip:a@x.example>;reason=unconditional;counter=1"
	m.Set("Diversion", diversions)
	handled(t, "INVITE", `msg:convertDiversionToHI()`, m)
	want := `"A" <sip:a@x.example>;index=1, <sip:b@x.example;cause=302?Privacy=history>;index=1.1;mp=1, <sip:+4930123@sbc.example;cause=486>;index=1.1.1;mp=1.1`
	if got := strings.Join(m.All("History-Info"), ", "); got != want || m.Get("Diversion") != "" {
		t.Errorf("%s\n%s", got, m)
	}
	handled(t, "INVITE", `msg:convertHIToDiversion()`, m)
	if got := strings.Join(m.All("Diversion"), ", "); got != diversions || m.Get("History-Info") != "" {
		t.Errorf("%s\n%s", got, m)
	}
	before := m.String()
	if handled(t, "INVITE", `msg:convertHIToDiversion()`, m); m.String() != before {
		t.Errorf("there was none: %v", m)
	}
}

func TestTheMostSpecificHandlerRunsAlone(t *testing.T) {
	names := []string{"ANY", "INVITE", "ANY_ANY", "ANY_INVITE", "1XX_ANY", "18X_INVITE", "180_ANY", "183_INVITE"}
	script := "local M = {}\n"
	for _, name := range names {
		script += "function M.outbound_" + name + "(msg) msg:addHeader('X-Ran', '" + name + "') end\n"
	}
	r := cisco(t, "return {}", script+"return M")
	c := r.call(t)
	defer c.Close()
	for _, one := range []struct {
		code         int
		method, want string
	}{
		{0, "INVITE", "INVITE"},
		{0, "BYE", "ANY"},
		{180, "INVITE", "180_ANY"},
		{183, "INVITE", "183_INVITE"},
		{182, "INVITE", "18X_INVITE"},
		{199, "INVITE", "1XX_ANY"},
		{200, "INVITE", "ANY_INVITE"},
		{200, "BYE", "ANY_ANY"},
	} {
		m := invite(t)
		if one.code > 0 {
			m = answerTo(t, one.code)
		}
		m.Method = one.method
		c.Outbound(c.legB(), m)
		if got := strings.Join(m.All("X-Ran"), ", "); got != one.want {
			t.Errorf("%d %s ran %q, want %q", one.code, one.method, got, one.want)
		}
	}
}

func TestWhatIsPassedThroughReachesEveryTarget(t *testing.T) {
	r := cisco(t, `M = {}
M.allowHeaders = {"x-nt-corr-id"}
function M.inbound_INVITE(msg)
    local id = msg:getHeader("x-a")
    if id then
        pt = msg:getPassThrough()
        pt:addHeader("x-nt-corr-id", id)
        pt:addHeaderUriParameter("To", "user", "phone")
        pt:addHeaderValueParameter("Contact", "color", "blue")
        pt:addHeaderValueParameter("X-None", "color", "blue")
        pt:addRequestUriParameter("x-id", "7")
        pt:addContentBody("text/plain", "note")
    end
end
return M`, `M = {} function M.outbound_INVITE(msg) msg:addHeader("X-Seen", msg:getHeader("x-nt-corr-id") or "no") end return M`)
	c := r.call(t)
	defer c.Close()
	c.Inbound(c.view.A, invite(t))
	for range 2 {
		m := invite(t)
		c.Outbound(c.legB(), m)
		if m.Get("X-Seen") != "one,two" || m.URI != "sip:+4930123@sbc.example;x-id=7" || m.Get("To") != "<sip:+4930123@sbc.example;user=phone>" ||
			!strings.Contains(m.Get("Contact"), ";color=blue") || !strings.Contains(string(m.Body), "note") {
			t.Errorf("%v %s", m, r.log)
		}
	}
	again := invite(t)
	again.Set("To", "<sip:+4930123@sbc.example>;tag=b1")
	c.Outbound(c.legB(), again)
	back := invite(t)
	c.Outbound(c.view.A, back)
	if again.Get("X-Seen") != "no" || back.Get("x-nt-corr-id") != "" {
		t.Errorf("another message got it:\n%v\n%v", again, back)
	}
}

func TestAPassThroughThatCannotBeIsReportedWithItsLine(t *testing.T) {
	r := cisco(t, `M = {} function M.inbound_INVITE(msg) local pt = msg:getPassThrough()
pt:addHeader("X-P", "p")
pt:addHeader("Via", "x")
pt:addHeader("a b", "x") end return M`, "return {}")
	c := r.call(t)
	defer c.Close()
	c.Inbound(c.view.A, invite(t))
	m := invite(t)
	if c.Outbound(c.legB(), m); m.Get("X-P") != "" || r.count("outbound") != 1 {
		t.Error(m)
	}
	wantIn(t, r.log.String(), "script=carrier.lua line=4", "pass through: \\\"a b\\\" is not a header name")
}

func TestAPassThroughOfAResponseIsOfThatResponseAlone(t *testing.T) {
	r := cisco(t, "return {}", `M = {} function M.inbound_18X_INVITE(msg) msg:getPassThrough():addHeader("X-P", "p") end return M`)
	c := r.call(t)
	defer c.Close()
	c.Inbound(c.legB(), answerTo(t, 180))
	c.Inbound(c.legB(), answerTo(t, 200))
	res := answerTo(t, 180)
	c.Outbound(c.view.A, res)
	if res.Get("X-P") != "" {
		t.Error("what did not go out was given to another")
	}
	c.Inbound(c.legB(), answerTo(t, 183))
	for i, want := range []string{"p", ""} {
		res = answerTo(t, 183)
		if c.Outbound(c.view.A, res); res.Get("X-P") != want {
			t.Errorf("%d: %q", i, res.Get("X-P"))
		}
	}
}

func TestABlocked18XIsKeptFromTheCaller(t *testing.T) {
	r := cisco(t, "return {}", `M = {} function M.inbound_180_INVITE(msg) msg:block() end return M`)
	c := r.call(t)
	defer c.Close()
	if !c.Wants(b2bua.HookProgress) {
		t.Error("nobody would ask")
	}
	c.Inbound(c.legB(), answerTo(t, 180))
	if d := c.Progress(c.view, c.legB(), answerTo(t, 180)); d.Decision != (b2bua.Suppress{}) || d.Where != "pbx.lua:1" {
		t.Errorf("%+v", d)
	}
	c.Inbound(c.legB(), answerTo(t, 183))
	if d := c.Progress(c.view, c.legB(), answerTo(t, 183)); d.Decision != nil {
		t.Errorf("%+v", d)
	}
	c.Inbound(c.legB(), answerTo(t, 180, "Require: 100rel"))
	if d := c.Progress(c.view, c.legB(), answerTo(t, 180)); d.Decision != nil || r.count("inbound") != 1 {
		t.Errorf("a reliable one: %+v %s", d, r.log)
	}
}

func TestAnErrorOfACUCMScriptTakesItsEditsBack(t *testing.T) {
	for body, want := range map[string]string{
		`msg:addHeader("X", "y") error("no")`:             `line=3 generation=`,
		`msg:addHeader("X", "y") msg:addHeader("a b", 1)`: "is not a header name",
		`msg:addHeader("X", "y") msg:getHedaer("X")`:      "did you mean 'getHeader'?",
		`msg:modifyHeader("To", "<sip:x@y>;tag=1")`:       "the tag belongs to the engine",
		`msg:addHeader("X", "a\r\nVia: b")`:               "X: ",
		`msg.getHeader("X")`:                              "call its methods with a colon",
		`msg:getResponseLine()`:                           "this is a request",
		`msg:addHeaderValueParameter("To", "a", "b;c=d")`: "is not the value of a parameter",
		`msg:block()`:                        "can be blocked",
		`require("x")`:                       "module 'x' not found",
		`getmetatable("").__index.rep = nil`: "attempt to index",
		`while true do end`:                  "stopped after",
	} {
		r := cisco(t, "M = {}\nfunction M.inbound_INVITE(msg)\n"+body+"\nend\nreturn M\n", "")
		c := r.call(t)
		m := invite(t)
		before := m.String()
		c.Inbound(c.view.A, m)
		if m.String() != before || r.count("inbound") != 1 {
			t.Errorf("%s: %v", body, m)
		}
		wantIn(t, r.log.String(), want, "script=carrier.lua")
		c.Inbound(c.view.A, invite(t)) // the VM of the last one is dead: it is loaded anew
		if r.count("inbound") != 2 {
			t.Errorf("%s: %s", body, r.log)
		}
		c.Close()
	}
}

func TestEachTrunkHasItsOwnGlobalsParametersAndContext(t *testing.T) {
	script := `M = {}
local mask, flag = scriptParameters.getValue("mask"), scriptParameters.getValue("flag")
count = 0
function M.outbound_INVITE(msg)
  count = count + 1
  local ctx = msg:getContext()
  ctx.n = (ctx.n or 0) + 1
  msg:addHeader("X-R", table.concat({count, ctx.n, mask, "[" .. flag .. "]", scriptParameters.getValue("of"), tostring(scriptParameters.getValue("none"))}, " "))
end
return M`
	r, err := foreignly(t, script, script, map[string]any{"mask": "own", "flag": ""})
	if err != nil {
		t.Fatal(err)
	}
	c := r.call(t)
	defer c.Close()
	third := c.legB()
	third.Index = 2
	for _, one := range []struct {
		leg  b2bua.Leg
		want string
	}{{c.view.A, "1 1 own [] carrier nil"}, {c.legB(), "1 1 own [] pbx nil"}, {c.legB(), "2 2 own [] pbx nil"}, {third, "3 1 own [] pbx nil"}} {
		m := invite(t)
		if c.Outbound(one.leg, m); m.Get("X-R") != one.want {
			t.Errorf("%q, want %q %s", m.Get("X-R"), one.want, r.log)
		}
	}
}

func TestTraceWritesWhileItIsEnabled(t *testing.T) {
	r := cisco(t, `M = {} trace.enable()
function M.inbound_INVITE(msg) trace.format("uri %s has %d %s", msg:getUri("To"), 3, nil) trace.format("100%") trace.format(nil)
trace.disable() trace.format("unseen") end return M`, "")
	c := r.call(t)
	defer c.Close()
	c.Inbound(c.view.A, invite(t))
	wantIn(t, r.log.String(), `msg="uri sip:+4930123@sbc.example has 3 nil" script=carrier.lua line=2`, "100%", "msg=nil")
	if strings.Contains(r.log.String(), "unseen") || r.count("inbound") > 0 {
		t.Error(r.log)
	}
}

func TestCheckNamesHandlersThatNeverRun(t *testing.T) {
	r, err := foreignly(t, `M = {}
function M.inbound_INVITE(msg) end
function M.inbuond_INVITE(msg) end
function M.outbound_invite(msg) end
function M.outbound_18x_INVITE(msg) end
function M.Inbound_BYE(msg) end
function M.inbound_INVTE(msg) end
function M.of_my_own(msg) lokal = 1 return lokal, undefinedGlobal end
return M`, "return {}", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, r.log.String(),
		`carrier.lua:3: unknown message handler inbuond_INVITE, did you mean \"inbound_INVITE\"?; it never runs`,
		`carrier.lua:4: unknown message handler outbound_invite, did you mean \"outbound_INVITE\"?`,
		`carrier.lua:5: unknown message handler outbound_18x_INVITE: \"18x\" is not a status`,
		`carrier.lua:6: unknown message handler Inbound_BYE, did you mean \"inbound_BYE\"?`,
		`carrier.lua:7: unknown message handler inbound_INVTE, did you mean \"inbound_INVITE\"?`,
		`carrier.lua:8: undefined global 'undefinedGlobal'`)
	if strings.Count(r.log.String(), "level=WARN") != 6 {
		t.Error(r.log)
	}
	for script, want := range map[string]string{
		"return 1":                              "returns its table of message handlers, not number",
		"return {allowHeaders = 'x'}":           "M.allowHeaders is a string; want a list",
		"return {allowHeaders = {'a b'}}":       `M.allowHeaders: "a b" is not the name of a header`,
		"If x then end":                         "carrier.lua:1:4: parse error",
		"local x = nil + 1":                     "carrier.lua:1: ",
		"M = {} function M.inbound_INVITE( end": "syntax error",
	} {
		if _, err := foreignly(t, script, "return {}", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestWhatACUCMScriptWritesIsToldWithItsLine(t *testing.T) {
	r := cisco(t, `M = {}
function M.inbound_INVITE(msg)
  msg:setRequestUri("sip:1@x.example")
  msg:getPassThrough():addHeader("X-P", "p")
  msg:removeHeader("X-A")
  msg:addHeader("X-B", "b")
end
function M.inbound_BYE(msg) msg:addHeader("X-B", "b") error("no") end
return M`, "return {}")
	engine := &fakeCall{}
	one := r.call(t)
	c := r.Router(engine)
	defer c.Close()
	defer one.Close()
	c.Inbound(one.view.A, invite(t))
	c.Outbound(one.legB(), invite(t))
	bye := invite(t)
	bye.Method = "BYE"
	c.Inbound(one.view.A, bye)
	const want = `inbound INVITE carrier.lua:3 set uri sip:1@x.example
inbound INVITE carrier.lua:5 remove X-A
inbound INVITE carrier.lua:6 add X-B b
pass through carrier.lua:4 add X-P p
inbound failed at carrier.lua:8`
	if got := engine.story(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatTheEngineOwnsIsPassedOverAndTheRestIsDone(t *testing.T) {
	r := cisco(t, `M = {}
function M.inbound_INVITE(msg)
  msg:removeHeader("Max-Forwards") msg:modifyHeader("v", "x") msg:addHeader("Route", "<sip:x>")
  msg:addHeaderValueParameter("CSeq", "x") msg:getPassThrough():addHeader("Call-ID", "x")
  msg:addHeader("User-Agent", "CUBE")
end
return M`, "return {}")
	c := r.call(t)
	defer c.Close()
	for range 3 {
		m, want := invite(t), invite(t)
		want.Add("User-Agent", "CUBE")
		if c.Inbound(c.view.A, m); m.String() != want.String() {
			t.Errorf("%v %s", m, r.log)
		}
		out := invite(t)
		if c.Outbound(c.legB(), out); out.String() != invite(t).String() {
			t.Error(out)
		}
	}
	if strings.Count(r.log.String(), "passed over: ") != 2 || r.count("inbound")+r.count("outbound") > 0 {
		t.Error(r.log)
	}
}
