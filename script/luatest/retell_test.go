package luatest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/pcap"
	"legwork/script/lua"
)

// sip writes a message: its start line, From and To with tags, Call-ID, CSeq, and
// what follows.
func sip(start, from, to, id, cseq string, more ...string) string {
	head := start + "\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK" + id + cseq + "\nFrom: <sip:12@pbx.example>" + from + "\nTo: <sip:4711@sbc.example>" + to +
		"\nCall-ID: " + id + "\nCSeq: " + cseq + "\nContact: <sip:12@192.0.2.70>\nMax-Forwards: 70\n"
	body := ""
	for _, one := range more {
		if strings.HasPrefix(one, "v=0") {
			body = one
			one = "Content-Type: application/sdp"
		}
		head += one + "\n"
	}
	return head + "\n" + body
}

const offered = "v=0\no=- 1 1 IN IP4 192.0.2.70\ns=-\nc=IN IP4 192.0.2.70\nt=0 0\nm=audio 4000 RTP/AVP 8\n"

// failedOver is a call as seen at an SBC at 192.0.2.1: the first callee has no
// line free, the second rings, answers and hangs up.
func failedOver() []captured {
	const invite, us, them = "INVITE sip:4711@sbc.example SIP/2.0", 1, 70
	return []captured{
		{them, us, sip(invite, ";tag=a", "", "one", "1 INVITE", "Subject: yes", offered)},
		{them, us, sip(invite, ";tag=a", "", "one", "1 INVITE", "Subject: yes", offered)},
		{us, them, sip("SIP/2.0 100 Trying", ";tag=a", "", "one", "1 INVITE")},
		{us, 80, sip("INVITE sip:4711@first.example SIP/2.0", ";tag=b", "", "two", "1 INVITE", "Subject: yes", "X-At: 192.0.2.1", offered)},
		{80, us, sip("SIP/2.0 503 Full", ";tag=b", ";tag=x", "two", "1 INVITE", "Retry-After: 7")},
		{us, 80, sip("ACK sip:4711@first.example SIP/2.0", ";tag=b", ";tag=x", "two", "1 ACK")},
		{us, 90, sip("INVITE sip:4711@second.example SIP/2.0", ";tag=c", "", "three", "1 INVITE", offered)},
		{90, us, sip("SIP/2.0 180 Ringing", ";tag=c", ";tag=y", "three", "1 INVITE")},
		{us, them, sip("SIP/2.0 180 Ringing", ";tag=a", ";tag=z", "one", "1 INVITE")},
		{90, us, sip("SIP/2.0 200 OK", ";tag=c", ";tag=y", "three", "1 INVITE", offered)},
		{us, them, sip("SIP/2.0 200 OK", ";tag=a", ";tag=z", "one", "1 INVITE", offered)},
		{them, us, sip("ACK sip:4711@sbc.example SIP/2.0", ";tag=a", ";tag=z", "one", "1 ACK")},
		{90, us, sip("BYE sip:12@192.0.2.1 SIP/2.0", ";tag=y", ";tag=c", "three", "5 BYE", "Reason: Q.850;cause=16")},
		{us, them, sip("BYE sip:12@192.0.2.70 SIP/2.0", ";tag=z", ";tag=a", "one", "2 BYE")},
		{them, us, sip("SIP/2.0 200 OK", ";tag=z", ";tag=a", "one", "2 BYE")},
		{us, 95, sip("INVITE sip:99@other.example SIP/2.0", ";tag=q", "", "stranger", "1 INVITE")},
	}
}

