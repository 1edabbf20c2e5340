package script

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// outside is a request outside any dialog, over the policy.
func (r *rig) outside(t testing.TB, method string) *call {
	t.Helper()
	c := r.call(t)
	c.view.ID = "txn-1"
	c.view.Request = parse(t, strings.ReplaceAll(inviteText, "INVITE", method))
	return c
}

func (c *call) outside() b2bua.Decided { return c.Outside(c.t.Context(), c.view) }

func TestTheMethodPicksTheHookOfARequestOutsideADialog(t *testing.T) {
	r := run(t, `
for name, code in pairs { on_register = 401, on_message = 402, on_x_foo = 403, on_notify = 404, on_other = 405 } do
  M[name] = function(txn) return b2b.reject(code, txn.req.method) end
end`)
	for method, code := range map[string]int{
		"REGISTER": 401, "MESSAGE": 402, "X_FOO": 403, "X_foo": 403, "NOTIFY": 404, "PUBLISH": 405, "REFER": 405, "BRANCH": 405, "OTHER": 405,
	} {
		c := r.outside(t, method)
		want := b2bua.Reject{Code: code, Reason: method}
		if d := c.outside(); !c.Wants(b2bua.HookOutside) || !reflect.DeepEqual(d.Decision, want) {
			t.Errorf("%s: %#v %s", method, d, r.log)
		}
		c.Close()
	}
}

func TestARequestWithoutItsHookHasTheDefault(t *testing.T) {
	r := run(t, `function M.on_register() error("not mine") end function M.on_invite() end function M.on_branch() end`)
	for _, method := range []string{"MESSAGE", "INVITE", "BRANCH", "LOAD"} {
		c := r.outside(t, method)
		if d := c.outside(); !reflect.DeepEqual(d, b2bua.Decided{}) {
			t.Errorf("%s: %#v", method, d)
		}
		c.Close()
	}
	if r.log.String() != "" && strings.Contains(r.log.String(), "not mine") {
		t.Error(r.log)
	}
}

func TestATxnIsWhatTheReferenceSays(t *testing.T) {
	r := run(t, `
M.params = { domain = { type = "string", default = "example" } }
function M.on_message(txn)
  assert(txn.id == "txn-1" and txn.req.method == "MESSAGE" and txn.req.uri.user == "+4930123" and txn.req.call_id == "c1@192.0.2.4")
  assert(txn.source.ip == "192.0.2.4" and txn.source.trunk == "carrier" and txn.source.account == "alice" and txn.source.tls_name == nil)
  assert(txn.req.source.account == "alice" and txn.params.domain == "example" and txn.elapsed >= 0 and txn.script:find("^main.lua@"))
  assert(tostring(txn) == "txn txn-1")
  txn.data.seen = (txn.data.seen or 0) + 1
  txn:note("asked %d", txn.data.seen)
  for _, field in ipairs { "hangup", "a", "legs", "attempt" } do
    assert(not pcall(function() return txn[field] end), field)
  end
  assert(not pcall(function() txn.req.h["X-A"] = "1" end))
  return b2b.reply(200, "Fine", { ["X-A"] = "1" }, "body")
end`)
	c := r.outside(t, "MESSAGE")
	defer c.Close()
	c.view.Source.Account = "alice"
	want := b2bua.Reply{Code: 200, Reason: "Fine", Headers: []message.Header{{Name: "X-A", Value: "1"}}, Body: []byte("body")}
	for range 2 {
		if d := c.outside(); !reflect.DeepEqual(d.Decision, want) || d.Where != "main.lua:15" {
			t.Fatalf("%#v %s", d, r.log)
		}
	}
	if len(c.engine.notes) != 2 || !strings.HasSuffix(c.engine.notes[1], "asked 2") {
		t.Errorf("the data did not live with the request: %q", c.engine.notes)
	}
}

func TestATxnKeepsItsShapeBehindAProfile(t *testing.T) {
	r := run(t, `
M.inbound = { MESSAGE = function(msg) msg.h["X-P"] = "1" end }
function M.on_message(txn) return b2b.reject(txn.hangup and 500 or 400) end`)
	c := r.outside(t, "MESSAGE")
	defer c.Close()
	c.Inbound(c.view.A, c.view.Request)
	c.outside()
	wantIn(t, r.log.String(), "txn has no field 'hangup'")
}

