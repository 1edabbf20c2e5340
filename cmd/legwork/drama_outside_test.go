package main

import "testing"

const (
	registrarOn = "users: {file: users.yaml, realm: self}\nregistrar: {enabled: true, expires: {min: 60, default: 300, max: 3600}}\n"
	toAOR       = `return b2b.route { to = { aor = "sip:" .. call.req.uri.user .. "@self.example" } }`
	// A REGISTER, again with a password, and its parts.
	register = "\n> REGISTER sip:self.example | To: <sip:bob@self.example> | From: <sip:bob@self.example>;tag=b"
	asBob    = " | [authentication username=bob password=builder]"
	wanted   = "\n< 401 auth | WWW-Authenticate: ^Digest "
	here     = " | Contact: <sip:bob@@FIRST@;transport=@TRANSPORT@>"
	there    = " | Contact: <sip:bob@@SECOND@;transport=@TRANSPORT@>"
)

// proved is a REGISTER, its challenge, and the same with a password.
func proved(parts string) string { return register + parts + wanted + register + parts + asBob }

// calling calls bob from another dialog.
func calling(steps string) string { return "\n> INVITE sip:bob@self.example @2 +sdp\n< 100 @2" + steps }

const ring = "\n< 180 @2\n< 200 @2\n> ACK @2\npause 30\n> BYE @2\n< 200 @2"

// Flows R1 to R5, and calls to those who have registered.
var registrations = map[string]drama{
	"R1 new, then a call": {
		caller:  proved(here) + "\n< 200 | Contact: @FIRST@.*;expires=300" + calling(ring),
		callees: []string{answers},
	},
	"R2 another contact, the better one is called": {
		caller: proved(here+";q=0.2 | Expires: 120") + "\n< 200 | Contact: @FIRST@.*;expires=120" +
			proved(there+";q=0.9;expires=7200") + "\n< 200 | Contact: @SECOND@.*;expires=3600 | Contact: @FIRST@" + calling(ring),
		callees: []string{"", answers},
	},
	"R2 both contacts at once": {
		caller:  proved(here) + "\n< 200" + proved(there) + "\n< 200" + calling("\n< 180 @2"+ring),
		callees: []string{losesTheRace, "< INVITE\n> 180\npause 100\n> 200 +sdp" + isHungUp},
	},
	"R3 a question": {
		caller: proved(here) + "\n< 200" + proved(" | !Contact:") + "\n< 200 | Contact: @FIRST@.*;expires=",
	},
	"R4 one is taken back": {
		caller: proved(here) + "\n< 200" + proved(there) + "\n< 200" + proved(here+";expires=0") + "\n< 200 | !Contact: @FIRST@ | Contact: @SECOND@",
	},
	"R4 all are taken back": {
		caller: proved(here) + "\n< 200" + proved(" | Contact: * | Expires: 0") + "\n< 200 | !Contact:" + calling("\n< 480 @2\n> ACK @2"),
	},
	"R5 wrong password": {
		caller: register + here + wanted + register + here + " | [authentication username=bob password=guess]" + "\n< 401 | WWW-Authenticate: Digest",
	},
	"R5 nobody of that name": {
		caller: register + here + wanted + register + here + " | [authentication username=mallory password=builder]" + "\n< 401 | WWW-Authenticate: Digest",
	},
	"R5 too brief": {caller: proved(here+";expires=30") + "\n< 423 | Min-Expires: ^60"},
	"R5 somebody else's": {
		caller: "\n> REGISTER sip:self.example | To: <sip:alice@self.example> | From: <sip:bob@self.example>;tag=b" + here + wanted +
			"\n> REGISTER sip:self.example | To: <sip:alice@self.example> | From: <sip:bob@self.example>;tag=b" + here + asBob + "\n< 403",
	},
	"R5 all, but not with Expires 0": {caller: proved(" | Contact: * | Expires: 60") + "\n< 400"},
	"R1 a Path is kept": {
		caller:  proved(" | Contact: <sip:bob@192.0.2.9> | Path: <sip:@FIRST@;transport=@TRANSPORT@;lr> | Supported: path") + "\n< 200 | Path: @FIRST@" + calling(ring),
		callees: []string{"\n< INVITE sip:bob@192.0.2.9 | Route: @FIRST@\n> 180\n> 200 +sdp" + isHungUp},
	},
	"R1 by script": {
		lua: `local M = {}
function M.on_invite(call) ` + toAOR + ` end
function M.on_register(txn)
  if txn.source.account ~= "bob" then return b2b.challenge { realm = "self" } end
  return b2b.accept { expires = 100 }
end
return M`,
		caller: proved(here) + "\n< 200 | Contact: @FIRST@.*;expires=100" + calling(ring), callees: []string{answers},
	},
}

