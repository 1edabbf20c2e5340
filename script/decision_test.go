package script

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// decided runs an on_invite that returns the expression.
func decided(t *testing.T, expression string) b2bua.Decided {
	t.Helper()
	r := run(t, "function M.on_invite(call)\n  return "+expression+"\nend")
	c := r.call(t)
	defer c.Close()
	return c.invite()
}

func TestDecisionsOfAnInviteBecomeData(t *testing.T) {
	for expression, want := range map[string]b2bua.Decision{
		`b2b.reject(484)`: b2bua.Reject{Code: 484},
		`b2b.reject(404, "Nobody", {["X-A"]={"1","2"}})`: b2bua.Reject{Code: 404, Reason: "Nobody", Headers: []message.Header{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}}},
		`b2b.drop()`: b2bua.Drop{},
		`b2b.redirect{contact="sip:a@192.0.2.9"}`:                                        b2bua.Redirect{Code: 302, Contacts: []string{"sip:a@192.0.2.9"}},
		`b2b.redirect{contact={"sip:a@b.example", "<sip:c@d.example>;q=0.5"}, code=301}`: b2bua.Redirect{Code: 301, Contacts: []string{"sip:a@b.example", "<sip:c@d.example>;q=0.5"}},
		`b2b.redirect{contact={"sip:a@b.example;transport=tcp", b2b.uri("sip:a@b.example;lr?X=1"), "sip:a@b.example;user=phone;q=0.3"}}`: b2bua.Redirect{Code: 302, Contacts: []string{
			"<sip:a@b.example;transport=tcp>", "<sip:a@b.example;lr?X=1>", "<sip:a@b.example;user=phone>;q=0.3",
		}},
		`b2b.route{to={"<sip:1@b.example>", {uri="X <sip:2@b.example>;q=1"}}}`: b2bua.Route{Targets: []b2bua.Target{{URI: "sip:1@b.example"}, {URI: "sip:2@b.example"}}},
		`b2b.route("sip:100@192.0.2.9")`:                                       b2bua.Route{Targets: []b2bua.Target{{URI: "sip:100@192.0.2.9"}}},
		`b2b.route{trunk="pbx", user="100"}`:                                   b2bua.Route{Targets: []b2bua.Target{{Trunk: "pbx", User: "100"}}},
		`b2b.route{to=call.req.uri}`:                                           b2bua.Route{Targets: []b2bua.Target{{URI: "sip:+4930123@sbc.example"}}},
		`b2b.route{to=call.req.from}`:                                          b2bua.Route{Targets: []b2bua.Target{{URI: "sip:+49891@carrier.example"}}},
		`b2b.route{to={trunk="pbx"}, callid="keep"}`:                           b2bua.Route{Targets: []b2bua.Target{{Trunk: "pbx"}}, KeepCallID: true},
		`b2b.route{to={"sip:1@b.example", {trunk="pbx", user=12, host="c.example", weight=3, backup=true, ring=2.5, try=1,
		    headers={["X-T"]="v"}, cdr={route="a", n=1, ok=true}}}, strategy="weighted", try=2, ring=30, budget=60, max_duration=3600,
		    retry={503, "4xx", "timeout"}, headers={preset="none", pass={"X-*"}, set={["X-S"]="s"}, drop={"Diversion"}}}`: b2bua.Route{
			Targets: []b2bua.Target{{URI: "sip:1@b.example"}, {
				Trunk: "pbx", User: "12", Host: "c.example", Weight: 3, Backup: true, Ring: 2500 * time.Millisecond, Try: time.Second,
				Headers: []message.Header{{Name: "X-T", Value: "v"}}, CDR: map[string]string{"route": "a", "n": "1", "ok": "true"},
			}},
			Strategy: b2bua.Weighted, Try: 2 * time.Second, Ring: 30 * time.Second, Budget: time.Minute, MaxDuration: time.Hour,
			Retry: &b2bua.Retry{Codes: map[int]bool{503: true, 4: true}, Origins: map[b2bua.Origin]bool{b2bua.OriginTimeout: true}},
			Headers: trunk.Headers{
				Preset: trunk.None, Pass: []string{"X-*"}, Set: []message.Header{{Name: "X-S", Value: "s"}}, Drop: []string{"Diversion"},
			},
		},
	} {
		d := decided(t, expression)
		if !reflect.DeepEqual(d.Decision, want) {
			t.Errorf("%s\n got %#v\nwant %#v", expression, d.Decision, want)
		}
		if !strings.HasPrefix(d.Where, "main.lua:3") {
			t.Errorf("%s: where is %q", expression, d.Where)
		}
	}
	if d := decided(t, "nil"); d.Decision != nil || d.Where != "" {
		t.Errorf("nil: %#v", d)
	}
}

