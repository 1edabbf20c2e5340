package script

import (
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

func TestHeadersAreReadByAnyCaseAndForm(t *testing.T) {
	req := edited(t, `
  local h = req.h
  assert(h["X-A"] == "one" and h["x-a"] == "one" and h["Nope"] == nil)
  assert(#h:all("X-A") == 2 and h:all("X-A")[2] == "two")
  assert(h:has("Supported", "timer") and h:has("k", "100REL") and not h:has("Supported", "path") and h:has("X-A") and not h:has("X-B"))
  assert(h:addr("Diversion").uri.user == "a" and h:addr("Nope") == nil)
  assert(h.From:find("Alice") and h.f == h.From)
  local seen = {}
  for name, value in h:each("X-*") do seen[#seen + 1] = name .. "=" .. value end
  assert(table.concat(seen, " "):lower() == "x-a=one x-a=two", table.concat(seen, " "))`)
	if req.String() != invite(t).String() {
		t.Error("reading changed it")
	}
}

func TestHeadersAreWritten(t *testing.T) {
	req := edited(t, `
  req.h["X-A"] = "1"
  req.h["X-B"] = {"2", 3}
  req.h:add("X-C", "4")
  req.h.Supported = nil
  req.h.s = "hello"
  req.h["P-Asserted-Identity"] = b2b.addr{display = "A B", uri = "sip:x@y.example"}`)
	for name, want := range map[string]string{
		"X-A": "1", "X-B": "2|3", "X-C": "4", "Supported": "", "Subject": "hello", "P-Asserted-Identity": `"A B" <sip:x@y.example>`,
	} {
		if got := strings.Join(req.All(name), "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestKeepAndDropLeaveWhatTheMessageNeeds(t *testing.T) {
	req := edited(t, `req.h:keep{"X-*"}`)
	wantIn(t, req.String(), "Via: ", "Max-Forwards: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Contact: ", "Content-Type: ", "X-A: one")
	if req.Get("Supported") != "" || req.Get("Diversion") != "" {
		t.Error("keep kept too much")
	}
	req = edited(t, `req.h:drop{"*"}`)
	if len(req.Headers) != 8 {
		t.Errorf("drop left %v", req.Headers)
	}
	req = edited(t, `req.h:drop{"X-*", "Contact"}`)
	if req.Get("X-A") != "" || req.Get("Contact") != "" || req.Get("Diversion") == "" {
		t.Errorf("drop: %v", req.Headers)
	}
}

func TestTheEnginesFieldsRefuseEdits(t *testing.T) {
	for _, name := range []string{
		"Via", "v", "Call-ID", "i", "CSeq", "Route", "Record-Route", "Max-Forwards", "Content-Length", "l", "RSeq", "RAck",
	} {
		log := fault(t, "  req.h['X-A'] = 'edited'\n  req.h['"+name+"'] = 'x'")
		wantIn(t, log, "belongs to the engine", "script=main.lua", "line=4", "hook=on_branch", "traceback=")
	}
	for _, body := range []string{
		`req.h.From = "<sip:a@b.example>;tag=other"`, `req.h.From = nil`, `req.h:add("To", "<sip:a@b.example>")`, `req.h:drop{"From"}`,
		`req.h:drop{"Via"}`, `req.from.params.tag = "x"`, `req.from.params.tag = nil`, `req.from.tag = "x"`, `req.call_id = "x"`, `req.cseq = 5`, `req.method = "BYE"`,
		`req.status = 200`, `req.reason = "x"`, `req.uri = "nonsense"`, `req.uri = "sip:a@b.example?X=y"`, `req.raw = "x"`,
		`req.h:drop{"X-*-A"}`, `req.h:keep{"**"}`, `for _ in req.h:each("*-A") do end`,
		`req.h["bad name"] = "x"`, `req.uri.port = 70000`, `req.uri.host = "a b"`, `req.uri.host = "a:1"`, `req.contact.uri = "x y"`,
	} {
		fault(t, body)
	}
}

func TestLineEndsNeverGetOut(t *testing.T) {
	for _, bad := range []string{`a\r\nX-Evil: 1`, `a\nb`, `a\0b`, `\r`} {
		for _, target := range []string{
			`req.h["X-A"] = V`, `req.h["X-A"] = {"ok", V}`, `req.h:add("X-A", V)`, `req.uri = "sip:" .. V`, `req.uri.host = V`,
			`req.from.display = V`, `req.from.uri = "sip:" .. V`, `req.from.params.x = V`, `req.content_type = V`, `req.h[V] = "x"`,
			`req.contact = "<sip:" .. V .. ">"`, `req.uri.user = V`, `req.uri.params.x = V`, `req.from.uri.user = V`,
		} {
			fault(t, strings.ReplaceAll(target, "V", `"`+bad+`"`))
		}
	}
}

func TestAURIIsWrittenThrough(t *testing.T) {
	req := edited(t, `
  local u = req.uri
  assert(u.scheme == "sip" and u.user == "+4930123" and u.host == "sbc.example" and u.port == nil and u.password == nil)
  assert(u.params.x == nil and tostring(u) == "sip:+4930123@sbc.example")
  u.user, u.host, u.port = "100", "2001:db8::1", 5080
  u.params.user = "phone"
  u.params.lr = ""
  u.params.gone = nil
  assert(u.params.user == "phone" and u.params.lr == "")
  u.scheme = "sips"
  req.uri = tostring(u) .. ";y=1"
  assert(u.params.y == "1")
  local own = b2b.uri("sip:a@b.example?Replaces=x%3By")
  assert(own.headers.Replaces == "x;y")
  own.headers.Replaces = "1;2&3"
  assert(tostring(own) == "sip:a@b.example?Replaces=1%3B2%263", tostring(own))
  local t = b2b.uri("tel:+4930;phone-context=x")
  assert(t.scheme == "tel" and t.user == "+4930")`)
	if req.URI != "sips:100@[2001:db8::1]:5080;user=phone;lr;y=1" {
		t.Errorf("URI %q", req.URI)
	}
}

func TestAddressesAreReadAndWritten(t *testing.T) {
	req := edited(t, `
  assert(req.from.display == "Alice, A." and req.from.uri.user == "+49891" and req.from.tag == "a1" and req.to.tag == nil)
  assert(req.contact.uri.host == "192.0.2.4")
  assert(req.identity.uri.user == "+4989555")
  assert(#req.diversion == 2 and req.diversion[2].uri.user == "b" and #req.history == 0 and req.privacy == nil)
  req.from:anonymize()
  req.to.uri.user = "200"
  req.to.display = 'Bob "B"'
  req.contact.params.expires = 60
  req.contact.uri.port = nil`)
	for name, want := range map[string]string{
		"From": `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1`, "To": `"Bob \"B\"" <sip:200@sbc.example>`,
		"Contact": `<sip:alice@192.0.2.4>;expires=60`,
	} {
		if got := req.Get(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	req = edited(t, `req:diversion_as("history")`)
	if got := req.List("History-Info"); len(got) != 3 || len(req.All("Diversion")) != 0 {
		t.Errorf("history is %q", got)
	}
	req = edited(t, `req.h.From = "Carol <sip:c@d.example>"`)
	if got := req.Get("From"); got != `"Carol" <sip:c@d.example>;tag=a1` {
		t.Errorf("From lost its tag: %s", got)
	}
}

func TestAURIWrittenAsAnAddressKeepsItsParameters(t *testing.T) {
	req := edited(t, `
  local uri = b2b.uri("sip:a@b.example;user=phone")
  req.from, req.contact = uri, uri
  req.h["P-Asserted-Identity"] = { uri, "<tel:+49301>" }
  req.h:add("Refer-To", uri)
  req.h["X-Uri"] = uri
  assert(req.from.uri.params.user == "phone")`)
	for name, want := range map[string]string{
		"Contact": "<sip:a@b.example;user=phone>", "P-Asserted-Identity": "<sip:a@b.example;user=phone>",
		"Refer-To": "<sip:a@b.example;user=phone>", "X-Uri": "sip:a@b.example;user=phone",
	} {
		if got := req.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestUnknownFieldsNameTheNearOne(t *testing.T) {
	for body, want := range map[string]string{
		`local x = req.uir`:         "message has no field 'uir', did you mean 'uri'?",
		`local x = req.headers`:     "message has no field 'headers'; there are body, call_id, contact,",
		`local x = b2b.log.fatal`:   "b2b.log has no 'fatal'; there are debug, error, info, warn",
		`req.stauts = 1`:            "did you mean 'status'?",
		`local x = req.uri.hots`:    "did you mean 'host'?",
		`local x = call.sorce`:      "did you mean 'source'?",
		`local x = leg.trnk`:        "did you mean 'trunk'?",
		`local x = call.params.pxb`: "call.params.pxb is not declared in M.params",
		`call.id = "x"`:             "call.id is read only",
		`call:nte("x")`:             "did you mean 'note'?",
		`req.sdp.audio:kep{"PCMA"}`: "did you mean 'keep'?",
		`call.req.h["X-B"] = "1"`:   "edit the one that goes out in on_branch",
		`call.req.uri.user = "1"`:   "edit the one that goes out in on_branch",
		`req.h.add("X", "y")`:       "call it with a colon",
		`call.params.x = 1`:         "call.params can't be written",
		`call.data = 5`:             "call.data is a table",
	} {
		log := fault(t, "req.h['X-Z'] = 'z'\n"+body)
		wantIn(t, log, strings.ReplaceAll(want, `"`, `\"`), "line=4")
	}
}

func TestResponsesAreEditedWithinTheirKind(t *testing.T) {
	r := run(t, `
function M.on_progress(call, leg, res)
  assert(res.status == 180 and res.reason == "Ringing" and res.uri == nil and res.cseq == 7 and res.origin == nil)
  assert(res.source.ip == "192.0.2.99" and res.source.port == 5060)
  res.status = 183
end
function M.on_answer(call, leg, res) res.status = 486 end
function M.on_failure(call, leg, res)
  assert(res.origin == "peer" and res.q850 == 17 and res.retry_after == 7)
  res.status, res.reason = 480, "Gone away"
end
function M.on_final(call, res) assert(res.origin == "timeout" and res.q850 == nil); res.status = 404 end`)
	c := r.call(t)
	defer c.Close()
	progress := answerTo(t, 180)
	c.Progress(c.view, c.legB(), progress)
	if progress.Status != 183 || progress.Reason != "Session Progress" {
		t.Errorf("%d %s", progress.Status, progress.Reason)
	}
	answer := answerTo(t, 200)
	c.Answer(c.view, c.legB(), answer)
	if answer.Status != 200 || r.count("on_answer") != 1 {
		t.Errorf("%d: an answer became a failure", answer.Status)
	}
	failure := answerTo(t, 503, "Reason: SIP;cause=503, Q.850;cause=17;text=\"busy\"", "Retry-After: 7 (soon)")
	c.Failure(t.Context(), c.view, c.legB(), failure, b2bua.OriginPeer)
	if failure.Status != 480 || failure.Reason != "Gone away" {
		t.Errorf("%d %s %s", failure.Status, failure.Reason, r.log)
	}
	final := answerTo(t, 408)
	c.Final(c.view, final, b2bua.OriginTimeout)
	if final.Status != 404 || final.Reason != "Not Found" {
		t.Errorf("%d %s %s", final.Status, final.Reason, r.log)
	}
}

func TestSDPIsEditedInPlace(t *testing.T) {
	req := edited(t, `
  local a = req.sdp.audio
  assert(a.kind == "audio" and a.port == 4000 and a.direction == "sendrecv" and req.sdp.video == nil and #req.sdp.media == 1)
  assert(a:codecs()[1].name == "PCMA" and a:codecs()[1].clock == 8000 and #a:codecs() == 4)
  assert(a:keep{"G729", "PCMU"} == true)
  assert(a:prefer{"PCMU"})
  local ok, why = a:keep{"opus"}
  assert(ok == nil and why)
  a.ptime = 30
  a.ptime = nil
  assert(a.ptime == nil)
  a.ptime = 20
  a:attr("x-note", "hi")
  assert(a:attr("x-note") == "hi" and a:attr("nope") == nil)
  req.sdp.connection = "198.51.100.1"
  req.sdp:hold()
  assert(a.direction == "sendonly")
  assert(req.body == req.sdp.raw)`)
	body := string(req.Body)
	wantIn(t, body, "m=audio 4000 RTP/AVP 0 18 101\r\n", "a=ptime:20\r\n", "a=x-note:hi\r\n", "c=IN IP4 198.51.100.1", "a=sendonly")
	if strings.Contains(body, "PCMA") {
		t.Error("PCMA stayed")
	}
	req = edited(t, `req.body, req.content_type = "hello", "text/plain"
	  assert(req.sdp == nil and req.parts == nil and req.content_type == "text/plain")`)
	if string(req.Body) != "hello" {
		t.Errorf("body %q", req.Body)
	}
	fault(t, "local s = req.sdp\nreq.body = 'v=0'\ns:hold()")
}

func TestPartsOfAMultipartBodyAreListed(t *testing.T) {
	r := run(t, `function M.on_branch(call, leg, req)
  assert(#req.parts == 2 and req.parts[1].content_type == "application/sdp" and req.parts[2].body == "<x/>")
  assert(req.sdp.audio:keep{"PCMU"})
end`)
	c := r.call(t)
	defer c.Close()
	req := invite(t)
	req.Set("Content-Type", "multipart/mixed;boundary=b")
	req.Body = []byte("--b\r\nContent-Type: application/sdp\r\n\r\n" + sdpText + "\r\n--b\r\nContent-Type: text/xml\r\n\r\n<x/>\r\n--b--\r\n")
	c.Branch(c.view, c.legB(), req)
	wantIn(t, string(req.Body), "RTP/AVP 0 101\r\n", "<x/>")
	if r.count("on_branch") != 0 {
		t.Error(r.log)
	}
}

func TestAMessageIsGoneAfterItsHook(t *testing.T) {
	r := run(t, `
local kept
function M.on_branch(call, leg, req) kept = {req, req.h, req.uri, req.from, req.sdp} end
function M.on_bye(call, leg, req)
  for i = 1, 5 do
    local ok, why = pcall(function() return kept[i].user or kept[i].method or kept[i].display or kept[i].raw or kept[i]["X-A"] end)
    assert(not ok, i)
    assert(tostring(kept[i]))
  end
  kept[2]["X-A"] = "evil"
end`, func(c *Config) { c.Machines = 1 })
	c := r.call(t)
	defer c.Close()
	req := c.branch()
	c.Bye(c.view, c.legB(), invite(t))
	if req.Get("X-A") != "one" {
		t.Error("a hook edited a message that was not its own")
	}
	wantIn(t, r.log.String(), "this message belonged to a hook that is over", "line=11")
}

func FuzzEditsNeverBreakTheMessage(f *testing.F) {
	for _, s := range []string{"x", "a\r\nX: y", "\x00", "sip:a@b.example", "\"", "<>", "a;b=c", "Via", "é", "a,b", "%0d%0a", ";;", "@"} {
		f.Add(s, s)
	}
	r := run(f, `
local edits = {
  function(m, a, b) m.h[a] = b end, function(m, a, b) m.h:add(a, b) end, function(m, a, b) m.uri = b end,
  function(m, a, b) m.uri.user = b end, function(m, a, b) m.uri.host = b end, function(m, a, b) m.uri.params[a] = b end,
  function(m, a, b) m.uri.password = b end, function(m, a, b) m.uri.scheme = b end, function(m, a, b) m.from.display = b end,
  function(m, a, b) m.from.uri = b end, function(m, a, b) m.from.uri.user = b end, function(m, a, b) m.to.params[a] = b end,
  function(m, a, b) m.contact = b end, function(m, a, b) m.contact.params[a] = b end, function(m, a, b) m.h:drop{a, b} end,
  function(m, a, b) m.h:keep{a} end, function(m, a, b) m.h.From = b end, function(m, a, b) m.content_type = b end,
  function(m, a, b) m.h[a] = {b, a} end, function(m, a, b) m.uri.headers[a] = b end, function(m, a, b) m.from.uri.params[a] = b end,
  function(m, a, b) m.sdp.audio:attr(a, b) end, function(m, a, b) m.sdp.connection = b end, function(m, a, b) m.h:addr(a).display = b end,
}
function M.on_branch(call, leg, req)
  for _, edit in ipairs(edits) do pcall(edit, req, req.h["Fuzz-A"] or "", req.h["Fuzz-B"] or "") end
end`)
	f.Fuzz(func(t *testing.T, a, b string) {
		c := r.call(t)
		defer c.Close()
		req := invite(t)
		before := req.Clone()
		req.Headers = append(req.Headers, message.Header{Name: "Fuzz-A", Value: a}, message.Header{Name: "Fuzz-B", Value: b})
		c.Branch(c.view, c.legB(), req)
		req.Del("Fuzz-A")
		req.Del("Fuzz-B")
		for _, h := range req.Headers {
			if message.CheckValue(h.Value) != nil || !message.IsToken(h.Name) {
				t.Fatalf("out came %q: %q", h.Name, h.Value)
			}
		}
		again, err := message.Parse(req.Bytes())
		if err != nil {
			t.Fatalf("%v: %q", err, req.Bytes())
		}
		if bad := again.Check(); bad != nil {
			t.Fatalf("%v: %q", bad, req.Bytes())
		}
		for _, name := range []string{"Via", "Call-ID", "CSeq", "Max-Forwards"} {
			if again.Get(name) != before.Get(name) {
				t.Fatalf("%s became %q", name, again.Get(name))
			}
		}
		if again.FromTag() != before.FromTag() || again.ToTag() != before.ToTag() || len(again.All("From")) != 1 {
			t.Fatalf("tags: %q", req.Bytes())
		}
	})
}

func TestANumberThatIsNothingIsANumber(t *testing.T) {
	r := run(t, `
function M.on_failure(call, leg, res)
  local seen = tostring(res.retry_after) .. tostring(res.cseq)
  assert(seen == "00" or seen == "nil7", seen)
end`)
	for _, header := range []string{"Retry-After: 0", "Retry-After: soon"} {
		c := r.call(t)
		res := answerTo(t, 503, header)
		if header == "Retry-After: 0" {
			res.Set("CSeq", "0 INVITE")
		}
		c.Failure(t.Context(), c.view, c.legB(), res, b2bua.OriginPeer)
		c.Close()
	}
	if r.count("on_failure") != 0 {
		t.Error(r.log)
	}
}

func TestACallThatIsKeptHasNoRequest(t *testing.T) {
	r := run(t, `
local kept
function M.on_invite(call)
  if kept then return b2b.reject(480, kept.req.method) end
  kept = call
end`, func(c *Config) { c.Machines = 1 })
	for range 2 {
		c := r.call(t)
		c.invite()
		c.Close()
	}
	wantIn(t, r.log.String(), "call.req belonged to a hook that is over; keep what you need of it in call.data", "line=5")
}
