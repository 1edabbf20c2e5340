package capture

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

var update = flag.Bool("update", false, "write the ladders of testdata anew")

var began = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// tape is a call told to a ring, with milliseconds since it began.
type tape struct {
	ring *Ring
	id   string
}

func play(id string) *tape {
	t := &tape{New(10), id}
	t.tell(0, b2bua.Event{Kind: b2bua.EventBegan, Leg: legs(0), Message: &message.Message{
		Method: "INVITE", URI: "sip:bob@b.example",
		Headers: []message.Header{{Name: "From", Value: `"Alice" <sip:alice@a.example>;tag=1`}},
	}})
	return t
}

func (t *tape) tell(ms int, ev b2bua.Event) {
	ev.Call, ev.At = t.id, began.Add(time.Duration(ms)*time.Millisecond)
	t.ring.Observe(ev)
}

func legs(index int) b2bua.Leg {
	l := b2bua.Leg{Index: index, Role: b2bua.RoleB, Local: "192.0.2.1:5060", Remote: "192.0.2.10:5060"}
	switch index {
	case 0:
		l.Role, l.Remote = b2bua.RoleA, "198.51.100.7:5062"
	case 1:
		l.Trunk = "pbx"
	}
	return l
}

// msg is "INVITE", "200 OK" or "200 OK BYE"; "+" behind it is an SDP.
func msg(text string) *message.Message {
	text, sdp := strings.CutSuffix(text, "+")
	m := &message.Message{Method: text}
	if text[0] >= '0' && text[0] <= '9' {
		m.Method = "INVITE"
		m.Status = int(text[0]-'0')*100 + int(text[1]-'0')*10 + int(text[2]-'0')
		m.Reason = text[4:]
		if reason, ok := strings.CutSuffix(m.Reason, " BYE"); ok {
			m.Reason, m.Method = reason, "BYE"
		}
	}
	if sdp {
		m.Body = []byte("v=0")
		m.Headers = []message.Header{{Name: "Content-Type", Value: "application/sdp"}}
	}
	return m
}

func (t *tape) got(ms, leg int, text string) {
	t.tell(ms, b2bua.Event{Kind: b2bua.EventReceived, Leg: legs(leg), Message: msg(text)})
}

func (t *tape) sent(ms, leg int, text string) {
	t.tell(ms, b2bua.Event{Kind: b2bua.EventSent, Leg: legs(leg), Message: msg(text)})
}

func (t *tape) decided(ms int, hook, text, where string) {
	t.tell(ms, b2bua.Event{Kind: b2bua.EventDecided, Leg: legs(0), Hook: hook, Text: text, Where: where})
}

func (t *tape) note(ms int, text, where string) {
	t.tell(ms, b2bua.Event{Kind: b2bua.EventNote, Leg: legs(0), Text: text, Where: where})
}

func (t *tape) ended(r b2bua.Record) {
	r.ID = t.id
	t.tell(60000, b2bua.Event{Kind: b2bua.EventEnded, Leg: legs(0), Record: &r})
}

// basic is flow C1.
func basic() *tape {
	t := play("5f3a9c")
	t.got(0, 0, "INVITE+")
	t.sent(0, 0, "100 Trying")
	t.decided(1, "on_invite", "route trunk pbx", "main.lua:12")
	t.sent(1, 1, "INVITE+")
	t.got(2, 1, "100 Trying")
	t.got(14, 1, "180 Ringing")
	t.sent(14, 0, "180 Ringing")
	t.got(1015, 1, "200 OK+")
	t.note(1015, "answered by the second phone", "main.lua:40")
	t.sent(1016, 0, "200 OK+")
	t.got(1018, 0, "ACK")
	t.sent(1018, 1, "ACK")
	t.got(61018, 0, "BYE")
	t.sent(61018, 0, "200 OK BYE")
	t.sent(61019, 1, "BYE")
	t.got(61020, 1, "200 OK BYE")
	t.ended(b2bua.Record{Code: 200, Reason: "OK", HungUpBy: "caller", Answered: began.Add(1016 * time.Millisecond), Duration: 60.002, Script: "main.lua@1a2b3c4d"})
	return t
}

