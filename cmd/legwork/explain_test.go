package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"
)

const inviteText = `INVITE sip:+4930123456@sbc.example SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK77
From: "Ann" <sip:ann@pbx.example>;tag=1
To: <sip:+4930123456@sbc.example>
Call-ID: one@pbx.example
CSeq: 1 INVITE
Contact: <sip:ann@127.0.0.1>
X-Inside: yes
`

// explainable is examples/failover with an INVITE in it.
func explainable(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/failover")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "call.sip"), inviteText)
	return dir
}

// holds checks that the parts stand in text, one behind the other.
func holds(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("no %q, or not in its place, in:\n%s", part, text)
			return
		}
		rest = after
	}
}

func TestExplainSaysWhyACallGoesAsItGoes(t *testing.T) {
	got := run(t, explainable(t), "explain", "call.sip", "--b", "503", "--b", "refuse", "--b", "180 3s 200")
	if got.code != 0 || got.err != "" {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	holds(t, got.out,
		"from 127.0.0.1:", "trunk pbx by 127.0.0.1, the only match",
		"target 1: 503", "target 2: refuse", "target 3 and those behind it: 180 3s 200",
		"◆ main.lua:33 on_invite → route carrier-a carrier-b reserve",
		"◀ 503 Service Unavail… ─", "✗ sip:+4930123456@127.0.0.3:5060: connection refused", "◀──── 180 Ringing ──────",
		"3.030", "200 OK · ended by caller · talked 10.000 s",
		"INVITE to target 1 (carrier-a, 127.0.0.2:5060), made of message 1",
		"  - INVITE sip:+4930123456@sbc.example SIP/2.0", "  + INVITE sip:+4930123456@127.0.0.2:5060 SIP/2.0", "  - X-Inside: yes",
		"BYE to target 3 (reserve, 127.0.0.4:5060)",
		"The caller got 200 OK.")
}

func TestExplainKeepsToTheScreen(t *testing.T) {
	dir := explainable(t)
	for _, args := range [][]string{{"--width", "80"}, {"--width=80", "--b", "503"}} {
		got := run(t, dir, append([]string{"explain", "call.sip"}, args...)...)
		ladder, _, found := strings.Cut(got.out, "\n2  0.000 s")
		if !found {
			t.Fatal(got.out, got.err)
		}
		for line := range strings.Lines(ladder) {
			if n := utf8.RuneCountInString(line) - 1; n > 80 && strings.ContainsAny(line, "│◆✎") {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
}

func TestExplainIsReadByMachines(t *testing.T) {
	got := run(t, explainable(t), "explain", "call.sip", "--json", "--b", "180 486")
	var e explained
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || got.code != 0 {
		t.Fatalf("exit %d, %v: %s", got.code, err, got.err)
	}
	switch {
	case e.Trunk != "pbx" || e.Match[0].Entry != "127.0.0.1" || e.Callees[0] != "180 486":
		t.Errorf("source: %+v", e)
	case e.Code != 486 || len(e.Attempts) != 1 || e.Attempts[0].Trunk != "carrier-a" || !e.Attempts[0].Rang:
		t.Errorf("outcome: %+v", e)
	case len(e.Messages) == 0 || len(e.Story.Steps) < 5:
		t.Errorf("story: %+v", e)
	}
}

func TestExplainWritesAPage(t *testing.T) {
	dir := explainable(t)
	if got := run(t, dir, "explain", "call.sip", "--html", "call.html"); got.code != 0 {
		t.Fatal(got.err)
	}
	page := read(t, filepath.Join(dir, "call.html"))
	holds(t, page, "<!DOCTYPE html>", "200 OK", "main.lua:33")
	if strings.Contains(page, "src=") || strings.Contains(page, "href=\"http") || strings.Contains(page, "url(") {
		t.Error("the page loads something from elsewhere")
	}
}

func TestACallerWhoGivesUpIsExplained(t *testing.T) {
	got := run(t, explainable(t), "explain", "call.sip", "--b", "180", "--cancel", "12s")
	holds(t, got.out, "180 Ringing", "12.000", "CANCEL", "487 Request Terminated", "The caller got 487 Request Terminated.")
}

func TestAScriptThatFailsIsShownWithTheLadderSoFar(t *testing.T) {
	dir := explainable(t)
	write(t, filepath.Join(dir, "wrong.lua"), "local M = {}\nfunction M.on_invite(call)\n  call:note('so far')\n  return call.req.uri.user + nil\nend\nreturn M\n")
	got := run(t, dir, "explain", "call.sip", "--script", "wrong.lua")
	if got.code != 1 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	holds(t, got.out, "INVITE", "wrong.lua:3 so far", "500 Server Internal Error", "Errors of the scripts", "on_invite failed at wrong.lua:4", "stack traceback")
}

const unnumbered = "INVITE sip:a@sbc.example SIP/2.0\nFrom: <sip:b@pbx.example>;tag=1\nCSeq: x INVITE\nTo: <sip:a@sbc.example>\nCall-ID: 1"

func TestWhatCannotBeExplainedSaysWhy(t *testing.T) {
	dir := explainable(t)
	write(t, filepath.Join(dir, "answer.sip"), "SIP/2.0 200 OK\nFrom: <sip:b@pbx.example>;tag=1\n")
	write(t, filepath.Join(dir, "ack.sip"), "ACK sip:a@sbc.example SIP/2.0\nFrom: <sip:b@pbx.example>;tag=1\n")
	write(t, filepath.Join(dir, "text.sip"), "hello\n")
	write(t, filepath.Join(dir, "field.sip"), "\nINVITE sip:a@sbc.example SIP/2.0\nContent-Length: 3\nno field\n\n")
	write(t, filepath.Join(dir, "empty.sip"), "\r\n")
	write(t, filepath.Join(dir, "cseq.sip"), unnumbered)
	captureOf(t, filepath.Join(dir, "cseq.pcap"), caught{5061, 5060, strings.Split(unnumbered, "\n")})
	write(t, filepath.Join(dir, "far.sip"), strings.ReplaceAll(inviteText, "127.0.0.1", "pc.example"))
	broken := filepath.Join(t.TempDir(), "broken.lua")
	write(t, broken, "local M = {\n")
	write(t, filepath.Join(dir, "stubs.json"), "[\n {\"http\": 3}\n]\n")
	captureOf(t, filepath.Join(dir, "silence.pcap"), caught{5061, 5060, []string{"no telephone call"}})
	for _, c := range []struct{ args, want string }{
		{"nowhere.sip", "nowhere.sip: no such file"},
		{"answer.sip", "answer.sip holds a response, 200 OK; what is played is an INVITE, or a request outside any call"},
		{"ack.sip", "ack.sip holds ACK; "},
		{"text.sip", `text.sip is no SIP message: line 1: not a request line; it begins like "INVITE sip:4711@sbc.example SIP/2.0": "hello"`},
		{"field.sip", `field.sip is no SIP message: line 4: a header field without a name; a field is like "Name: value": "no field"`},
		{"cseq.sip", "line 3: CSeq is not a number and a method; the caller would get 400"},
		{"empty.sip", "empty.sip is empty"},
		{"cseq.pcap", "the INVITE of call 1 is no SIP message that a call can come of: CSeq is not a number and a method"},
		{"far.sip", "--from-trunk is missing; one of: carrier-a, carrier-b, pbx, reserve (or --source IP)"},
		{"call.sip --from-trunk px", `--from-trunk: there is no trunk "px"; there are: carrier-a, carrier-b, pbx, reserve`},
		{"call.sip --source here", "--source here: want an IP address"},
		{"call.sip --from-trunk pbx --source 127.0.0.1", "give one"},
		{"call.sip --b 180,x", `--b "180,x": a callee is codes and delays`},
		{"call.sip --from-trunk pbx --script " + broken, "broken.lua:1: "},
		{"call.sip --stub stubs.json", "stubs.json, line 2: "},
		{"call.sip --number 4930", "call.sip is no capture"},
		{"silence.pcap", "silence.pcap: "},
		{"call.sip -c none.yaml", "none.yaml"},
	} {
		got := run(t, dir, append([]string{"explain"}, strings.Fields(c.args)...)...)
		if got.code != 2 || !strings.Contains(got.err, c.want) {
			t.Errorf("%s: exit %d, want %q in %q", c.args, got.code, c.want, got.err)
		}
	}
}

func TestACallIsPickedOutOfACapture(t *testing.T) {
	dir := explainable(t)
	first := strings.TrimSpace(inviteText)
	second := strings.NewReplacer("one@", "two@", "+4930123456", "+4940654321").Replace(first)
	captureOf(t, filepath.Join(dir, "day.pcap"), caught{5061, 5060, strings.Split(first, "\n")}, caught{5062, 5060, strings.Split(second, "\n")})
	got := run(t, dir, "explain", "day.pcap")
	holds(t, got.out, "trunk pbx by 127.0.0.1", "sip:+4930123456@sbc.example")
	holds(t, got.err, "the first of 2 calls")
	whole, err := os.ReadFile(filepath.Join(dir, "day.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cut.pcap"), string(whole[:len(whole)-10]))
	holds(t, run(t, dir, "explain", "cut.pcap").err, "the capture is not read to its end")
	for _, pick := range []string{"--number=040654321", "--call-id=two@pbx.example"} {
		holds(t, run(t, dir, "explain", "day.pcap", pick).out, "sip:+4940654321@sbc.example")
	}
}

func TestLookupsAreRecordedAndAnswerAgain(t *testing.T) {
	dir := t.TempDir()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(`{"to": "sip:` + r.FormValue("n") + `@carrier.example"}`))
	}))
	defer server.Close()
	write(t, filepath.Join(dir, "call.sip"), inviteText)
	write(t, filepath.Join(dir, "main.lua"), `local M = {}
local api = b2b.http.client { base = "`+server.URL+`" }
function M.on_invite(call)
  local a, err = api:get("/route?n=12")
  return a and b2b.route { to = a.json.to } or b2b.reject(404, "Unknown")
end
return M
`)
	got := run(t, dir, "explain", "call.sip")
	holds(t, got.out, "Look-ups that no stub answered", `{"http":"GET `+server.URL+`/route?n=12"`, "The caller got 404 Unknown.")
	if asked.Load() != 0 {
		t.Errorf("%d look-ups left without --record", asked.Load())
	}
	got = run(t, dir, "explain", "call.sip", "--record", "seen.json")
	holds(t, got.out, "INVITE to target 1", "The caller got 200 OK.")
	if asked.Load() != 1 {
		t.Errorf("asked %d times: %s", asked.Load(), got.err)
	}
	holds(t, run(t, dir, "explain", "call.sip", "--stub", "seen.json").out, "route sip:12@carrier.example", "The caller got 200 OK.")
	if asked.Load() != 1 {
		t.Error("a stub did not keep the look-up at home")
	}
}