func TestWrongDecisionsNameTheLineAndTheCure(t *testing.T) {
	for expression, want := range map[string]string{
		`b2b.rote("sip:a@b.example")`:                                       "main.lua:3: b2b has no 'rote', did you mean 'route'?",
		`b2b.route{too="sip:a@b.example"}`:                                  `main.lua:3: b2b.route: unknown key "too"; did you mean "to"?`,
		`b2b.route{to={trunk="pbxx"}}`:                                      `main.lua:3: b2b.route: to: unknown trunk "pbxx"; did you mean "pbx"?`,
		`b2b.route{to={trunk="pbx", usr="1"}}`:                              `b2b.route: to: unknown key "usr"; did you mean "user"?`,
		`b2b.route{to="pbx"}`:                                               `"pbx" is not a SIP URI; a trunk is written {trunk = "pbx"}`,
		`b2b.route{to={}}`:                                                  "no target",
		`b2b.route{}`:                                                       "b2b.route: to is missing",
		`b2b.route{to="sip:a@b.example", ring=0}`:                           "ring is 0; want seconds, more than 0",
		`b2b.route{to="sip:a@b.example", ring="soon"}`:                      "ring is a string; want seconds",
		`b2b.route{to="sip:a@b.example", strategy="serail"}`:                `did you mean "serial"?`,
		`b2b.route{to="sip:a@b.example", retry={999}}`:                      `retry: "999" is not a code`,
		`b2b.route{to="sip:a@b.example", headers={set={Via="x"}}}`:          "Via belongs to the engine",
		`b2b.route{to="sip:a@b.example", headers={set={["X-A"]="a\r\nb"}}}`: "can't hold",
		`b2b.reject(200)`:                                                   "code 200 is not 400 to 699",
		`b2b.reject(302)`:                                                   "b2b.redirect",
		`b2b.reject("x")`:                                                   "want a whole number",
		`b2b.reject()`:                                                      "main.lua:3: b2b.reject: want a whole number, got nil; a code is 400 to 699",
		`b2b.reject(404, {["X-A"]="1"})`:                                    "main.lua:3: b2b.reject: the text is a table; want (code, text, headers)",
		`b2b.route()`:                                                       "main.lua:3: b2b.route: want a SIP URI or a table, got nil",
		`b2b.route{to="sip:a@b.example", ring=1e9}`:                         "want seconds, more than 0 and at most 604800",
		`b2b.route{to="sip:a@b.example", timeout=9}`:                        `unknown key "timeout"; there are budget, callid, early,`,
		`b2b.next{copy={"Identity"}}`:                                       "copy takes headers of the failure along, in on_failure",
		`b2b.reject(404, "a\nb")`:                                           "can't hold",
		`b2b.redirect{}`:                                                    "contact is missing",
		`b2b.redirect{contact="nobody"}`:                                    "neither a URI nor an address",
		`b2b.skip()`:                                                        "main.lua:3: on_invite returned b2b.skip; it may return nil, b2b.route",
		`"pbx"`:                                                             "main.lua:2: on_invite returned a string",
		`call`:                                                              "on_invite returned a call",
		`undefined_thing`:                                                   "",
	} {
		if want == "" {
			continue
		}
		d := decided(t, expression)
		failed, ok := d.Decision.(b2bua.Failed)
		if !ok {
			t.Errorf("%s: %#v", expression, d)
			continue
		}
		if !strings.Contains(failed.Err.Error(), want) {
			t.Errorf("%s\n got %s\nwant %s", expression, failed.Err, want)
		}
		if !strings.HasPrefix(d.Where, "main.lua:") {
			t.Errorf("%s: where is %q", expression, d.Where)
		}
	}
}