func TestPhonesRegister(t *testing.T) {
	dramas := map[string]drama{}
	for name, d := range registrations {
		d.files, d.config = map[string]string{"users.yaml": "bob: builder\n"}, registrarOn
		d.udp = d.callees != nil // over TCP a phone is called on its own connection
		if d.lua == "" {
			d.lua = toAOR
		}
		dramas[name] = d
	}
	playAll(t, dramas)
}

// hooked is a script of one hook for requests outside any dialog.
func hooked(hook, body string) string {
	return "local M = {}\nfunction M." + hook + "(txn)\n" + body + "\nend\nreturn M\n"
}

const routed = `return b2b.route { to = { trunk = "first", user = txn.req.uri.user } }`

// Requests outside any dialog.
func TestRequestsThatAreNoCallCross(t *testing.T) {
	playAll(t, map[string]drama{
		"a MESSAGE": {
			lua: hooked("on_message", routed), caller: "> MESSAGE | = text/plain hello\n< 202 | !Contact:",
			callees: []string{"< MESSAGE sip:one@ | = ^hello | Content-Type: text/plain\n> 202"},
		},
		"a MESSAGE is refused": {
			lua: hooked("on_message", routed), caller: "> MESSAGE | = text/plain hello\n< 486",
			callees: []string{"< MESSAGE\n> 486"},
		},
		"a MESSAGE goes on to the next": {
			lua:    hooked("on_message", `return b2b.route { to = { { trunk = "first" }, { trunk = "second" } } }`),
			caller: "> MESSAGE | = text/plain hello\n< 200", callees: []string{"< MESSAGE\n> 503", "< MESSAGE | = hello\n> 200"},
		},
		"a MESSAGE to one who has registered": {
			lua: "local M = {}\nfunction M.on_message(txn) return b2b.route { to = { aor = \"sip:bob@self.example\" } } end\nreturn M\n",
			udp: true, config: registrarOn, files: map[string]string{"users.yaml": "bob: builder\n"},
			caller:  register + here + wanted + register + here + asBob + "\n< 200\n> MESSAGE sip:bob@self.example @2 | = text/plain hello\n< 200 @2",
			callees: []string{"< MESSAGE sip:bob@\n> 200"},
		},
		"a PUBLISH and its tag": {
			lua:     hooked("on_publish", `return b2b.route { to = { trunk = txn.req.h["SIP-If-Match"] and "second" or "first" } }`),
			caller:  "> PUBLISH | Event: presence | Expires: 600 | = application/pidf+xml <x/>\n< 200 | SIP-ETag: ^dx200xyz | Expires: ^600\n> PUBLISH @2 | Event: presence | SIP-If-Match: dx200xyz\n< 412 @2",
			callees: []string{"< PUBLISH | Event: ^presence | = <x/>\n> 200 | SIP-ETag: dx200xyz | Expires: 600", "< PUBLISH | SIP-If-Match: ^dx200xyz$ | !Content-Type:\n> 412"},
		},
		"a SERVICE, by on_other": {
			lua: hooked("on_other", routed), caller: "> SERVICE | = text/plain do it\n< 200 | = done",
			callees: []string{"< SERVICE | = do it\n> 200 | = text/plain done"},
		},
		"what nobody knows": {
			lua: hooked("on_kdmq", routed), caller: "> KDMQ | X-A: b\n< 200", callees: []string{"< KDMQ\n> 200"},
		},
		"no hook": {
			lua: "return b2b.reject(404)",
			caller: "> MESSAGE | = text/plain hello\n< 405 | Allow: INVITE\n> KDMQ @2\n< 501 @2 | Allow: INVITE\n> OPTIONS @3\n< 200 @3 | Allow: INVITE | Accept: application/sdp | Supported: replaces\n" +
				"> NOTIFY @4 | Event: refer | Subscription-State: active\n< 481 @4\n> BYE @5\n< 481 @5\n> PRACK @6 | RAck: 1 1 INVITE\n< 481 @6\n> UPDATE @7\n< 481 @7",
		},
		"OPTIONS by script": {
			lua: hooked("on_options", routed), caller: "> OPTIONS\n< 486", callees: []string{"< OPTIONS\n> 486"},
		},
		"answered by script": {
			lua:    hooked("on_message", `return b2b.reply(200, "Fine", { ["X-A"] = "b" }, "thanks")`),
			caller: "> MESSAGE | = text/plain hello\n< 200 | X-A: ^b | = thanks",
		},
	})
}

