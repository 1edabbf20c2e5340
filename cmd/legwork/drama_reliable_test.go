package main

import "testing"

const (
	reliable = " | Require: 100rel | RSeq: "
	offers   = "\n> INVITE +sdp | Supported: 100rel" + able
	demands  = "\n> INVITE +sdp | Require: 100rel" + able
	// The other side of these, up to a reliable 183 with SDP and its PRACK.
	early  = "\n< 100\n< 183 | Require: ^100rel | $n RSeq: ^([0-9]+) | = m=audio\n> PRACK | RAck: [$n] 1 INVITE\n< 200 PRACK"
	earlyB = "\n< INVITE | Supported: 100rel\n> 183 +sdp" + reliable + "5001" + able + "\n< PRACK | RAck: ^5001 1 INVITE\n> 200 PRACK"
	lateB  = "\n> 200 INVITE" + isHungUp
)

// Flow C23.
var reliabilities = map[string]drama{
	"C23 both": {
		lua: oneTrunk, caller: offers + early + "\n< 200 INVITE" + hangsUp, callees: []string{earlyB + "\npause 50" + lateB},
	},
	"C23 the caller requires it, the callee can": {
		lua: oneTrunk, caller: demands + early + "\n< 200 INVITE" + hangsUp, callees: []string{earlyB + "\npause 50" + lateB},
	},
	"C23 the caller requires it, the callee can't": {
		lua:     oneTrunk,
		caller:  demands + "\n< 100\n< 180 | Require: 100rel | $n RSeq: ^([0-9]+)\n> PRACK | RAck: [$n] 1 INVITE\n< 200 PRACK\n< 200 INVITE" + hangsUp,
		callees: []string{"\n< INVITE | !Require: 100rel\n> 180\npause 80\n> 200 +sdp" + isHungUp},
	},
	"C23 the callee requires it, the caller can't": {
		lua:     oneTrunk,
		caller:  "\n> INVITE +sdp\n< 100\n< 183 | !Require: 100rel | !RSeq: | = m=audio\n< 200" + hangsUp,
		callees: []string{earlyB + lateB},
	},
	"C23 neither": {
		lua:     `return b2b.route { to = { trunk = "first" }, prack = "off" }`,
		caller:  calls + "\n< 180 | !RSeq:\n< 200" + hangsUp,
		callees: []string{"\n< INVITE | !Supported: 100rel | !Require: 100rel\n> 180\n> 200 +sdp" + isHungUp},
	},
	"C23 several, in order": {
		lua:     oneTrunk,
		caller:  offers + early + "\n< 180 INVITE | $m RSeq: ^([0-9]+) | $n != $m\n> PRACK | RAck: [$m] 1 INVITE\n< 200 PRACK\n< 200 INVITE" + hangsUp,
		callees: []string{earlyB + "\n> 180 INVITE" + reliable + "5002\n< PRACK | RAck: ^5002 1 INVITE\n> 200 PRACK\npause 80" + lateB},
	},
	"C23 a 2xx waits for the PRACK of an answer": {
		lua:     oneTrunk,
		caller:  offers + "\n< 100\n< 183 | $n RSeq: ^([0-9]+)\npause 150\n> PRACK | RAck: [$n] 1 INVITE\n< 200 PRACK\n< 200 INVITE" + hangsUp,
		callees: []string{earlyB + lateB},
	},
	"C23 a PRACK for nothing": {
		lua:     oneTrunk,
		caller:  offers + "\n< 100\n< 183 | $n RSeq: ^([0-9]+)\n> PRACK | RAck: 1 77 INVITE\n< 481 PRACK\n> PRACK | RAck: [$n] 1 INVITE\n< 200 PRACK\n< 200 INVITE" + hangsUp,
		callees: []string{earlyB + lateB},
	},
	"C23 an offer in the 183, its answer in the PRACK": {
		lua:     oneTrunk,
		caller:  "\n> INVITE | Supported: 100rel\n< 100\n< 183 | $n RSeq: ^([0-9]+) | = m=audio\n> PRACK +sdp | RAck: [$n] 1 INVITE\n< 200 PRACK\n< 200 INVITE" + hangsUp,
		callees: []string{"\n< INVITE | !Content-Type:\n> 183 +sdp" + reliable + "7\n< PRACK | RAck: ^7 1 INVITE | = m=audio\n> 200 PRACK\npause 50" + lateB},
	},
	"C23 repeated until the PRACK comes": {
		lua: oneTrunk, udp: true, repeats: true,
		caller:  offers + "\n< 100\n< 183 | $n RSeq: ^([0-9]+)\npause 700\n> PRACK | RAck: [$n] 1 INVITE\n< 200 PRACK\n< 200 INVITE" + hangsUp,
		callees: []string{earlyB + "\npause 900" + lateB},
	},
	"C23 passed": {
		lua:    `return b2b.route { to = { trunk = "first" }, prack = "pass" }`,
		caller: offers + early + "\n< 200 INVITE" + hangsUp, callees: []string{earlyB + "\npause 50" + lateB},
	},
	"C23 passed to one who can't": {
		lua:     `return b2b.route { to = { trunk = "first" }, prack = "pass" }`,
		caller:  demands + "\n< 100\n< 421 | Require: 100rel\n> ACK",
		callees: []string{"\n< INVITE | Require: 100rel\n> 420 | Unsupported: 100rel\n< ACK"},
	},
	"C23 off for a trunk": {
		lua: oneTrunk, trunk: "prack: off",
		caller: calls + "\n< 180\n< 200" + hangsUp, callees: []string{"\n< INVITE | !Supported: 100rel\n> 180\n> 200 +sdp" + isHungUp},
	},
	"C23 given up after the PRACK": {
		lua:     oneTrunk,
		caller:  offers + early + "\n> CANCEL\n< 200 CANCEL\n< 487 INVITE\n> ACK",
		callees: []string{earlyB + "\n< CANCEL\n> 200\n> 487 INVITE\n< ACK"},
	},
}