func TestATxnThatIsKeptPastItsHookSaysSo(t *testing.T) {
	r := run(t, `
local kept, hung
function M.on_message(txn) kept = txn end
function M.on_invite(call) hung = call end
function M.on_publish(txn)
  return b2b.reply(200, nil, nil, select(2, pcall(function() return kept.req.method end)) .. "\n" ..
    select(2, pcall(function() kept:note("x") end)) .. "\n" .. select(2, pcall(hung.hangup, txn)))
end`, func(c *Config) { c.Machines = 1 })
	first, other, last := r.outside(t, "MESSAGE"), r.call(t), r.outside(t, "PUBLISH")
	defer last.Close()
	defer other.Close()
	first.outside()
	first.Close()
	other.invite()
	reply, _ := last.outside().Decision.(b2bua.Reply)
	wantIn(t, string(reply.Body), "belonged to a hook that is over", "this txn is over", "a txn can't be hung up")
}

func TestDecisionsOutsideADialogBecomeData(t *testing.T) {
	for expression, want := range map[string]b2bua.Decision{
		`nil`:                          nil,
		`b2b.accept()`:                 b2bua.Accept{},
		`b2b.accept{expires = 600}`:    b2bua.Accept{Expires: 10 * time.Minute},
		`b2b.route{trunk = "carrier"}`: b2bua.Route{Targets: []b2bua.Target{{Trunk: "carrier"}}},
		`b2b.reject(403)`:              b2bua.Reject{Code: 403},
		`b2b.challenge{realm = "x"}`:   b2bua.Challenge{Realm: "x"},
		`b2b.challenge()`:              b2bua.Challenge{},
		`b2b.challenge{users = "users", code = 407}`: b2bua.Challenge{Proxy: true},
		`b2b.challenge{users = "legwork"}`:           b2bua.Challenge{},
	} {
		r := run(t, "function M.on_register(txn)\n  return "+expression+"\nend")
		c := r.outside(t, "REGISTER")
		if d := c.outside(); !reflect.DeepEqual(d.Decision, want) {
			t.Errorf("%s: %#v %s", expression, d, r.log)
		}
		c.Close()
	}
}

func TestDecisionsThatAreNoneOutsideADialogNameTheOthers(t *testing.T) {
	const may = "it may return nil, b2b.route, b2b.reply, b2b.reject, b2b.challenge or, for a REGISTER, b2b.accept"
	for expression, want := range map[string]string{
		`b2b.redirect{contact = "sip:a@b.example"}`: "on_message returned b2b.redirect; " + may,
		`b2b.drop()`:                    "on_message returned b2b.drop; " + may,
		`b2b.pass()`:                    "on_message returned b2b.pass; " + may,
		`txn`:                           "on_message returned a txn; " + may,
		`b2b.accept()`:                  "b2b.accept stores a REGISTER; this is a request with the method MESSAGE",
		`b2b.accept{expires = 0}`:       "expires is 0; want seconds",
		`b2b.accept{expire = 1}`:        `did you mean "expires"?`,
		`b2b.challenge{relm = "x"}`:     `did you mean "realm"?`,
		`b2b.challenge{code = 403}`:     "code is 403; want 401, or 407",
		`b2b.challenge{users = "me"}`:   `users is "me"; want function(user, realm), "users" or "legwork"`,
		`b2b.challenge{users = {}}`:     "users is a table; want function(user, realm)",
		`b2b.challenge("x")`:            "b2b.challenge: want a table, got a string",
		`b2b.challenge{realm = "a\nb"}`: "can't hold",
	} {
		r := run(t, "function M.on_message(txn)\n  return "+expression+"\nend")
		c := r.outside(t, "MESSAGE")
		if d := c.outside(); d.Decision != nil {
			t.Errorf("%s: %#v", expression, d)
		}
		c.Close()
		line := "line=3"
		if expression == "txn" {
			line = "line=2" // the hook's
		}
		if got := r.log.String(); r.count("on_message") != 1 || !strings.Contains(unquoted(got), want) || !strings.Contains(got, line) {
			t.Errorf("%s\n got %s\nwant %s", expression, got, want)
		}
	}
}

// unquoted is a line of the log as it was meant.
func unquoted(s string) string { return strings.ReplaceAll(s, `\"`, `"`) }

func TestAnErrorInOnRegisterStoresNothing(t *testing.T) {
	r := run(t, `
function M.on_register(txn) error("no directory") end
function M.on_message(txn) error("no directory") end`)
	c, other := r.outside(t, "REGISTER"), r.outside(t, "MESSAGE")
	defer c.Close()
	defer other.Close()
	if d := c.outside(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 500}) || d.Where != "main.lua:3" {
		t.Errorf("%#v", d)
	}
	if d := other.outside(); d.Decision != nil {
		t.Errorf("a MESSAGE: %#v", d)
	}
	if r.count("on_register") != 1 || r.count("on_message") != 1 {
		t.Error(r.log)
	}
}

