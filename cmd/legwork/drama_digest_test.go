package main

import "testing"

const (
	oneTrunk = `return b2b.route { to = { trunk = "first" } }`
	nonce    = `nonce="84f1c1ae6cbe5ua9c8e88dfa3ecm3459"`
	// One of four challenges that a callee makes, and the look at the answer.
	wants = `
		< INVITE | !Authorization:
		> 401 | WWW-Authenticate: Digest realm="first", ` + nonce
	proof = `username="acct", realm="first", ` + nonce
)

// challenged is a callee who wants credentials and gets some that begin with
// what the pattern says.
func challenged(challenge, pattern string) []string {
	return []string{wants + challenge + "\n< ACK\n< INVITE | Authorization: " + pattern + "\n> 180\n> 200 +sdp" + isHungUp}
}

const (
	account = `auth: {user: acct, password: secret}`
	let     = calls + rings + "\n< 200 | !Authorization: | !WWW-Authenticate:" + hangsUp
)

// Flow C13.
var challenges = map[string]drama{
	"C13 MD5 without qop": {
		lua: oneTrunk, trunk: account, caller: let,
		callees: challenged("", `^Digest .*username="acct".*response="[0-9a-f]{32}"`),
	},
	"C13 MD5 with qop": {
		lua: oneTrunk, trunk: account, caller: let,
		callees: challenged(`, algorithm=MD5, qop="auth"`, `^Digest .*username="acct".*qop=auth.*`),
	},
	"C13 SHA-256": {
		lua: oneTrunk, trunk: account, caller: let,
		callees: challenged(`, algorithm=SHA-256, qop="auth"`, `^Digest .*response="[0-9a-f]{64}"`),
	},
	"C13 SHA-512-256": {
		lua: oneTrunk, trunk: account, caller: let,
		callees: challenged(`, algorithm=SHA-512-256, qop="auth", opaque="kept"`, `^Digest .*opaque="kept"`),
	},
	"C13 several challenges": {
		lua: oneTrunk, trunk: account, caller: let,
		callees: []string{wants + `, algorithm=MD5 | WWW-Authenticate: Digest realm="first", ` + nonce + `, algorithm=SHA-256, qop="auth"
				< ACK
				< INVITE | Authorization: ^Digest .*algorithm=SHA-256
				> 180
				> 200 +sdp` + isHungUp},
	},
	"C13 a proxy asks": {
		lua: `return b2b.route { to = { trunk = "first", auth = { user = "acct", password = "secret" } } }`, caller: let,
		callees: []string{`
				< INVITE
				> 407 | Proxy-Authenticate: Digest realm="first", ` + nonce + `
				< ACK
				< INVITE | Proxy-Authorization: ^Digest .*username="acct" | CSeq: ^2
				> 180
				> 200 +sdp` + isHungUp},
	},
	"C13 stale": {
		lua: oneTrunk, trunk: account, caller: let,
		callees: []string{wants + `
				< ACK
				< INVITE | Authorization: ` + nonce + `
				> 401 | WWW-Authenticate: Digest realm="first", nonce="later", stale=true
				< ACK
				< INVITE | Authorization: nonce="later"
				> 180
				> 200 +sdp` + isHungUp},
	},
	"C13 wrong password": {
		lua: oneTrunk, trunk: account, caller: calls + "\n< 503 | !WWW-Authenticate:\n> ACK",
		callees: []string{wants + `
				< ACK
				< INVITE | Authorization: ` + nonce + `
				> 401 | WWW-Authenticate: Digest realm="first", nonce="another"
				< ACK`},
	},
	"C13 no credentials": {
		lua: oneTrunk, caller: calls + "\n< 503\n> ACK",
		callees: []string{wants + "\n< ACK"},
	},
	"C13 the caller's own credentials cross where headers do": {
		lua: `return b2b.route { to = { trunk = "first" }, callid = "keep" }`, trunk: "headers: {preset: transparent}", phones: "headers: {pass: [WWW-Authenticate]}",
		caller:  calls + "\n< 401 auth\n> ACK\n> INVITE +sdp | [authentication username=alice password=secret]\n< 100\n< 180\n< 200" + hangsUp,
		callees: challenged("", `username="alice"`),
	},
	"C13 a challenged re-INVITE and BYE": {
		lua: oneTrunk, trunk: account,
		caller: calls + rings + `
				< 200
				> ACK
				> INVITE +sendonly
				<? 100
				< 200 | = a=recvonly` + hangsUp,
		callees: []string{`
				< INVITE
				> 180
				> 200 +sdp
				< ACK
				< INVITE
				> 401 | WWW-Authenticate: Digest realm="first", ` + nonce + `
				< ACK
				< INVITE | Authorization: ` + nonce + ` | = a=sendonly
				> 200 +recvonly
				< ACK
				< BYE
				> 401 | WWW-Authenticate: Digest realm="first", nonce="forthebye", qop="auth"
				< BYE | Authorization: nonce="forthebye"
				> 200`},
	},
}

func TestCalleesAreShownCredentials(t *testing.T) { playAll(t, challenges) }

const userScript = `
local M = {}
local proof = b2b.challenge { realm = "self", users = function(user, realm)
  if user == "alice" and realm == "self" then return "secret" end
end }
function M.on_invite(call)
  if not call.source.account then return proof end
  call:note("account %s", call.source.account)
  return b2b.route { to = { trunk = "first" } }
end
return M
`

// Flow C14. SIPp's own digest does the caller's part.
func TestCallersShowCredentials(t *testing.T) {
	const (
		asked = `
		> INVITE +sdp
		<? 100
		< 401 auth | WWW-Authenticate: ^Digest .*realm="self"
		> ACK`
		right   = "\n> INVITE +sdp | [authentication username=alice password=secret]"
		wrong   = "\n> INVITE +sdp | [authentication username=alice password=guess]"
		nobody  = "\n> INVITE +sdp | [authentication username=mallory password=secret]"
		refused = "\n<? 100\n< 401 auth\n> ACK"
	)
	answered := "\n<? 100\n< 180\n< 200" + hangsUp
	rung := []string{"< INVITE | !Authorization:\n> 180\n> 200 +sdp" + isHungUp}
	file := drama{
		lua:     `if not call.source.account then return b2b.challenge { } end` + "\n" + oneTrunk,
		config:  "users: {file: users.yaml, realm: self}\n",
		callees: rung,
	}
	byPassword, byHA1 := file, file
	byPassword.caller, byHA1.caller = asked+right+answered, asked+right+answered
	byPassword.files = map[string]string{"users.yaml": "alice: secret\n"}
	byHA1.files = map[string]string{"users.yaml": "alice: {ha1: " + md5of("alice:self:secret") + "}\n"}
	playAll(t, map[string]drama{
		"C14 a function knows the user": {lua: userScript, caller: asked + right + answered, callees: rung},
		"C14 wrong password":            {lua: userScript, caller: asked + wrong + refused},
		"C14 no such user":              {lua: userScript, caller: asked + nobody + refused},
		"C14 wrong, then right":         {lua: userScript, caller: asked + wrong + refused + right + answered, callees: rung},
		"C14 a file of passwords":       byPassword,
		"C14 a file of HA1":             byHA1,
		"C14 as a proxy asks": {
			lua:    `if not call.source.account then return b2b.challenge { code = 407, realm = "self", users = function() return "secret" end } end` + "\n" + oneTrunk,
			caller: "> INVITE +sdp\n<? 100\n< 407 auth | Proxy-Authenticate: ^Digest .*qop=\"auth\n> ACK" + right + answered, callees: rung,
		},
	})
}
