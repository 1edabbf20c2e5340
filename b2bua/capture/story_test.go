package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

const inviteText = "INVITE sip:+4930123456@sbc.example SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK1\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: \"Alice\" <sip:+49891234567@carrier.example>;tag=a1\r\n" +
	"To: <sip:+4930123456@sbc.example>\r\n" +
	"Call-ID: 123456789@192.0.2.4\r\n" +
	"CSeq: 7 INVITE\r\n" +
	"Contact: <sip:alice:hunter2@192.0.2.4:5060>\r\n" +
	"Subject: lunch\r\n" +
	"X-Account: 42\r\n" +
	"X-Private: yes\r\n" +
	"Diversion: <sip:carol@carrier.example>\r\n" +
	"Content-Type: application/sdp\r\n" +
	"Content-Length: 20\r\n" +
	"\r\n" + "v=0\r\no=- 123456 1 IN"

func parse(t testing.TB, text string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// edited is a call whose INVITE a hook has edited on its way.
func edited(t testing.TB) *tape {
	t.Helper()
	tape := &tape{New(10), "ed17"}
	in := parse(t, inviteText)
	tape.tell(0, b2bua.Event{Kind: b2bua.EventBegan, Leg: legs(0), Message: in})
	tape.tell(0, b2bua.Event{Kind: b2bua.EventReceived, Leg: legs(0), Message: in})
	tape.tell(1, b2bua.Event{Kind: b2bua.EventLookedUp, Leg: legs(0), Text: "redis: cache get +4930123456 -> ok", Where: "main.lua:9", Took: 12e6})
	tape.tell(2, b2bua.Event{
		Kind: b2bua.EventDecided, Leg: legs(0), Hook: "on_invite", Text: "route pbx", Where: "main.lua:12",
		Decision: b2bua.Route{Targets: []b2bua.Target{{Trunk: "pbx", Headers: []message.Header{{Name: "X-Route", Value: "1"}}}}},
	})
	out := in.Clone()
	out.URI = "sip:+4930123456@192.0.2.99"
	out.Set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK2")
	out.Set("Max-Forwards", "69")
	out.Set("From", `"Alice" <sip:+49891234567@carrier.example>;tag=ours`)
	out.Set("Call-ID", "new")
	out.Set("Contact", "<sip:192.0.2.1:5060>")
	out.Del("X-Private")
	out.Add("X-Route", "1")
	out.Add("X-Site", "berlin")
	before := out.Clone()
	out.Set("X-Account", "pbx")
	out.Del("Diversion")
	edits := []b2bua.Edit{
		{Op: b2bua.OpSet, Name: "x-account", Value: "pbx", File: "main.lua", Line: 20},
		{Op: b2bua.OpDrop, Name: "Div*, X-Nothing", File: "main.lua", Line: 21},
	}
	tape.tell(2, b2bua.Event{Kind: b2bua.EventEdited, Leg: legs(1), Hook: "on_branch", Edits: &b2bua.Edits{Into: out, Before: before, List: edits}})
	rules := &trunk.Headers{Pass: []string{"X-Account"}, Set: []message.Header{{Name: "X-Site", Value: "berlin"}}}
	tape.tell(3, b2bua.Event{Kind: b2bua.EventSent, Leg: legs(1), Message: out, Bytes: out.Bytes(), Rules: rules})
	return tape
}

func storyOf(t testing.TB, tape *tape, mask Mask) *Story {
	t.Helper()
	s, ok := tape.ring.Story(tape.id, mask)
	if !ok {
		t.Fatal("not in the ring")
	}
	return s
}

// sent is the last message of a story that left.
func sent(t testing.TB, s *Story) *Step {
	t.Helper()
	for i := len(s.Steps) - 1; i >= 0; i-- {
		if s.Steps[i].Kind == Sent {
			return &s.Steps[i]
		}
	}
	t.Fatal("nothing left")
	return nil
}

func TestEachFieldSaysWhereItComesFrom(t *testing.T) {
	m := sent(t, storyOf(t, edited(t), Mask{})).Message
	said := func(list []Origin) string {
		var b strings.Builder
		for _, o := range list {
			fmt.Fprintln(&b, strings.Join(strings.Fields(o.Name+" "+string(o.From)+" "+o.Where+" "+o.Why), " "))
		}
		return b.String()
	}
	const fields = `uri script main.lua:12 on_invite
Via engine each leg has its own
Max-Forwards engine one hop less
From caller with a tag of our own
To caller
Call-ID engine each leg has its own
CSeq engine each leg has its own
Contact engine each leg has its own
Subject caller preset edge
X-Account script main.lua:20 on_branch
Content-Type caller goes with the body
X-Route script main.lua:12 headers of the route
X-Site trunk headers.set of trunk pbx
Content-Length engine each leg has its own
body caller as it came
`
	if got := said(m.Headers); got != fields {
		t.Errorf("got\n%s\nwant\n%s", got, fields)
	}
	const left = "X-Private engine preset edge\nDiversion script main.lua:21 on_branch\n"
	if got := said(m.Left); got != left {
		t.Errorf("did not cross: got\n%s\nwant\n%s", got, left)
	}
}

func TestAMessageIsComparedWithWhatItWasMadeOf(t *testing.T) {
	s := storyOf(t, edited(t), Mask{})
	var changes []string
	for _, l := range s.Diff(sent(t, s).N) {
		if l.Op != Same {
			changes = append(changes, string(l.Op)+l.Text)
		}
	}
	want := []string{
		"-INVITE sip:+4930123456@sbc.example SIP/2.0", "+INVITE sip:+4930123456@192.0.2.99 SIP/2.0",
		"-Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK1", "+Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK2",
		"-Max-Forwards: 70", "+Max-Forwards: 69",
		"-From: \"Alice\" <sip:+49891234567@carrier.example>;tag=a1", "+From: \"Alice\" <sip:+49891234567@carrier.example>;tag=ours",
		"-Call-ID: 123456789@192.0.2.4", "+Call-ID: new",
		"-Contact: <sip:alice:***@192.0.2.4:5060>", "+Contact: <sip:192.0.2.1:5060>",
		"-X-Account: 42", "+X-Account: pbx", "+X-Route: 1", "+X-Site: berlin",
		"-X-Private: yes", "-Diversion: <sip:carol@carrier.example>",
	}
	if got := strings.Join(changes, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if s.Diff(1) != nil || s.Diff(99) != nil {
		t.Error("a difference of what was made of nothing")
	}
}

func TestADifferenceOfBodiesKeepsTheirOrder(t *testing.T) {
	head := "INVITE sip:b SIP/2.0\r\nc: application/sdp\r\n\r\n"
	var got strings.Builder
	for _, l := range Diff(head+"a\r\nb\r\nc\r\n", strings.Replace(head, "c:", "Content-Type:", 1)+"a\r\nx\r\nc\r\nd\r\n") {
		got.WriteString(string(l.Op) + l.Text + "|")
	}
	if want := " INVITE sip:b SIP/2.0| Content-Type: application/sdp| | a|-b|+x| c|+d|"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestAHiddenNumberIsNowhereInAStory(t *testing.T) {
	tape := edited(t)
	tape.note(5, "+4930123456 calls back", "")
	s := storyOf(t, tape, Mask{Numbers: true})
	shown, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := s.HTML(&page); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"JSON": string(shown), "page": page.String(), "text": s.Text(Style{Width: 200})} {
		for _, hidden := range []string{"4930123456", "49891234567", "hunter2"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s shows %s", name, hidden)
			}
		}
	}
	for _, kept := range []string{"123456789@192.0.2.4", "o=- 123456 1", "+493012****"} {
		if !strings.Contains(string(shown), kept) {
			t.Errorf("%s is missing", kept)
		}
	}
}

func TestASecretIsNowhereInAStory(t *testing.T) {
	s := storyOf(t, edited(t), Mask{})
	shown, err := json.Marshal(s)
	if err != nil || strings.Contains(string(shown), "hunter2") || !strings.Contains(string(shown), "alice:***@") {
		t.Error(err, "the password is shown:", string(shown))
	}
}

func TestAPageEscapesWhatPeersSend(t *testing.T) {
	tape := play("<script>alert(1)</script>")
	tape.got(0, 0, "INVITE")
	tape.sent(1, 0, "486 <img src=x onerror=alert(1)>")
	tape.note(2, "</text><script>", "</svg>.lua:1")
	var page bytes.Buffer
	if err := storyOf(t, tape, Mask{}).HTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "</svg>.lua"} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	for _, want := range []string{"<svg", `href="#s2"`, `id="s2"`, "&lt;img"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestAMessageThatIsTooLongIsKeptInPart(t *testing.T) {
	tape := play("long")
	long := parse(t, inviteText)
	long.Raw = append([]byte(inviteText), make([]byte, 3*maxBytes)...)
	for range 20 {
		tape.tell(1, b2bua.Event{Kind: b2bua.EventReceived, Leg: legs(0), Message: long})
	}
	k := tape.ring.stories["long"]
	if k.bytes > maxCall || tape.ring.bytes != k.bytes {
		t.Error(k.bytes, "bytes of one call,", tape.ring.bytes, "of all")
	}
	s := storyOf(t, tape, Mask{})
	if first, last := s.Steps[0].Message, s.Steps[19].Message; !first.Cut || len(first.Text) < maxBytes-100 || !last.Cut || last.Text != "" {
		t.Error(first.Cut, len(first.Text), last.Cut, len(last.Text))
	}
	if s.Steps[0].Message.Headers != nil || s.Diff(2) != nil {
		t.Error("half a message is compared")
	}
}

func TestAllCallsTogetherTakeBoundedMemory(t *testing.T) {
	r := New(100000)
	raw := make([]byte, maxBytes)
	for i := range maxAll/maxBytes/4 + 100 {
		id := fmt.Sprint(i)
		begin(r, id)
		for range 5 {
			r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventReceived, Message: &message.Message{Method: "INFO", Raw: raw}})
		}
		end(r, id)
	}
	sum := 0
	for _, s := range r.stories {
		sum += s.bytes
	}
	if r.bytes > maxAll || sum != r.bytes {
		t.Error(r.bytes, "bytes counted,", sum, "kept")
	}
	if _, ok := r.Story("0", Mask{}); ok {
		t.Error("the first call is still there")
	}
}

