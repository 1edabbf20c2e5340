package luatest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/trunk"
	"legwork/script"
)

// asked1 begins the body of a test with a call.
const asked1 = `local c = t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }` + "\n"

func TestAFailureNamesLineAndValues(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`t.eq(1, 2)`, `main_test.lua:3: expected 2, got 1`},
		{`t.eq("a", "b", "the name")`, `main_test.lua:3: the name: expected "b", got "a"`},
		{`t.eq(nil, false)`, `main_test.lua:3: expected false, got nil`},
		{`t.eq({ 1, { a = 2 } }, { 1, { a = 3 } })`, `main_test.lua:3: expected { 1, { a = 3 } }, got { 1, { a = 2 } }`},
		{`t.eq({ ["X-A"] = "1", b = {} }, {})`, `main_test.lua:3: expected {}, got { ["X-A"] = "1", b = {} }`},
		{`t.eq("1", 1)`, `main_test.lua:3: expected 1, got "1"`},
		{`t.ok(false)`, `main_test.lua:3: expected something true, got false`},
		{`t.ok(nil, "it rang")`, `main_test.lua:3: it rang: expected something true, got nil`},
		{`t.match("abc", "^b")`, `main_test.lua:3: expected a match of "^b", got "abc"`},
		{`t.match(nil, "x")`, `main_test.lua:3: expected a match of "x", got nil`},
		{`t.raises(function() end)`, `main_test.lua:3: expected an error, got none`},
		{`t.raises(function() error("no") end, "yes")`, `main_test.lua:3: expected an error that matches "yes", got "main_test.lua:3: no"`},
		{`error("mine")`, `main_test.lua:3: mine`},
		{`t.equal(1, 1)`, `main_test.lua:3: b2b.test has no 'equal'; there are advance, decision, eq, invite, it, leaks, match, ok, raises, request, stub, wire`},
		{`x = 1`, `main_test.lua:3: assignment to undeclared global 'x'; did you forget 'local'?`},
		{`while true do end`, `main_test.lua:3: stopped after 20000000 instructions`},
		{`t.it("two", function() end)`, `main_test.lua:3: t.it within a test: tests stand side by side`},
		{`t.advance(-1)`, `main_test.lua:3: t.advance(seconds): want seconds, at most a year, got -1`},
	} {
		if got := breaks(t, failover, it(c.body)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

func TestAMisuseOfACallIsExplained(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`t.invite { to = "anna", from_trunk = "pbx" }`, `main_test.lua:3: t.invite: to = "anna" is not a URI; want "sip:..."`},
		{`t.invite { too = "sip:1@sbc.example" }`, `t.invite: unknown key "too"; did you mean "to"?`},
		{`t.invite { from_trunk = "pbx" }`, `t.invite: to = "sip:..." or file = "invite.sip" is missing`},
		{`t.invite "sip:1@sbc.example"`, `t.invite{to=..., from_trunk=...}: want a table, got a string`},
		{`t.invite { to = "sip:1@sbc.example" }`, `t.invite: from_trunk is missing; one of: first, pbx, second (or false for a source that nobody knows)`},
		{`t.invite { to = "sip:1@sbc.example", from_trunk = "p" }`, `t.invite: from_trunk: there is no trunk "p"; there are: first, pbx, second`},
		{`t.invite { to = "sip:1\r\nX: y", from_trunk = "pbx" }`, `t.invite: to = "sip:1\r\nX: y" is not one line of text`},
		{`t.invite { to = "sip:1@x.example", headers = { ["X-A"] = "1\r\nX-B: 2" } }`, `headers: X-A: `},
		{`t.invite { to = "sip:1@x.example", headers = { ["X A"] = "1" } }`, `headers: X A is not the name of a header`},
		{`t.invite { to = "sip:1@x.example", body = "a", sdp = "b" }`, `t.invite: give body or sdp, not both`},
		{`t.invite { to = "sip:1@x.example", body = ("x"):rep(60001) }`, `a body of 60001 bytes; at most 60000 are sent`},
		{`t.invite { file = "../secret.sip", from_trunk = "pbx" }`, `t.invite: file = "../secret.sip": it leads out of the scripts' folder`},
		{`t.invite { file = "none.sip", from_trunk = "pbx" }`, `t.invite: file = "none.sip": `},
		{`t.invite { file = "main.lua", from_trunk = "pbx" }`, `t.invite: file = "main.lua" is no SIP message`},
		{asked1 + `c:b(2)`, `c:b(2): only one callee was invited`},
		{`t.invite { to = "sip:nobody@sbc.example", from_trunk = "pbx" }:b(1)`, `c:b(1): no callee was invited`},
		{asked1 + `c.b(1)`, `bad argument #1 to b (call expected, got number; call it with a colon, call:b(...))`},
		{asked1 + `c:b(1).send(180)`, `bad argument #1 to send (leg expected, got number; call it with a colon, leg:send(...))`},
		{asked1 + `t.wire("c")`, `bad argument #1 to wire (call expected, got string)`},
		{asked1 + `t.decision(c, "on_invit")`, `t.decision: unknown hook on_invit; did you mean "on_invite"?`},
		{asked1 + `t.decision(c, "route")`, `t.decision: "route" is no hook; one is called like on_invite`},
		{asked1 + `c:b(0)`, `c:b(n): want a whole number from 1 to 2000, got 0`},
		{asked1 + `c:b(1):send(99)`, `b:send(code): want a whole number from 100 to 699, got 99`},
		{asked1 + `c:b(1):send()`, `send(code or method[, headers[, body]]): got nil`},
		{asked1 + `c:b(1):send(486) c:b(1):send(200)`, `send: there is no request to answer; what came: INVITE`},
		{asked1 + `c:b(1):send("BYE")`, `send: BYE needs a dialog and there is none; what came: INVITE`},
		{asked1 + `c:b(1):send("CANCEL")`, `send: there is no INVITE to cancel; what came: INVITE`},
		{asked1 + `c:a():send("ACK")`, `send: there is no 2xx to acknowledge; what came: 100`},
		{asked1 + `c:a():send("CANCEL", { ["X-A"] = "1" })`, `send: a CANCEL carries no header but Reason`},
		{asked1 + `c:b(1):final()`, `final is what the caller got: c:a():final(); what a callee got is c:b(n):received()`},
		{asked1 + `c:a():sent()`, `leg has no field 'sent', did you mean 'send'?`},
		{asked1 + `c:b(1):received("INVITE").h["X-A"] = "1"`, `a message that was received cannot be changed`},
	} {
		if got := breaks(t, failover, it(c.body)); !strings.Contains(got, c.want) {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

func TestAssertionsPassWhereTheyShould(t *testing.T) {
	passes(t, failover, it(`
  t.eq({ 1, { a = "b" } }, { 1, { a = "b" } })
  t.eq(b2b.uri("sip:1@x.example"), "sip:1@x.example")
  t.ok(0)
  t.match(12, "^%d+$")
  t.raises(function() t.eq(1, 2) end, "expected 2, got 1")
  t.raises(function() error("no") end)
  t.eq((pcall(t.eq, 1, 2)), false)
`))
}

func TestWhatIsPrintedIsShown(t *testing.T) {
	const body, test = `
print("loaded")
function M.on_invite(call)
  b2b.log.warn("asked %d", 1)
  return b2b.reject(404)
end`, `
  print("test", 2)
  t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }
`
	const own = "    printed at main_test.lua:4: test\t2\n"
	if got := printed(t, passes(t, body, it(test))); !strings.HasPrefix(got, "note  main_test.lua:2: one\n"+own+"\n1 passed") {
		t.Errorf("passed:\n%s", got)
	}
	want := "    printed at main.lua:3: loaded\n" + own + "    printed at main.lua:5: asked 1\n"
	if got := printed(t, play(t, body, it(test+"error('no')"))); !strings.Contains(got, want) {
		t.Errorf("failed:\n%s\nwant\n%s", got, want)
	}
}

func TestWhatStandsOutsideOfTestsCannotCall(t *testing.T) {
	got := breaks(t, failover, `t.invite { to = "sip:1@sbc.example" }`)
	if !strings.Contains(got, `main_test.lua:2: t.invite belongs into a test`) {
		t.Error(got)
	}
}

func TestAFileThatDoesNotCompileIsAFailedTest(t *testing.T) {
	r := play(t, failover, "t.it(")
	if _, failed := r.Count(); failed != 1 {
		t.Error(printed(t, r))
	}
}

func TestABrokenTestFileFailsAlone(t *testing.T) {
	cfg := Config{
		Source: folder(t, failover, map[string]string{
			"good_test.lua":   `require("b2b.test").it("x", function() end)`,
			"broken_test.lua": "\nx = = 1\n",
			"empty_test.lua":  "",
		}),
		Trunks: carriers(), Bubble: bubble(t),
	}
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if passed, failed := r.Count(); passed != 1 || failed != 1 {
		t.Error(printed(t, r))
	}
	f := r.Results[0].Failure
	if f == nil || f.File != "broken_test.lua" || f.Line != 2 {
		t.Error(printed(t, r))
	}
	if p, err := Play(cfg, Scene{Request: written, Trunk: "pbx"}); err != nil || p.Final.Status != 200 {
		t.Error("a call is not played because of a test:", err)
	}
}

func TestAScriptThatDoesNotLoadFailsWithItsOwnLine(t *testing.T) {
	if got := breaks(t, "function M.on_invit() end", it("")); !strings.HasPrefix(got, "main.lua:2: unknown hook on_invit") {
		t.Error(got)
	}
}

func TestACallComesFromWhereItShould(t *testing.T) {
	passes(t, `function M.on_invite(call)
  return b2b.reject(480, (call.source.trunk or "none") .. " " .. call.source.ip)
end`, it(`
  local function from(trunk)
    return t.invite { to = "sip:1@sbc.example", from_trunk = trunk }:a():final()
  end
  t.eq(from("pbx").reason, "pbx 192.0.2.65")
  t.eq(from("inner").reason, "inner 192.0.2.66")
  t.match(from("nowhere").reason, "^nowhere 198%.19%.")
  t.match(from("named").reason, "^named 198%.19%.")
  t.eq(from("six").reason, "six 2001:db8::1")
  t.eq(from("loop").reason, "loop 127.0.0.1")
  t.eq(from(false).status, 403)
`), func(c *Config) {
		c.Trunks = []trunk.Trunk{
			{Name: "pbx", Match: []string{"192.0.2.64/28"}},
			{Name: "inner", Match: []string{"192.0.2.66"}},
			{Name: "nowhere"},
			{Name: "named", Match: []string{"sip.carrier.example"}},
			{Name: "six", Match: []string{"2001:db8::/64"}},
			{Name: "loop", Match: []string{"127.0.0.0/8"}},
		}
	})
}

func TestTrunksAreMadeUpFromWhatIsNamed(t *testing.T) {
	src := folder(t, `M.params = { pbx = { type = "trunk", default = "office" } }
function M.on_invite(call) return b2b.route { to = { { trunk = call.params.pbx, auth = "lent" }, { trunk = "Out 1" } } } end`,
		map[string]string{"main_test.lua": `local t = require "b2b.test"
t.it("routes", function()
  local c = t.invite { to = "sip:1@sbc.example", from_trunk = "carrier" }
  t.eq(c:b(1):received("INVITE").uri.host, "office.example")
  c:b(1):send(503)
  t.eq(c:attempts(), 2)
  t.eq(t.invite { to = "sip:1@sbc.example" }:attempts(), 1)
end)`})
	snap, err := src.Read()
	if err != nil {
		t.Fatal(err)
	}
	trunks := Invent(snap)
	if len(trunks) != 4 {
		t.Errorf("%+v", trunks)
	}
	cfg := Config{Source: src, Trunks: trunks, Bubble: bubble(t)}
	cfg.Server.Settings.UnknownSources = b2bua.AllowUnknown
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if passed, failed := r.Count(); passed != 1 || failed != 0 {
		t.Error(printed(t, r))
	}
}

var volatile = regexp.MustCompile(`call [0-9a-f]{16} |@[0-9a-f]{8}|in \d+ ms`)

func TestAFailureIsPrintedWithTracebackAndLadder(t *testing.T) {
	r := play(t, failover+`
function M.on_branch(call, leg, req)
  local none = nil
  req.h["X-A"] = none.text
end`, `
t.it("passes though the script errs", function()
  t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }
end)

local function deep() local x = nil; return x.y end

t.it("is busy", function()
  local c = t.invite { to = "sip:1@sbc.example", from_trunk = "pbx" }
  c:b(1):send(486)
  t.eq(c:a():final().status, 480, "what the caller hears")
end)

t.it("has a mistake of its own", function()
  deep()
end)
`)
	got := volatile.ReplaceAllString(printed(t, r), "")
	const golden = "testdata/failure.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFilesAreChosenByNameAndFolder(t *testing.T) {
	one := "local t = require \"b2b.test\"\nt.it(\"a test\", function() end)\n"
	src := folder(t, failover, map[string]string{"a_test.lua": one, "sub/b_test.lua": one, "sub/c_test.lua": one})
	for _, c := range []struct {
		files []string
		want  int
	}{{nil, 3}, {[]string{"sub"}, 2}, {[]string{"sub/b_test.lua", "a_test.lua", "sub"}, 3}, {[]string{"."}, 3}} {
		r, err := Run(Config{Source: src, Trunks: carriers(), Files: c.files, Bubble: bubble(t)})
		if err != nil || len(r.Results) != c.want {
			t.Errorf("%v: %v, %v", c.files, r, err)
		}
	}
	if _, err := Run(Config{Source: src, Files: []string{"main.lua"}, Bubble: bubble(t)}); err == nil {
		t.Error("main.lua is no test")
	}
	if _, err := Run(Config{Source: script.Source{Path: "nowhere/main.lua"}, Bubble: bubble(t)}); err == nil {
		t.Error("there is no such folder")
	}
}

func TestTheStubNamesWhatThereIs(t *testing.T) {
	var code strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^function (\w+)[.:](\w+)`).FindAllStringSubmatch(string(Stub()), -1) {
		code.WriteString("t.ok(" + map[string]string{"t": "t", "call": "c", "leg": "c:a()"}[m[1]] + "." + m[2] + ")\n")
	}
	if n := strings.Count(code.String(), "\n"); n != 18 {
		t.Errorf("%d functions", n)
	}
	passes(t, failover, it(asked1+code.String()))
}

func TestWhatALegLearnsOfTheInsideIsListed(t *testing.T) {
	passes(t, `function M.on_invite(call)
  return b2b.route { to = { trunk = "pbx" }, headers = { preset = call.req.uri.user, set = { ["X-Own"] = "Made-Inside" } } }
end`, it(`
  local inside = { "made-inside", "192.0.2.128/25" }
  local function call(preset)
    return t.invite { to = "sip:" .. preset .. "@sbc.example", from_trunk = "carrier", headers = { Subject = "at 192.0.2.130", ["X-Far"] = "192.0.2.131" } }
  end
  t.eq(t.leaks(call("none"):b(1), inside), { "INVITE X-Own: made-inside" })
  local c = call("transparent")
  t.eq(t.leaks(c:b(1), { "nothing here" }), {})
  t.eq(#t.leaks(c:b(1), inside), 3)
  t.raises(function() t.leaks(c:b(1), { "ab" }) end, "found everywhere")
  t.raises(function() t.leaks(c:b(1), "ab") end, "want a list")
`), func(c *Config) {
		c.Trunks = []trunk.Trunk{
			{Name: "carrier", Match: []string{"192.0.2.64/28"}},
			{Name: "pbx", Match: []string{"192.0.2.80"}, Targets: []trunk.Endpoint{{URI: "sip:pbx.example"}}},
		}
	})
}