func TestLookupsAreRecordedOnRealTime(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			<-r.Context().Done()
		}
		_, _ = w.Write([]byte("5"))
	}))
	defer server.Close()
	write(t, filepath.Join(dir, "call.sip"), inviteText)
	write(t, filepath.Join(dir, "legwork.yaml"), "script: main.lua\nsql: {routes: {driver: sqlite, dsn: routes.db}}\ntrunks: {pbx: {match: [127.0.0.1]}}\n")
	write(t, filepath.Join(dir, "main.lua"), `local M = {}
local api = b2b.http.client { base = "`+server.URL+`" }
local db = b2b.sql("routes")
function M.on_invite(call)
  call:note("first")
  local a, b = api:get("/a?token=hidden"), api:get("/b")
  call:note("%s and %s", a.body, b.body)
  local _, silent = api:get("/silent", { timeout = 0.3 })
  call:note("then %s", silent)
  local row = db:row("select 7 as n")
  return b2b.route { to = "sip:" .. row.n .. "@carrier.example" }
end
function M.on_end() api:get("/end") end
return M
`)
	got := run(t, dir, "explain", "call.sip", "--record", "seen.json")
	holds(t, got.out, "route sip:7@carrier.example", "The caller got 200 OK.")
	told := regexp.MustCompile(`(?s)first.*GET.*/a.*GET.*/b.*5 and 5.*GET.*/silent → timeout.*then timeout.*sql routes select`)
	if got.code != 0 || !told.MatchString(got.out) {
		t.Errorf("exit %d: %s\n%s", got.code, got.out, got.err)
	}
	again := run(t, dir, "explain", "call.sip", "--stub", "seen.json")
	if holds(t, again.out, "route sip:7@carrier.example", "The caller got 200 OK."); !told.MatchString(again.out) {
		t.Error(again.out)
	}
	seen, err := os.ReadFile(filepath.Join(dir, "seen.json"))
	if err != nil || strings.Contains(got.out+again.out+string(seen), "hidden") {
		t.Errorf("%v, or a secret in %s", err, seen)
	}
	holds(t, string(seen), "/a?token=*", "/end")
}

