package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

const registrarConfig = `listen:
  - {name: udp, transport: udp, address: "127.0.0.1:0"}
  - {name: tcp, transport: tcp, address: "127.0.0.1:0"}
script: main.lua
admin: {address: "127.0.0.1:0"}
limits: {per_source_cps: 0}
log: {level: debug}
users: {file: users.yaml, realm: self}
registrar: {enabled: true}
`

// A foreign phone registers and is called at its address of record.
func TestASoftphoneRegistersAndIsCalled(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			program(t, "baresip", "baresip-core")
			dir := t.TempDir()
			write(t, filepath.Join(dir, "legwork.yaml"), registrarConfig)
			write(t, filepath.Join(dir, "users.yaml"), "alice: secret\nbob: guess\n")
			write(t, filepath.Join(dir, "main.lua"), `local M = {}
function M.on_register(txn)
  if not txn.source.account then return b2b.challenge {} end
  txn:note("%s registers", txn.source.account)
  return b2b.accept { expires = 60 }
end
function M.on_invite(call)
  if not call.source.account then return b2b.challenge {} end
  return b2b.route { to = { aor = "sip:" .. call.req.uri.user .. "@" .. call.req.uri.host } }
end
return M
`)
			r := serve(t, dir)
			at := map[string]string{"udp": r.udp, "tcp": r.tcp}[transport] + ";transport=" + transport
			bob := softphoneOf(t, "<sip:bob@"+at+">;auth_pass=guess;regint=60;answermode=auto")
			alice := softphoneOf(t, "<sip:alice@"+at+">;auth_pass=secret;regint=60;answermode=auto")
			r.waitFor("text=\"bob registers\"")
			r.waitFor("text=\"alice registers\"")
			alice.do("dial", "sip:bob@"+at)
			alice.hears("CALL_ESTABLISHED")
			bob.hears("CALL_ESTABLISHED")
			alice.do("hangup", "")
			bob.hears("CALL_CLOSED")
			r.unhurt()
		})
	}
}

// Flow C13 with a foreign verifier, which wants each INVITE and BYE proved.
func TestKamailioBelievesOurCredentials(t *testing.T) {
	sipptest.Find(t)
	program(t, "kamailio", "kamailio")
	for _, transport := range []string{"udp", "tcp"} {
		for _, a := range []asks{{"www", ""}, {"proxy", ""}, {"www", "SHA-256"}, {"proxy", "SHA-256"}} {
			for _, password := range []string{"secret", "guess"} {
				t.Run(strings.Join([]string{transport, a.As, a.Algorithm, password}, " "), func(t *testing.T) {
					t.Parallel()
					provedToKamailio(t, transport, &a, password)
				})
			}
		}
	}
}

func provedToKamailio(t *testing.T, transport string, a *asks, password string) {
	sip := map[string]string{"udp": "u1", "tcp": "t1"}[transport]
	at, callee, scene := sipptest.Address(t), sipptest.Address(t), drama{}
	kamailio(t, at, callee+";transport="+transport, a)
	uri := "sip:" + at + ";transport=" + transport
	r := serve(t, flowDeployment(t, "127.0.0.1", uri, uri, ""))
	path := filepath.Join(r.dir, "legwork.yaml")
	write(t, path, strings.Replace(read(t, path), "first: {", "first: {auth: {user: acct, password: "+password+"}, ", 1))
	r.hangup()
	caller := sipptest.Scenario{File: "testdata/sipp/uac_reinvite.xml", Transport: sip, Service: "one", Calls: 1, Remote: r.listening(sip, "127.0.0.1"), Pause: 30 * time.Millisecond}
	if password != "secret" {
		caller.File, caller.Set = "testdata/sipp/uac_refused.xml", map[string]string{"STATUS": "503"}
		sipptest.Run(t, caller)
		return
	}
	p := sipptest.Start(t, sipptest.Scenario{File: "testdata/sipp/uas_reinvite.xml", Transport: sip, Calls: 1, Local: callee, Pause: 30 * time.Millisecond})
	scene.finish(t, sipptest.Start(t, caller))
	scene.finish(t, p)
	if t.Failed() {
		t.Log(r.logged())
	}
}

// Flow C26 with foreign phones: who refers, who is referred and who is called.
func TestASoftphoneTransfersAnother(t *testing.T) {
	program(t, "baresip", "baresip-core")
	for _, refer := range []string{"pass", "local"} {
		for _, by := range []string{"caller", "callee"} {
			t.Run(refer+", by the "+by, func(t *testing.T) {
				alice, bob, carol := baresip(t, "alice"), baresip(t, "one"), baresip(t, "two")
				dir := flowDeployment(t, "127.0.0.1", "sip:"+bob.addr, "sip:"+carol.addr, "")
				write(t, filepath.Join(dir, "main.lua"), "local M = {}\nfunction M.on_invite(call)\n"+byNumber(refer)+"\nend\nreturn M\n")
				r := serve(t, dir)
				alice.do("dial", "sip:one@"+r.udp)
				alice.hears("CALL_ESTABLISHED")
				bob.hears("CALL_ESTABLISHED")
				referrer, survivor := alice, bob
				if by == "callee" {
					referrer, survivor = bob, alice
				}
				referrer.do("transfer", "sip:two@"+r.udp)
				carol.hears("CALL_ESTABLISHED")
				referrer.hears("CALL_CLOSED")
				carol.do("hangup", "")
				survivor.hears("CALL_CLOSED")
				r.settles("legwork_calls_active", 0)
				r.unhurt()
			})
		}
	}
}
