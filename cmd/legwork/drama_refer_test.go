package main

import "testing"

// byNumber routes one, two and three to the three callees.
func byNumber(more string) string {
	return `local trunks = { one = "first", two = "second", three = "third" }
	return b2b.route { to = { trunk = trunks[call.req.uri.user] }, refer = "` + more + `" }`
}

const (
	heard = "\n< NOTIFY | Event: ^refer | Subscription-State: ^active | = SIP/2.0 100\n> 200"
	told  = "\n< NOTIFY | Event: ^refer | Subscription-State: ^terminated | = SIP/2.0 "
	// The survivor is offered the other one's session.
	reinvited = "\n< INVITE | = m=audio\n> 200 +sdp\n< ACK"
	gone      = "\n< BYE\n> 200"
)

const refer = "\n> REFER | Refer-To: <sip:two@self.example> | Referred-By: <sip:alice@a.example>"

// Flows C26.
// A target takes its time, so that no two NOTIFYs reach SIPp in one piece: over
// TCP it does not send between them.
var transfers = map[string]drama{
	"C26 passed": {
		lua:     byNumber("pass"),
		caller:  talks + refer + "\n< 202\n< NOTIFY | Event: refer | Content-Type: message/sipfrag | = SIP/2.0 200 OK\n> 200" + ends,
		callees: []string{talked + "\n< REFER | Refer-To: two@self.example | Referred-By: alice@a.example\n> 202\n> NOTIFY | Event: refer | Subscription-State: terminated;reason=noresource | = message/sipfrag SIP/2.0 200 OK\n< 200" + ended},
	},
	"C26 passed, and refused": {
		lua:     byNumber("pass"),
		caller:  talks + refer + "\n< 603" + ends,
		callees: []string{talked + "\n< REFER\n> 603" + ended},
	},
	"C26 passed from the callee": {
		lua:     byNumber("pass"),
		caller:  talks + "\n< REFER | Refer-To: two@\n> 202\n> NOTIFY | Event: refer | Subscription-State: terminated;reason=noresource | = message/sipfrag SIP/2.0 200 OK\n< 200" + ended,
		callees: []string{talked + "\npause 80\n> REFER | Refer-To: <sip:two@self.example>\n< 202\n< NOTIFY | = SIP/2.0 200 OK\n> 200" + ends},
	},
	"C26 rejected": {
		lua: byNumber("reject"), caller: talks + refer + "\n< 603" + ends, callees: []string{talked + ended},
	},
	"C26 a Refer-To that does not parse": {
		lua: byNumber("local"), caller: talks + "\n> REFER | Refer-To: <:::>\n< 400" + ends, callees: []string{talked + ended},
	},
	"C26 done here": {
		lua:    byNumber("local"),
		caller: talks + refer + "\n< 202" + heard + "\n< NOTIFY | Subscription-State: ^active | = SIP/2.0 180\n> 200" + told + "200\n> 200" + ends,
		callees: []string{
			talked + reinvited + "\npause 100" + ends,
			"\n< INVITE | Referred-By: alice@a.example | !Replaces:\npause 60\n> 180\npause 60\n> 200 +sdp\n< ACK" + ended,
		},
	},
	"C26 done here, and the referrer is hung up": {
		lua:    byNumber("local"),
		caller: talks + refer + "\n< 202" + heard + told + "200\n> 200" + gone,
		callees: []string{
			talked + reinvited + "\npause 4500" + ends,
			"\n< INVITE\npause 60\n> 200 +sdp\n< ACK" + ended,
		},
	},
	"C26 done here, and the target is busy": {
		lua:    byNumber("local"),
		caller: talks + refer + "\n< 202" + heard + told + "486\n> 200\n> INFO\n< 200" + ends,
		callees: []string{
			talked + "\n< INFO\n> 200" + ended,
			"\n< INVITE\npause 60\n> 486\n< ACK",
		},
	},
	"C26 done here for the callee": {
		lua:    byNumber("local"),
		caller: talks + "\n< INVITE | = m=audio\n> 200 +sdp\n< ACK" + ended,
		callees: []string{
			talked + "\npause 80\n> REFER | Refer-To: <sip:two@self.example>\n< 202" + heard + told + "200\n> 200" + ends,
			"\n< INVITE\npause 60\n> 200 +sdp\n< ACK\npause 300\n> BYE\n< 200",
		},
	},
	"C26 done here without NOTIFYs": {
		lua:    byNumber("local"),
		caller: talks + refer + " | Refer-Sub: false | Supported: norefersub\n< 202 | Refer-Sub: false\npause 200" + ends,
		callees: []string{
			talked + reinvited + "\npause 300" + ends,
			"\n< INVITE\npause 60\n> 200 +sdp\n< ACK" + ended,
		},
	},
	"C26 a script decides": {
		lua: `local M = {}
function M.on_invite(call) return b2b.route { to = { trunk = "first" }, refer = "reject" } end
function M.on_refer(call, leg, req)
  local user = req.h:addr("Refer-To").uri.user
  if user == "two" then return b2b.transfer { to = { trunk = "second", user = "mine" } } end
  if user == "three" then return b2b.pass() end
  return b2b.reject(403)
end
return M`,
		caller: talks + "\n> REFER | Refer-To: <sip:nine@self.example>\n< 403\n> REFER | Refer-To: <sip:three@self.example>\n< 405" + refer + "\n< 202" +
			"\n< NOTIFY\n> 200\n< NOTIFY | = SIP/2.0 200\n> 200" + ends,
		callees: []string{
			talked + "\n< REFER | Refer-To: three@\n> 405" + reinvited + "\npause 100" + ends,
			"\n< INVITE sip:mine@\npause 60\n> 200 +sdp\n< ACK" + ended,
		},
	},
}