func TestAHookWithAnUnknownMethodIsAWarning(t *testing.T) {
	r := run(t, "function M.on_hangup() end\nfunction M.on_service() end")
	wantIn(t, r.log.String(), "level=WARN", "main.lua:2: on_hangup is asked about requests with the method HANGUP, which no RFC has")
	if strings.Contains(r.log.String(), "on_service") {
		t.Error(r.log)
	}
	if want := []string{"on_hangup", "on_service"}; !reflect.DeepEqual(r.Status().Hooks, want) {
		t.Errorf("hooks %v", r.Status().Hooks)
	}
}

func TestAMisspeltHookIsNoHookOfAMethod(t *testing.T) {
	for name, want := range map[string]string{
		"on_regster":  `unknown hook on_regster; did you mean "on_register"?`,
		"on_otehr":    `did you mean "on_other"?`,
		"on_Register": `unknown hook on_Register; did you mean "on_register"?`,
		"on_referr":   `did you mean "on_refer"?`,
		"on_answerd":  `did you mean "on_answer"?`,
		"on_cancel":   "unknown hook on_cancel: outside a call, CANCEL means nothing",
		"on_":         "unknown hook on_",
		"on_x y":      "unknown hook on_x y",
	} {
		wantIn(t, refused(t, `M["`+name+`"] = function() end`), "main.lua:2: ", want)
	}
	for _, name := range []string{"on_do", "on_kdmq", "on_ping", "on_foo", "on_x.y"} {
		run(t, `M["`+name+`"] = function() end`)
	}
}

func TestAReferIsDecidedByOnRefer(t *testing.T) {
	for expression, want := range map[string]b2bua.Decision{
		`nil`:             nil,
		`b2b.pass()`:      b2bua.Pass{},
		`b2b.transfer()`:  b2bua.Transfer{},
		`b2b.reject(603)`: b2bua.Reject{Code: 603},
		`b2b.transfer{to = {trunk = "pbx", user = "100"}}`:        b2bua.Transfer{Targets: []b2bua.Target{{Trunk: "pbx", User: "100"}}},
		`b2b.transfer{to = req.h:addr("Refer-To")}`:               b2bua.Transfer{Targets: []b2bua.Target{{URI: "sip:200@pbx.example"}}},
		`b2b.transfer{to = {{trunk = "pbx"}, "sip:a@b.example"}}`: b2bua.Transfer{Targets: []b2bua.Target{{Trunk: "pbx"}, {URI: "sip:a@b.example"}}},
	} {
		r := run(t, "function M.on_refer(call, leg, req)\n  assert(leg.role == 'b' and req.method == 'REFER' and req.source.ip == '192.0.2.99')\n  return "+expression+"\nend")
		c := r.call(t)
		req := parse(t, strings.ReplaceAll(inviteText, "INVITE", "REFER"))
		req.Set("Refer-To", "<sip:200@pbx.example>")
		d := c.Refer(t.Context(), c.view, c.legB(), req)
		if !c.Wants(b2bua.HookRefer) || !reflect.DeepEqual(d.Decision, want) {
			t.Errorf("%s: %#v %s", expression, d, r.log)
		}
		c.Close()
	}
}

func TestABrokenOnReferIsTheRoutesPolicyAndChangesNothing(t *testing.T) {
	for expression, want := range map[string]string{
		`b2b.route("sip:a@b.example")`:    "on_refer returned b2b.route; it may return nil, b2b.pass(), b2b.transfer{to = ...} or b2b.reject",
		`b2b.transfer{}`:                  "b2b.transfer: to is missing; b2b.transfer() goes where the REFER says",
		`b2b.transfer("sip:a@b.example")`: "b2b.transfer: want a table, got a string",
		`b2b.transfer{too = 1}`:           `did you mean "to"?`,
		`error("x")`:                      "x",
	} {
		r := run(t, "function M.on_refer(call, leg, req)\n  req.h['Refer-To'] = '<sip:evil@b.example>'\n  return "+expression+"\nend")
		c := r.call(t)
		req := parse(t, strings.ReplaceAll(inviteText, "INVITE", "REFER"))
		before := req.String()
		if d := c.Refer(t.Context(), c.view, c.legB(), req); !reflect.DeepEqual(d, b2bua.Decided{}) {
			t.Errorf("%s: %#v", expression, d)
		}
		c.Close()
		if got := unquoted(r.log.String()); r.count("on_refer") != 1 || !strings.Contains(got, want) {
			t.Errorf("%s\n got %s\nwant %s", expression, got, want)
		}
		if req.String() != before {
			t.Errorf("%s: the REFER stays changed", expression)
		}
	}
}