func TestReliabilityEndsAtEachLeg(t *testing.T) { playAll(t, reliabilities) }

// Flow C24.
func TestUpdatesBeforeTheAnswer(t *testing.T) {
	playAll(t, map[string]drama{
		"C24 by the caller": {
			lua:     oneTrunk,
			caller:  offers + early + "\n> UPDATE +sendonly\n< 200 UPDATE | = a=recvonly\n< 200 INVITE" + hangsUp,
			callees: []string{earlyB + "\n< UPDATE | = a=sendonly\n> 200 UPDATE +recvonly\npause 50" + lateB},
		},
		"C24 by the callee": {
			lua:     oneTrunk,
			caller:  offers + early + "\n< UPDATE | = a=sendonly\n> 200 UPDATE +recvonly\n< 200 INVITE" + hangsUp,
			callees: []string{earlyB + "\npause 80\n> UPDATE +sendonly\n< 200 UPDATE | = a=recvonly" + lateB},
		},
		"C24 by the callee, to a caller who knows none": {
			lua:     oneTrunk,
			caller:  "\n> INVITE +sdp | Supported: 100rel | Allow: INVITE, ACK, CANCEL, BYE, PRACK" + early + "\n< 200 INVITE" + hangsUp,
			callees: []string{earlyB + "\npause 80\n> UPDATE +sendonly\n< 488 UPDATE" + lateB},
		},
	})
}

// Flow C25, what shows without waiting for ninety seconds.
func TestSessionTimersAreAgreedOn(t *testing.T) {
	playAll(t, map[string]drama{
		"C25 too short": {
			lua:     oneTrunk,
			caller:  "\n> INVITE +sdp | Supported: timer | Session-Expires: 60\n<? 100\n< 422 | Min-SE: ^90\n> ACK\n> INVITE +sdp | Supported: timer | Session-Expires: 90 | Min-SE: 90\n< 100\n< 180\n< 200 | Session-Expires: ^90;refresher=uac | Require: timer" + hangsUp,
			callees: []string{answers},
		},
		"C25 too short for the callee": {
			lua:     `return b2b.route { to = { trunk = "first" }, timer = { expires = 100, min = 90 } }`,
			caller:  calls + rings + "\n< 200" + hangsUp,
			callees: []string{"\n< INVITE | Session-Expires: ^100 | Min-SE: ^90\n> 422 | Min-SE: 600\n< ACK\n< INVITE | Session-Expires: ^600 | Min-SE: ^600\n> 180\n> 200 +sdp | Session-Expires: 600;refresher=uac | Require: timer" + isHungUp},
		},
		"C25 a caller who knows none": {
			lua: oneTrunk, config: "sip: {timer: {expires: 600}}\n",
			caller:  calls + rings + "\n< 200 | !Require: timer" + hangsUp,
			callees: []string{"\n< INVITE | Supported: timer | Session-Expires: ^600\n> 180\n> 200 +sdp | Session-Expires: 600;refresher=uas | Require: timer" + isHungUp},
		},
		"C25 off": {
			lua:     `return b2b.route { to = { trunk = "first" }, timer = false }`,
			config:  "sip: {timer: {expires: 600}}\n",
			caller:  calls + rings + "\n< 200 | !Session-Expires:" + hangsUp,
			callees: []string{"\n< INVITE | !Session-Expires:\n> 180\n> 200 +sdp" + isHungUp},
		},
		"C25 refreshed by UPDATE, by INVITE": {
			lua:     oneTrunk,
			caller:  "\n> INVITE +sdp | Supported: timer | Session-Expires: 1800;refresher=uac" + able + "\n< 100\n< 180\n< 200 | Session-Expires: ^1800;refresher=uac\n> ACK\n> UPDATE | Supported: timer | Session-Expires: 1800;refresher=uac\n< 200 | Session-Expires: ^1800;refresher=uac\n> INVITE +sdp | Supported: timer | Session-Expires: 1800;refresher=uac\n<? 100\n< 200 | Session-Expires: ^1800;refresher=uac" + hangsUp,
			callees: []string{"\n< INVITE\n> 180\n> 200 +sdp" + able + "\n< ACK\n< INVITE\n> 200 +sdp\n< ACK" + ended},
		},
	})
}