func TestARefusalThatIsNoCallIsShown(t *testing.T) {
	dir := explainable(t)
	write(t, filepath.Join(dir, "call.sip"), inviteText)
	got := run(t, dir, "explain", "call.sip", "--source", "192.0.2.77")
	holds(t, got.out, "belongs to no trunk", "what leaves, to the caller (192.0.2.77:", "    SIP/2.0 403 Forbidden", "    Call-ID: one@pbx.example", "The caller got 403 Forbidden.")
	holds(t, run(t, dir, "explain", "call.sip", "--source", "192.0.2.77", "--json").out, `"refusal": "SIP/2.0 403 Forbidden`)
	got = run(t, dir, "explain", "call.sip", "--source", "192.0.2.77", "--html", filepath.Join(dir, "call.html"))
	holds(t, got.out, "    SIP/2.0 403 Forbidden", "The caller got 403 Forbidden.")
	if got.code != 2 || !strings.Contains(got.err, "there is no page") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}

func TestACallFromNoTrunkIsPlayedFromWhereItCame(t *testing.T) {
	dir := explainable(t)
	write(t, filepath.Join(dir, "call.sip"), strings.ReplaceAll(inviteText, "127.0.0.1", "192.0.2.77"))
	got := run(t, dir, "explain", "call.sip")
	holds(t, got.out, "from 192.0.2.77:", "which belongs to no trunk; --from-trunk plays it from one", "The caller got 403 Forbidden.")
	captureOf(t, filepath.Join(dir, "call.pcap"), caught{5061, 5060, strings.Split(inviteText, "\n")})
	holds(t, run(t, dir, "explain", "call.pcap", "--source", "192.0.2.78").out, "from 192.0.2.78:", "The caller got 403 Forbidden.")
}