func TestRegistrationsGoUpstream(t *testing.T) {
	playAll(t, map[string]drama{
		"a REGISTER upstream, where a password is wanted": {
			lua:    hooked("on_register", `return b2b.route { to = { trunk = txn.req.h["Authorization"] and "second" or "first" } }`),
			caller: register + wanted + `realm="up"` + register + asBob + "\n< 200",
			callees: []string{
				"< REGISTER | !Authorization:\n> 401 | WWW-Authenticate: Digest realm=\"up\", nonce=\"n\"",
				"< REGISTER | Authorization: username=\"bob\" | $c Contact: ^(<[^>]*>)\n> 200 | Contact: [$c];expires=600",
			},
		},
		"a REGISTER upstream": {
			lua:     hooked("on_register", routed),
			caller:  "> REGISTER sip:self.example | To: <sip:bob@self.example> | Contact: <sip:bob@[local_ip]:[local_port]> | Expires: 600\n< 200 | Contact: <sip:bob@@CALLER@>;expires=600",
			callees: []string{"< REGISTER | !Contact: @CALLER@ | $c Contact: ^(<[^>]*>) | Expires: 600\n> 200 | Contact: [$c];expires=600"},
		},
	})
}

// A subscription is a pair of them.
func TestSubscriptionsCross(t *testing.T) {
	const (
		script = "local M = {}\nfunction M.on_subscribe(txn) return b2b.route { to = { trunk = \"first\" } } end\nreturn M\n"
		active = "\n> NOTIFY | Event: presence | Subscription-State: active;expires=600 | = text/plain open\n< 200 NOTIFY"
		seen   = "\n< NOTIFY | Event: ^presence | Subscription-State: ^active | = open\n> 200"
		over   = "\n> NOTIFY | Event: presence | Subscription-State: terminated;reason=timeout\n< 200 NOTIFY"
		ended  = "\n< NOTIFY | Subscription-State: ^terminated;reason=timeout\n> 200"
	)
	playAll(t, map[string]drama{
		"refreshed and ended": {
			lua: script,
			caller: "> SUBSCRIBE | Event: presence | Expires: 600\n< 200 | Expires: ^600" + seen +
				"\n> SUBSCRIBE | Event: presence | Expires: 300\n< 200 | Expires: ^300" + seen + "\n> SUBSCRIBE | Event: presence | Expires: 0\n< 200" + ended,
			callees: []string{"< SUBSCRIBE | Event: ^presence | Expires: ^600\n> 200 | Expires: 600" + active +
				"\n< SUBSCRIBE | Expires: ^300\n> 200 | Expires: 300" + active + "\n< SUBSCRIBE | Expires: ^0\n> 200 | Expires: 0" + over},
		},
		"NOTIFY before the 200": {
			lua:     script,
			caller:  "> SUBSCRIBE once | Event: presence | Expires: 600" + seen + "\n< 200 SUBSCRIBE" + ended,
			callees: []string{"< SUBSCRIBE\n> NOTIFY tag=[pid]-[call_number]-1 | Event: presence | Subscription-State: active;expires=600 | = text/plain open\n< 200 NOTIFY\n> 200 SUBSCRIBE | Expires: 600" + over},
		},
		"refused": {
			lua: script, caller: "> SUBSCRIBE | Event: nothing | Expires: 600\n< 489 | Allow-Events: presence",
			callees: []string{"< SUBSCRIBE\n> 489 | Allow-Events: presence"},
		},
		"the subscriber has gone": {
			lua:     script,
			caller:  "> SUBSCRIBE | Event: presence | Expires: 600\n< 200" + seen + "\n< NOTIFY\n> 481",
			callees: []string{"< SUBSCRIBE\n> 200 | Expires: 600" + active + "\npause 50\n> NOTIFY | Event: presence | Subscription-State: active;expires=600\n< 481 NOTIFY"},
		},
	})
}
