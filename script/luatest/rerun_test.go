package luatest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/script/canned"
	"legwork/script/journal"
)

// day makes up n calls of one day, as a log has them: every ninth is refused by
// its first target, every tenth nobody answers, every eleventh the caller gives
// up.
func day(n int) []*journal.Entry {
	began := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	var calls []*journal.Entry
	for i := range n {
		at := began.Add(24 * time.Hour * time.Duration(i) / time.Duration(n))
		number := fmt.Sprintf("44%08d", i)
		source := netip.MustParseAddr("192.0.2.66")
		invite := strings.ReplaceAll(fmt.Sprintf(`INVITE sip:+%s@192.0.2.10 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK%d
From: "Alice" <sip:alice@192.0.2.66>;tag=t%d
To: <sip:+%s@192.0.2.10>
Call-ID: day%d@192.0.2.66
CSeq: 1 INVITE
Max-Forwards: 70
Contact: <sip:alice@192.0.2.66:5060>
Content-Type: application/sdp

v=0
o=- 1 1 IN IP4 192.0.2.66
s=-
c=IN IP4 192.0.2.66
t=0 0
m=audio 4000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
`, number, i, i, number, i), "\n", "\r\n")
		e := &journal.Entry{
			Record: &b2bua.Record{ID: fmt.Sprintf("was%d", i), Started: at, Ended: at.Add(time.Minute), Answered: at.Add(2 * time.Second), To: "sip:+" + number + "@192.0.2.10", HungUpBy: "caller"},
			Source: journal.Source{IP: source.String(), Port: 5060, Transport: "udp", Trunk: "pbx", Listener: "udp"},
			Steps:  []journal.Step{{Kind: b2bua.EventReceived, Method: "INVITE", Bytes: invite}},
		}
		target := func(trunk, host string, acts ...journal.Step) {
			leg := len(e.Record.Attempts) + 1
			e.Record.Attempts = append(e.Record.Attempts, b2bua.Attempt{Trunk: trunk, Target: "sip:+" + number + "@" + host, Code: 0})
			e.Steps = append(e.Steps, journal.Step{Kind: b2bua.EventSent, Leg: leg, Method: "INVITE"})
			for _, one := range acts {
				one.Kind, one.Leg, one.Method = b2bua.EventReceived, leg, "INVITE"
				e.Steps = append(e.Steps, one)
			}
		}
		switch {
		case i%9 == 0:
			target("first", "first.example", journal.Step{After: 50 * time.Millisecond, Code: 503})
		case i%10 == 0:
			target("first", "first.example")
		default:
			target("first", "first.example", journal.Step{After: time.Second, Code: 180}, journal.Step{After: 2 * time.Second, Code: 200})
		}
		target("second", "second.example", journal.Step{After: time.Second, Code: 180}, journal.Step{After: 2 * time.Second, Code: 200})
		if i%11 == 0 {
			e.Steps = append(e.Steps, journal.Step{Kind: b2bua.EventReceived, Method: "CANCEL", After: 1500 * time.Millisecond})
		} else {
			e.Steps = append(e.Steps, journal.Step{Kind: b2bua.EventReceived, Method: "BYE", After: time.Minute})
		}
		calls = append(calls, e)
	}
	return calls
}

// all is a script with everything that a decision may stand on.
const all = `
local api = b2b.http.client { base = "https://api.example" }
function M.on_invite(call)
  local n = b2b.store:incr("n")
  local limited = b2b.limit.concurrent("all", 3)
  local paced = b2b.limit.rate("paced", 0.001)
  local r = api:get("/n/" .. call.req.uri.user)
  local to = { { trunk = "first", weight = 1 }, { trunk = "second", weight = 1 } }
  if b2b.random.number() < 0.2 or math.random() < 0.1 then return b2b.reject(480) end
  local headers = { ["X-Told"] = table.concat({ tostring(n), tostring(limited), tostring(paced), tostring(b2b.time.in_hours("Mo-Fr 08:00-18:00", "Europe/Berlin")), r and r.body or "nil", b2b.uuid() }, " ") }
  return b2b.route { to = to, strategy = "weighted", try = 5, headers = { set = headers } }
end
function M.on_failure(call, leg, res, reason)
  call:note("failed " .. tostring(reason))
end
`

func playDay(t *testing.T, body string, calls []*journal.Entry, stubs []canned.Stub) (is []*journal.Entry, ran []Again) {
	t.Helper()
	cfg := Config{Source: folder(t, body, map[string]string{}), Trunks: carriers(), Bubble: bubble(t)}
	unknown, _ := ParseCallee("180 200")
	var logged []Call
	for _, e := range calls {
		p, err := journal.Pack(e)
		if err != nil {
			t.Fatal(err)
		}
		logged = append(logged, Call{Packed: p, Asked: true})
	}
	err := PlayAgain(cfg, Rerun{Unknown: unknown, Stubs: stubs, Ran: func(a Again) {
		ran = append(ran, a)
		if a.Is == nil {
			t.Errorf("%s was not played: %v", a.Was.Record.ID, a.Errors)
			return
		}
		is = append(is, a.Is)
	}}, logged)
	if err != nil {
		t.Fatal(err)
	}
	return is, ran
}

func TestADayThatIsPlayedAgainIsTheSameDay(t *testing.T) {
	stubs := []canned.Stub{{Kind: "http", Key: "GET https://api.example/n/*"}}
	stubs[0].Status, stubs[0].Body, stubs[0].After = 200, []byte("gold"), 120*time.Millisecond
	log, _ := playDay(t, all, day(300), stubs)
	codes := map[int]int{}
	for _, e := range log {
		codes[e.Record.Code]++
	}
	if codes[200] == 0 || codes[480] == 0 || codes[487] == 0 {
		t.Errorf("a poor day: %v", codes)
	}
	_, ran := playDay(t, all, log, nil)
	if len(ran) != 300 {
		t.Errorf("%d of 300 calls were played again", len(ran))
	}
	for _, a := range ran {
		if c := journal.Compare(a.Was, a.Is); c != nil || len(a.Needs) > 0 || len(a.Unknown) > 0 {
			t.Errorf("%s: %v, needs %v, unknown %v\n%v", a.Was.Record.ID, c, a.Needs, a.Unknown, journal.Diff(a.Was, a.Is))
		}
	}
}

func TestANewScriptDrawsAndMeetsWhatTheOldOneDid(t *testing.T) {
	stubs := []canned.Stub{{Kind: "http", Key: "GET https://api.example/n/*"}}
	stubs[0].Status = 200
	log, _ := playDay(t, all, day(60), stubs)
	_, ran := playDay(t, strings.ReplaceAll(all, `"second"`, `"pbx"`), log, nil)
	moved := 0
	for _, a := range ran {
		switch c := journal.Compare(a.Was, a.Is); {
		case c == nil:
		case strings.Contains(c.Was, "second") && strings.Contains(c.Is, "pbx"):
			moved++
		default:
			t.Errorf("%s: %s", a.Was.Record.ID, c)
		}
		if len(a.Needs) > 0 {
			t.Error(a.Needs)
		}
	}
	if moved == 0 {
		t.Error("no call goes another way")
	}
}