func TestBlindTransfers(t *testing.T) { playAll(t, transfers) }

// Flows C27 and C28. The caller has two dialogs; it names one in the other.
func TestDialogsReplaceEachOther(t *testing.T) {
	const (
		one      = "\n> INVITE sip:one@@SELF@ +sdp" + able + "\n< 100\n< 200 | $one To: tag=([^;[:cntrl:]]+)\n> ACK"
		two      = "\n> INVITE sip:two@@SELF@ @2 +sdp" + able + "\n< 100 @2\n< 200 @2 | $two To: tag=([^;[:cntrl:]]+)\n> ACK @2"
		consult  = one + two + "\n> REFER | Refer-To: <sip:two@@SELF@?Replaces=2///[call_id]%3Bto-tag%3D[$two]%3Bfrom-tag%3D[pid]-[call_number]-2>"
		picked   = "\n< INVITE\n> 200 +sdp" + able + "\n< ACK"
		takeOver = one + "\n> INVITE sip:two@@SELF@ @2 +sdp | Replaces: [call_id];to-tag=[$one];from-tag=[pid]-[call_number]-1 | Require: replaces\n< 100 @2"
	)
	playAll(t, map[string]drama{
		"C27 done here": {
			lua: byNumber("local"), udp: true, // over TCP SIPp stumbles over two requests at once
			caller: consult + "\n< 202" + heard + "\nboth" + told + "200\n> 200\nand\n< BYE @2\n> 200 @2\ndone" + ends,
			callees: []string{
				picked + reinvited + "\npause 400" + ends,
				picked + reinvited + ended,
			},
		},
		"C27 passed": {
			lua:    byNumber("pass"),
			caller: consult + "\n< 202\n< NOTIFY | = SIP/2.0 200\n> 200" + ends + "\n> BYE @2\n< 200 @2",
			callees: []string{
				picked + "\n< REFER | Refer-To: [?]Replaces=[^/]*%3[Bb]from-tag\n> 202\n> NOTIFY | Event: refer | Subscription-State: terminated | = message/sipfrag SIP/2.0 200 OK\n< 200" + ended,
				picked + ended,
			},
		},
		"C28 taken over": {
			lua: byNumber("local"), udp: true,
			caller:  takeOver + "\nboth\n< BYE\n> 200\nand\n< 200 @2\n> ACK @2\ndone\n> BYE @2\n< 200 @2",
			callees: []string{picked + reinvited + ended},
		},
		"C28 passed": {
			lua:    byNumber("pass"),
			caller: takeOver + "\n< 200 @2\n> ACK @2\n< BYE\n> 200\n> BYE @2\n< 200 @2",
			callees: []string{
				picked + "\npause 200" + ends,
				"\n< INVITE | Replaces: to-tag= | !Replaces: ///\n> 200 +sdp\n< ACK" + ended,
			},
		},
		"C28 nobody knows it": {
			lua: byNumber("local"), caller: "> INVITE +sdp | Replaces: nobody;to-tag=a;from-tag=b\n<? 100\n< 481\n> ACK",
		},
		"C28 only early dialogs": {
			lua:     byNumber("local"),
			caller:  one + "\n> INVITE sip:two@@SELF@ @2 +sdp | Replaces: [call_id];to-tag=[$one];from-tag=[pid]-[call_number]-1;early-only\n<? 100 @2\n< 486 @2\n> ACK @2" + ends,
			callees: []string{picked + ended},
		},
	})
}
