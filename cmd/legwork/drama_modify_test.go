package main

import "testing"

const (
	able   = " | Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, INFO, REFER, NOTIFY"
	talks  = "\n> INVITE +sdp" + able + "\n< 100\n< 180\n< 200\n> ACK"
	talked = "\n< INVITE\n> 180\n> 200 +sdp" + able + "\n< ACK"
	ends   = "\n> BYE\n< 200"
	ended  = "\n< BYE\n> 200"
)

// Flows C20, C21 and C29 in which the caller begins; meanwhile the callee. Each is
// played the other way round too.
var changes = map[string]struct{ active, passive string }{
	"C20 hold and resume": {
		"\n> INVITE +sendonly\n<? 100\n< 200 | = a=recvonly\n> ACK\n> INVITE +sendrecv\n<? 100\n< 200 | = a=sendrecv\n> ACK",
		"\n< INVITE | = a=sendonly\n> 200 +recvonly\n< ACK\n< INVITE | = a=sendrecv\n> 200 +sendrecv\n< ACK",
	},
	"C20 hold by UPDATE": {
		"\n> UPDATE +sendonly\n< 200 | = a=recvonly",
		"\n< UPDATE | = a=sendonly\n> 200 +recvonly",
	},
	"C20 an UPDATE refused": {
		"\n> UPDATE +sendonly\n< 488",
		"\n< UPDATE | = a=sendonly\n> 488",
	},
	"C20 without SDP": {
		"\n> INVITE\n<? 100\n< 200 | = a=sendonly\n> ACK +recvonly",
		"\n< INVITE | !Content-Type:\n> 200 +sendonly\n< ACK | = a=recvonly",
	},
	"C20 refused, and the call goes on": {
		"\n> INVITE +sendonly\n<? 100\n< 488\n> ACK\npause 50\n> INVITE +sendrecv\n<? 100\n< 200\n> ACK",
		"\n< INVITE | = a=sendonly\n> 488\n< ACK\n< INVITE | = a=sendrecv\n> 200 +sdp\n< ACK",
	},
	"C20 with a new contact": {
		"\n> INVITE +sdp | Contact: <sip:moved@[local_ip]:[local_port];transport=[transport]>\n<? 100\n< 200\n> ACK\n< INFO sip:moved@\n> 200",
		"\n< INVITE\n> 200 +sdp\n< ACK\npause 60\n> INFO\n< 200",
	},
	"C21 the other side's is pending": {
		"\n> INVITE +sendonly\n<? 100\n< 200 | = a=recvonly\n> ACK",
		"\n< INVITE | = a=sendonly\n> INVITE +sendonly\n<? 100\n< 491 INVITE\n> ACK\n> 200 INVITE +recvonly\n< ACK",
	},
	"C21 an UPDATE while the other side's INVITE is pending": {
		"\n> INVITE +sendonly\n<? 100\n< 200 | = a=recvonly\n> ACK",
		"\n< INVITE | = a=sendonly\n> UPDATE +sendonly\n< 491 UPDATE\n> 200 INVITE +recvonly\n< ACK",
	},
	"C29 a digit": {
		"\n> INFO | = application/dtmf-relay Signal=5\\nDuration=160\n< 200",
		"\n< INFO | Content-Type: application/dtmf-relay | = Signal=5\n> 200",
	},
	"C29 a package that nobody knows": {
		"\n> INFO | Info-Package: foo | = application/foo bar\n< 469 | Recv-Info: bar",
		"\n< INFO | Info-Package: foo | = bar\n> 469 | Recv-Info: bar",
	},
	"C29 a body that nobody wants": {
		"\n> INFO | = application/foo bar\n< 415 | Accept: application/dtmf-relay",
		"\n< INFO | = bar\n> 415 | Accept: application/dtmf-relay",
	},
	"C20 MESSAGE, OPTIONS and what nobody knows": {
		"\n> MESSAGE | = text/plain hello\n< 200\n> OPTIONS\n< 200\n> KDMQ\n< 501",
		"\n< MESSAGE | = hello\n> 200\n< OPTIONS\n> 200\n< KDMQ\n> 501",
	},
}

func TestEitherSideChangesTheCall(t *testing.T) {
	dramas := map[string]drama{}
	for name, c := range changes {
		dramas[name+", caller"] = drama{lua: oneTrunk, caller: talks + c.active + "\npause 30" + ends, callees: []string{talked + c.passive + ended}}
		dramas[name+", callee"] = drama{lua: oneTrunk, caller: talks + c.passive + ended, callees: []string{talked + "\npause 80" + c.active + "\npause 30" + ends}}
	}
	playAll(t, dramas)
}

func TestChangesThatEndOrBend(t *testing.T) {
	playAll(t, map[string]drama{
		"C20 an UPDATE to one who knows none becomes a re-INVITE": {
			lua:     oneTrunk,
			caller:  talks + "\n> UPDATE +sendonly\n< 200 | = a=recvonly" + ends,
			callees: []string{"\n< INVITE\n> 180\n> 200 +sdp | Allow: INVITE, ACK, CANCEL, BYE\n< ACK\n< INVITE | = a=sendonly\n> 200 +recvonly\n< ACK" + ended},
		},
		"C21 a re-INVITE before the other side's ACK": {
			lua:     oneTrunk,
			caller:  "\n> INVITE +sdp\n< 100\n< 180\n< 200\npause 200\n> ACK\npause 50" + ends,
			callees: []string{talked + "\n> INVITE +sendonly\n<? 100\n< 491\n> ACK" + ended},
		},
		"C22 both hang up at once": {
			lua:     oneTrunk,
			caller:  talks + "\npause 50\n> BYE\n< 200",
			callees: []string{talked + "\n< BYE\n> BYE\n< 200 BYE\n> 200 BYE"},
		},
		"C20 a script answers": {
			lua: `local M = {}
function M.on_invite(call) ` + oneTrunk + ` end
function M.on_request(call, leg, req)
  if req.method == "INFO" then return b2b.reply(415, "Not here", { Accept = "application/x" }) end
end
return M`,
			caller:  talks + "\n> INFO | = application/dtmf-relay Signal=5\n< 415 | Accept: application/x" + ends,
			callees: []string{talked + ended},
		},
	})
}