// retold makes a test of a capture.
func retold(t *testing.T, trunk string, rows []captured) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "call.pcap")
	captures(t, path, rows...)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pcap.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	one, _, err := c.Find(pcap.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := (&Retelling{Capture: c, Call: one, File: "call.pcap", Trunk: trunk}).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestACapturedCallIsRetold(t *testing.T) {
	want, err := os.ReadFile("testdata/retold.lua")
	if err != nil {
		t.Fatal(err)
	}
	got := retold(t, "pbx", failedOver())
	if got != string(want) {
		t.Errorf("got\n%s", got)
	}
	passes(t, failover, strings.Replace(got, `local t = require "b2b.test"`, "", 1))
	if r := play(t, strings.ReplaceAll(failover, `"second"`, `"first"`), got); r.Results[0].Failure != nil {
		t.Error(printed(t, r)) // the same callees, whoever they are
	}
	if r := play(t, `function M.on_invite(call) return b2b.reject(404) end`, got); r.Results[0].Failure == nil {
		t.Error("a test of a call passes without it")
	}
}

func TestACallWithoutCalleesIsRetoldFromWhatTheCallerSaw(t *testing.T) {
	var rows []captured
	for _, row := range failedOver() {
		if row.from == 70 || row.to == 70 {
			rows = append(rows, row)
		}
	}
	got := retold(t, "pbx", rows)
	for _, want := range []string{
		"-- No callee is in the capture", "c:b(1):send(180)\n  t.ok(c:a():received(180))\n", "c:b(1):send(200, nil, lines [[\nv=0", "c:b(1):send(\"BYE\")\n  t.ok(c:a():received(\"BYE\"))\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	passes(t, failover, got)
}

func TestACancelledCallIsRetold(t *testing.T) {
	rows := failedOver()[:4]
	rows = append(rows,
		captured{80, 1, sip("SIP/2.0 183 Progress", ";tag=b", ";tag=x", "two", "1 INVITE", "Require: 100rel", "RSeq: 7")},
		captured{70, 1, sip("CANCEL sip:4711@sbc.example SIP/2.0", ";tag=a", "", "one", "1 CANCEL")},
		captured{1, 70, sip("SIP/2.0 200 OK", ";tag=a", ";tag=z", "one", "1 CANCEL")},
		captured{1, 80, sip("CANCEL sip:4711@first.example SIP/2.0", ";tag=b", "", "two", "1 CANCEL")},
		captured{80, 1, sip("SIP/2.0 487 Terminated", ";tag=b", ";tag=x", "two", "1 INVITE")},
		captured{1, 70, sip("SIP/2.0 487 Terminated", ";tag=a", ";tag=z", "one", "1 INVITE")},
	)
	got := retold(t, "pbx", rows)
	if !strings.Contains(got, "c:a():send(\"CANCEL\")") || !strings.Contains(got, "t.ok(c:b(1):received(\"CANCEL\"))") || !strings.Contains(got, "t.eq(c:a():final().status, 487)") {
		t.Error(got)
	}
	passes(t, failover, got)
}

func TestAChallengedCallerIsRetoldWithoutItsSecret(t *testing.T) {
	rows := []captured{
		{70, 1, sip("INVITE sip:4711@sbc.example SIP/2.0", ";tag=a", "", "one", "1 INVITE", offered)},
		{1, 70, sip("SIP/2.0 407 Who", ";tag=a", ";tag=z", "one", "1 INVITE", "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"")},
		{70, 1, sip("ACK sip:4711@sbc.example SIP/2.0", ";tag=a", ";tag=z", "one", "1 ACK")},
		{70, 1, sip("INVITE sip:4711@sbc.example SIP/2.0", ";tag=a", "", "one", "2 INVITE", `Proxy-Authorization: Digest username="anna", response="c0ffee"`, offered)},
		{1, 70, sip("SIP/2.0 486 Busy", ";tag=a", ";tag=y", "one", "2 INVITE")},
	}
	got := retold(t, "", rows)
	if strings.Contains(got, "c0ffee") || strings.Contains(got, "407") || !strings.Contains(got, `auth = { user = "anna", password = "?" }`) || !strings.Contains(got, "CSeq: 2 INVITE") {
		t.Error(got)
	}
}

func TestNothingInACaptureBecomesCode(t *testing.T) {
	rows := failedOver()
	for i := range rows {
		rows[i].text = strings.ReplaceAll(rows[i].text, "Subject: yes", "Subject: ]] ]=] \" \\ --[[")
		rows[i].text = strings.ReplaceAll(rows[i].text, "4711", "%22)os.exit(")
	}
	passes(t, failover, retold(t, "pbx", rows))
	if got := long("a\x01\"\n"); got != `"a\001\"\n"` {
		t.Error(got)
	}
}

func FuzzAnyCallIsRetoldAsLua(f *testing.F) {
	f.Add("INVITE sip:1@a.example SIP/2.0", "Subject: ]] \" \\ --", "v=0\n]]", "SIP/2.0 486 Busy", "X-A: ]=]")
	f.Add("INVITE sip:1@a.example;x=\x01 SIP/2.0", "X-\xff: \x00", "\r\x1b[0m", "BYE sip:x SIP/2.0", "Reason: a\r\n b")
	f.Fuzz(func(t *testing.T, first, header, body, second, more string) {
		var c pcap.Capture
		for i, text := range []string{sip(first, ";tag=a", "", "one", "1 INVITE", header) + body, sip(second, ";tag=a", ";tag=b", "one", "1 INVITE", more) + body} {
			m, err := message.Parse([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
			if err != nil {
				return
			}
			c.Messages = append(c.Messages, pcap.Message{At: time.Unix(int64(i), 0), Message: m})
		}
		one, _, err := c.Find(pcap.Wish{})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := (&Retelling{Capture: &c, Call: one, File: "a\nb", Trunk: header, Remark: more}).Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := lua.Compile("x_test.lua", b.Bytes()); err != nil {
			t.Errorf("%v in\n%s", err, &b)
		}
	})
}
