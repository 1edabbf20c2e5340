package main

import (
	"path/filepath"
	"testing"
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