// failover tries four targets, more than a narrow screen has lanes for.
func failover() *tape {
	t := play("77aa01")
	t.got(0, 0, "INVITE")
	t.sent(0, 0, "100 Trying")
	t.decided(1, "on_invite", "route carrier-a carrier-b carrier-c carrier-d", "main.lua:7")
	for leg := 1; leg <= 4; leg++ {
		t.sent(leg*5000-4999, leg, "INVITE")
		if leg == 2 {
			t.got(leg*5000-4990, leg, "503 Service Unavailable")
			t.sent(leg*5000-4990, leg, "ACK")
		}
		t.decided(leg*5000, "on_failure", "default", "")
	}
	t.note(20001, "no carrier answers, which the whole world should know and which therefore takes more words than a line of any screen has room for", "main.lua:31")
	t.sent(20001, 0, "480 Temporarily Unavailable")
	t.got(20003, 0, "ACK")
	t.ended(b2bua.Record{Code: 480, Reason: "Temporarily Unavailable", HungUpBy: "callee"})
	return t
}

// odd carries what peers should not be able to do to a terminal.
func odd() *tape {
	t := play("0dd")
	t.got(0, 0, "INVITE")
	t.sent(2, 1, "INVITE")
	t.got(3, 1, "486 \x1b[31mBesetzt\a ここにいません")
	t.sent(3, 0, "486 "+strings.Repeat("very ", 20)+"busy")
	t.sent(4, 0, "200 OK BYE")
	return t
}

func TestLaddersLookAsDrawn(t *testing.T) {
	for name, c := range map[string]struct {
		tape  *tape
		style Style
	}{
		"basic":         {basic(), Style{}},
		"basic-80":      {basic(), Style{Width: 80}},
		"basic-colour":  {basic(), Style{Colour: true}},
		"failover":      {failover(), Style{Width: 130}},
		"failover-80":   {failover(), Style{Width: 80}},
		"odd":           {odd(), Style{}},
		"only-a-caller": {play("solo"), Style{}},
	} {
		got, ok := c.tape.ring.Ladder(c.tape.id, c.style)
		if !ok {
			t.Errorf("%s: not in the ring", name)
			continue
		}
		path := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestALadderFitsItsScreen(t *testing.T) {
	for _, width := range []int{1, 80, 90, 100, 132, 200} {
		for _, tape := range []*tape{basic(), failover(), odd()} {
			text, _ := tape.ring.Ladder(tape.id, Style{Width: width})
			for line := range strings.Lines(text) {
				if n := columns(strings.TrimSuffix(line, "\n")); n > max(width, minWidth) {
					t.Errorf("%s at %d: %d columns: %s", tape.id, width, n, line)
				}
			}
		}
	}
}

func TestColourChangesNoText(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, tape := range []*tape{basic(), failover(), odd()} {
		inked, _ := tape.ring.Ladder(tape.id, Style{Colour: true})
		bare, _ := tape.ring.Ladder(tape.id, Style{})
		if got := sgr.ReplaceAllString(inked, ""); got != bare {
			t.Errorf("got\n%s\nwant\n%s", got, bare)
		}
		if strings.ContainsAny(bare, "\x1b\a") {
			t.Error("a peer reaches the terminal")
		}
	}
}

func TestWideRunesTakeTwoColumns(t *testing.T) {
	if got := columns("日本"); got != 4 {
		t.Error("got", got)
	}
	if got := columns("e\u0301"); got != 1 {
		t.Error("a combining mark takes a column:", got)
	}
	if got := fit("日本語", 5); got != "日本…" {
		t.Error("got", got)
	}
	if got := fit("日本語", 4); got != "日…" {
		t.Error("got", got)
	}
}