func TestTheOnlyTrunkIsAssumedWhenNothingSaysWhereACallComesFrom(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.lua"), "local M = {}\nfunction M.on_invite(call) return b2b.reject(486) end\nreturn M\n")
	write(t, filepath.Join(dir, "legwork.yaml"), "script: main.lua\ntrunks:\n  pbx: {match: [10.0.0.5]}\n")
	write(t, filepath.Join(dir, "call.sip"), strings.ReplaceAll(inviteText, "127.0.0.1", "pc.example"))
	holds(t, run(t, dir, "explain", "call.sip").out, "trunk pbx by 10.0.0.5", "which is assumed", "The caller got 486 Busy Here.")
}

func TestACallIsPlayedAtTheTimeThatIsAskedFor(t *testing.T) {
	dir := explainable(t)
	file := filepath.Join(t.TempDir(), "clock.lua")
	write(t, file, "local M = {}\nfunction M.on_invite(call) call:note(os.date(\"!%Y-%m-%d\")) return b2b.reject(486) end\nreturn M\n")
	holds(t, run(t, dir, "explain", "call.sip", "--script", file).out, "clock.lua:2 20") // today
	if got := run(t, dir, "explain", "call.sip", "--script", file).out; strings.Contains(got, "clock.lua:2 2000-") {
		t.Errorf("it is played at the beginning of virtual time:\n%s", got)
	}
	holds(t, run(t, dir, "explain", "call.sip", "--script", file, "--at", "2031-05-06T12:00").out, "clock.lua:2 2031-05-06")
}
