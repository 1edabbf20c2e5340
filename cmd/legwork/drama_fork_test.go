package main

import (
	"strings"
	"testing"
)

const parallel = `return b2b.route { to = { { trunk = "first" }, { trunk = "second" } }, strategy = "parallel" }`

// Flows C9, C10 and C11.
var forks = map[string]drama{
	"C9 the first who answers wins": {
		lua:     parallel,
		caller:  calls + rings + rings + "\n< 200" + hangsUp,
		callees: []string{losesTheRace, "< INVITE\n> 180\npause 100\n> 200 +sdp" + isHungUp},
	},
	"C9 the better failure goes to the caller": {
		lua:     parallel,
		caller:  calls + rings + "\n< 486\n> ACK",
		callees: []string{"< INVITE\n> 180\npause 100\n> 486\n< ACK", "< INVITE\n> 503\n< ACK"},
	},
	"C9 a 6xx ends it for all": {
		lua:     parallel,
		caller:  calls + rings + rings + "\n< 603\n> ACK",
		callees: []string{losesTheRace, "< INVITE\n> 180\npause 100\n> 603\n< ACK"},
	},
	"C9 a caller who gives up is heard everywhere": {
		lua:     parallel,
		caller:  calls + rings + rings + "\n> CANCEL\n< 200 CANCEL\n< 487 INVITE\n> ACK",
		callees: []string{losesTheRace, losesTheRace},
	},
	"C9 two together, then a third": {
		lua:     `return b2b.route { to = { { { trunk = "first" }, { trunk = "second" } }, { trunk = "third" } }, retry = { 486 } }`,
		caller:  calls + rings + "\n< 200" + hangsUp,
		callees: []string{"< INVITE\n> 486\n< ACK", "< INVITE\n> 486\n< ACK", answers},
	},
	"C9 two answer at once": {
		lua:    parallel,
		caller: calls + "\n< 183\n< 200" + hangsUp,
		callees: []string{
			"< INVITE\npause 100\n> 200 +sdp" + isHungUp,
			"< INVITE\n> 183\n< CANCEL\n> 200\n> 200 INVITE +sdp" + isHungUp, // crosses the CANCEL
		},
	},
	"C10 rings twice downstream, another answers": {
		lua:    `return b2b.route { to = { trunk = "first" } }`,
		caller: calls + "\n< 180 | $one To: tag=([^;[:cntrl:]]+)\n< 183 | $two To: tag=([^;[:cntrl:]]+) | $one != $two\n< 200 | $last To: tag=([^;[:cntrl:]]+) | $two == $last" + hangsUp,
		callees: []string{`
				< INVITE
				> 180 tag=one
				> 183 tag=two +sdp
				> 200 tag=two +sdp
				< ACK | To: tag=two$
				< BYE | To: tag=two$
				> 200`},
	},
	"C10 a second 200 is acknowledged and hung up": {
		lua:    `return b2b.route { to = { trunk = "first" } }`,
		caller: calls + "\n< 180\n< 200\n> ACK\npause 300\n> BYE\n< 200",
		callees: []string{`
				< INVITE
				> 180 tag=one
				> 200 tag=one +sdp
				< ACK | To: tag=one$
				> 200 INVITE tag=two +sdp
				< ACK | To: tag=two$
				< BYE | To: tag=two$
				> 200
				< BYE | To: tag=one$
				> 200`},
	},
	"C11 contacts are tried by q": {
		lua:    `return b2b.route { to = { trunk = "first" }, retry = { 486 } }`,
		caller: calls + rings + "\n< 200" + hangsUp,
		callees: []string{
			"< INVITE\n> 302 | Contact: <sip:third@@THIRD@;transport=@TRANSPORT@>;q=0.2, <sip:second@@SECOND@;transport=@TRANSPORT@>;q=0.9\n< ACK",
			"< INVITE sip:second@\n> 486\n< ACK",
			"< INVITE sip:third@\n> 180\n> 200 +sdp" + isHungUp,
		},
	},
	"C11 a redirection that leads back is not followed": {
		lua:     `return b2b.route { to = { trunk = "first", user = "one" } }`,
		caller:  calls + "\n< 302\n> ACK",
		callees: []string{"< INVITE sip:one@\n> 302 | Contact: <sip:one@@FIRST@;transport=@TRANSPORT@>\n< ACK"},
	},
	"C11 passed to the caller": {
		lua:     `return b2b.route { to = { trunk = "first" }, redirect = "pass" }`,
		caller:  calls + "\n< 302 | Contact: <sip:two@192.0.2.7>;q=0.9\n> ACK",
		callees: []string{"< INVITE\n> 302 | Contact: <sip:two@192.0.2.7>;q=0.9, <sip:three@192.0.2.8>;q=0.2\n< ACK"},
	},
	"C11 a script redirects": {
		lua:    `return b2b.redirect { contact = { "sip:two@192.0.2.7", "sip:three@192.0.2.8" }, code = 301 }`,
		caller: calls + "\n< 301 | Contact: sip:two@192.0.2.7 | Contact: sip:three@192.0.2.8\n> ACK",
	},
}

func TestCallsForkAndFollow(t *testing.T) { playAll(t, forks) }

// Flows C10, C19 and C33: what crosses, and what the caller sees of it.
func TestCallersSeeWhatTheRouteSays(t *testing.T) {
	const forked = "< INVITE\n> 180 tag=one\n> 183 tag=two +sdp\n> 200 tag=two +sdp\n< ACK | To: tag=two$\n< BYE | To: tag=two$\n> 200"
	early := func(which string) string {
		return `return b2b.route { to = { trunk = "first" }, early = "` + which + `" }`
	}
	playAll(t, map[string]drama{
		"C10 one early dialog":            {lua: early("first"), caller: calls + rings + "\n< 200" + hangsUp, callees: []string{forked}},
		"C10 no early dialog":             {lua: early("suppress"), caller: calls + "\n< 200" + hangsUp, callees: []string{forked}},
		"C19 an option that nobody knows": {lua: oneTrunk, caller: "> INVITE +sdp | Require: foo\n<? 100\n< 420 | Unsupported: ^foo\n> ACK"},
		"C19 a body that only the callee must read": {
			lua:     oneTrunk,
			caller:  "> INVITE | Content-Encoding: foo | = application/foo bar\n< 100\n< 415 | Accept-Encoding: ^identity\n> ACK",
			callees: []string{"< INVITE | Content-Encoding: ^foo | Content-Type: ^application/foo | = ^bar\n> 415 | Accept-Encoding: identity\n< ACK"},
		},
		"C33 larger than a packet": {
			lua:     oneTrunk,
			caller:  "> INVITE +sdp | Subject: " + strings.Repeat("long ", 600) + "\n< 100\n< 180\n< 200" + hangsUp,
			callees: []string{"< INVITE | Subject: (long ){599}long\n> 180\n> 200 +sdp" + isHungUp},
		},
		"C18 no hop is left": {lua: oneTrunk, caller: "> INVITE +sdp | Max-Forwards: 0\n<? 100\n< 483\n> ACK"},
	})
}
