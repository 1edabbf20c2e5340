package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const messenger = `local M = {}
function M.on_message(txn)
  txn:note("from %s", txn.source.trunk)
  if txn.req.body == "fail" then local none = nil; return none.x end
  return b2b.route { to = { { trunk = "carrier-a", user = "a" }, { trunk = "carrier-b", user = "b" } } }
end
function M.on_other(txn) return b2b.reply(299, txn.req.method) end
return M
`

// outsideRequest is a request that begins no call, as people write it down.
func outsideRequest(method, body string) string {
	return method + ` sip:bob@sbc.example SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK77
From: "Ann" <sip:ann@pbx.example>;tag=1
To: <sip:bob@sbc.example>
Call-ID: one@pbx.example
CSeq: 7 ` + method + `

` + body
}

func TestARequestOutsideAnyCallIsExplained(t *testing.T) {
	dir := explainable(t)
	write(t, filepath.Join(dir, "messenger.lua"), messenger)
	write(t, filepath.Join(dir, "message.sip"), outsideRequest("MESSAGE", "Tea?"))
	write(t, filepath.Join(dir, "publish.sip"), outsideRequest("PUBLISH", ""))
	write(t, filepath.Join(dir, "fail.sip"), outsideRequest("MESSAGE", "fail"))
	explain := func(args ...string) outcome {
		return run(t, dir, append([]string{"explain", "--script", "messenger.lua"}, args...)...)
	}
	got := explain("message.sip", "--b", "180 503", "--b", "100ms 202")
	holds(t, got.out, "trunk pbx by 127.0.0.1", "• messenger.lua:3 from pbx", "◆ messenger.lua:5 on_message → route carrier-a carrier-b",
		"503 Service", "202 Accepted", "MESSAGE to target 1 (carrier-a", "made of message 1", "- MESSAGE sip:bob@sbc.example", "+ MESSAGE sip:a@",
		"MESSAGE to target 2 (carrier-b", "202 Accepted (MESSAGE) to the caller", "The caller got 202 Accepted.")
	if strings.Contains(got.out, "180") && strings.Contains(got.out, "180 Ringing") || got.code != 0 {
		t.Errorf("exit %d, or a MESSAGE rang:\n%s", got.code, got.out)
	}
	var told explained
	if err := json.Unmarshal([]byte(explain("message.sip", "--json", "--b", "503", "--b", "202").out), &told); err != nil {
		t.Fatal(err)
	}
	if told.Code != 202 || len(told.Attempts) != 2 || told.Attempts[0].Code != 503 || told.Attempts[1].Trunk != "carrier-b" || len(told.Messages) != 3 {
		t.Errorf("%+v", told)
	}
	holds(t, explain("message.sip", "--b", "silent").out, "no answer sent", "The caller got no final answer.")
	holds(t, explain("publish.sip").out, "messenger.lua:7 on_other → reply 299", "The caller got 299 PUBLISH.")
	holds(t, run(t, dir, "explain", "publish.sip").out, "on_publish → default", "The caller got 405 Method Not Allowed.")
	if got := explain("fail.sip"); got.code != 1 || !strings.Contains(got.out, "on_message failed at messenger.lua:4") {
		t.Errorf("exit %d:\n%s", got.code, got.out)
	}
	captureOf(t, filepath.Join(dir, "publish.pcap"), caught{5061, 5060, strings.Split(outsideRequest("PUBLISH", ""), "\n")})
	holds(t, explain("publish.pcap", "--call-id", "one@pbx.example").out, "on_other → reply 299")
	holds(t, explain("publish.pcap", "--number", "999").err, "no such call; there are:", "sip:ann@pbx.example → sip:bob@sbc.example  one@pbx.example")
}

func TestAMessageIsReadAsEditorsAndScriptsKeepIt(t *testing.T) {
	dir := explainable(t)
	write(t, filepath.Join(dir, "marked.sip"), "\ufeff"+inviteText)
	write(t, filepath.Join(dir, "far-in.sip"), "\n    "+strings.ReplaceAll(inviteText, "\n", "\n    "))
	for _, file := range []string{"marked.sip", "far-in.sip"} {
		got := run(t, dir, "explain", file)
		holds(t, got.out, "trunk pbx by 127.0.0.1", "The caller got 200 OK.")
		if got.code != 0 {
			t.Errorf("%s: exit %d: %s", file, got.code, got.err)
		}
	}
}