func TestAFailureIsDecidedByOnFailure(t *testing.T) {
	for expression, want := range map[string]b2bua.Decision{
		`nil`:             nil,
		`b2b.next()`:      b2bua.Next{},
		`b2b.fail(res)`:   b2bua.Fail{},
		`b2b.reject(486)`: b2bua.Reject{Code: 486},
		`b2b.next{to={trunk="pbx"}, copy={"Identity"}}`: b2bua.Next{Targets: []b2bua.Target{{Trunk: "pbx", Headers: []message.Header{{Name: "Identity", Value: "abc"}}}}},
		`b2b.next{copy={"Identity", "X-None"}}`:         b2bua.Next{Headers: []message.Header{{Name: "Identity", Value: "abc"}}},
		`b2b.next{to=res.contacts[1].uri}`:              b2bua.Next{Targets: []b2bua.Target{{URI: "sip:x@192.0.2.77"}}},
		`b2b.route{to={trunk="carrier"}}`:               b2bua.Route{Targets: []b2bua.Target{{Trunk: "carrier"}}},
	} {
		r := run(t, "function M.on_failure(call, leg, res)\n return "+expression+"\nend")
		c := r.call(t)
		res := answerTo(t, 302, "Contact: <sip:x@192.0.2.77>, <sip:y@192.0.2.78>", "Identity: abc")
		d := c.Failure(t.Context(), c.view, c.legB(), res, b2bua.OriginPeer)
		if !reflect.DeepEqual(d.Decision, want) {
			t.Errorf("%s: got %#v %s", expression, d.Decision, r.log)
		}
		c.Close()
	}
}

func TestOtherHooksTakeTheirOwnDecisionsOnly(t *testing.T) {
	r := run(t, `
function M.on_branch() return b2b.skip() end
function M.on_progress() return b2b.suppress() end
function M.on_answer() return b2b.hangup(486, "no") end
function M.on_request() return b2b.reply(200, "OK", {["X-A"]="1"}, "body") end
function M.on_response() return b2b.reply(200) end`)
	c := r.call(t)
	defer c.Close()
	leg := c.legB()
	for name, got := range map[string]b2bua.Decided{
		"skip": c.Branch(c.view, leg, invite(t)), "suppress": c.Progress(c.view, leg, answerTo(t, 180)),
		"hangup": c.Answer(c.view, leg, answerTo(t, 200)), "reply": c.Request(c.view, leg, invite(t)),
	} {
		want := map[string]b2bua.Decision{
			"skip": b2bua.Skip{}, "suppress": b2bua.Suppress{}, "hangup": b2bua.HangUp{Code: 486, Reason: "no"},
			"reply": b2bua.Reply{Code: 200, Reason: "OK", Headers: []message.Header{{Name: "X-A", Value: "1"}}, Body: []byte("body")},
		}[name]
		if !reflect.DeepEqual(got.Decision, want) {
			t.Errorf("%s: %#v", name, got)
		}
	}
	c.Response(c.view, leg, answerTo(t, 200))
	wantIn(t, r.log.String(), "on_response returned b2b.reply; it may return nothing", "line=7")
}

func TestAHookThatIsNotThereIsNotWanted(t *testing.T) {
	r := run(t, "function M.on_bye() end\nM.outbound = {INVITE = function() end}\nM.responses = b2b.response_map{[503]=480}")
	c := r.call(t)
	defer c.Close()
	want := map[b2bua.Hook]bool{b2bua.HookBye: true, b2bua.HookOutbound: true, b2bua.HookFinal: true}
	for h := b2bua.HookInvite; h <= b2bua.HookOutbound; h++ {
		if c.Wants(h) != want[h] {
			t.Errorf("hook %d: %v", h, c.Wants(h))
		}
	}
}