func TestEditsAreRows(t *testing.T) {
	text := storyOf(t, edited(t), Mask{}).Text(Style{Width: 120})
	for _, want := range []string{
		"✎ main.lua:20 on_branch x-account = pbx\n", "✎ main.lua:21 on_branch drop Div*, X-Nothing\n", "⇄ main.lua:9 redis: cache get +4930123456 -> ok (12 ms)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestABodySaysWhatChangedIt(t *testing.T) {
	const was = "v=0\r\no=ann 1 1 IN IP4 10.0.0.5\r\ns=-\r\nm=audio 4000 RTP/AVP 8 0\r\n"
	hidden := strings.Replace(was, "ann", "-", 1)
	narrow := strings.Replace(was, " 8 0", " 8", 1)
	edge, plain := &trunk.Headers{Preset: trunk.Edge}, &trunk.Headers{}
	for _, c := range []struct {
		rules    *trunk.Headers
		is, want string
	}{
		{edge, hidden, "names hidden by preset edge"},
		{edge, strings.Replace(hidden, " 8 0", " 8", 1), "names hidden by preset edge, changed by the codecs of a trunk"},
		{plain, narrow, "changed by the codecs of a trunk"},
		{edge, narrow, "changed by the codecs of a trunk"},
	} {
		q := inquiry{sent: &step{rules: c.rules}}
		if got := q.rewritten(was, c.is); got != c.want {
			t.Errorf("%q: %s", c.is, got)
		}
	}
}
