package message

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// invite is what a soft phone sends: 16 fields and an SDP, about 1 KB.
var invite = strings.ReplaceAll(`INVITE sip:+4930123456@sbc.example:5060;user=phone SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---7c9d4fbb1a5d2c3e;rport
Max-Forwards: 70
Contact: <sip:alice@192.0.2.10:5060;transport=UDP>
To: <sip:+4930123456@sbc.example;user=phone>
From: "Alice Example" <sip:alice@pbx.example>;tag=9a8b7c6d
Call-ID: 84b4c76e66710f0f3b1f5b6c@192.0.2.10
CSeq: 1 INVITE
Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE
Content-Type: application/sdp
Supported: replaces, norefersub, extended-refer, timer, outbound, path
User-Agent: Example Phone 5.6.1
Allow-Events: presence, kpml, talk
P-Asserted-Identity: <sip:+4930999999@pbx.example>
Session-Expires: 1800;refresher=uac
X-Account: 4711
Content-Length: 262

v=0
o=- 13374 13374 IN IP4 192.0.2.10
s=-
c=IN IP4 192.0.2.10
t=0 0
m=audio 40000 RTP/AVP 8 0 9 18 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:9 G722/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
`, "\n", "\r\n")

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	raw := []byte(invite)
	for b.Loop() {
		m, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		_ = m
	}
}

func BenchmarkParseAndCheck(b *testing.B) {
	b.ReportAllocs()
	raw := []byte(invite)
	for b.Loop() {
		m, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if bad := m.Check(); bad != nil {
			b.Fatal(bad)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	b.ReportAllocs()
	m, err := Parse([]byte(invite))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 2048)
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
}

// BenchmarkSipgo is what stood in Parse's place.
func BenchmarkSipgo(b *testing.B) {
	b.ReportAllocs()
	raw, parser := []byte(invite), sip.NewParser(sip.WithHeadersParsers(nil))
	for b.Loop() {
		if _, _, err := parser.ParseHeaders(raw, false); err != nil {
			b.Fatal(err)
		}
	}
}

// torture reads the messages of RFC 4475 and RFC 5118 by name.
func torture(t testing.TB) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, pattern := range []string{"rfc4475/dat/*.dat", "rfc5118/wire/*"} {
		files, err := filepath.Glob("../testdata/torture/" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no torture messages", err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(f)
			all[strings.TrimSuffix(name, filepath.Ext(name))] = b
		}
	}
	return all
}

// verdict is the status that a message would be refused with, 0 when it is
// taken.
func verdict(b []byte) int {
	m, err := Parse(b)
	if err != nil {
		var bad *Malformed
		if !errors.As(err, &bad) {
			return -1
		}
		return bad.Status
	}
	if bad := m.Check(); bad != nil {
		return bad.Status
	}
	return 0
}

// TestTortureMessagesGetTheirVerdict lists what is refused here; all others of
// the two RFCs are for those above.
func TestTortureMessagesGetTheirVerdict(t *testing.T) {
	refused := map[string]int{
		"badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": 400, "quotbal": 400, "ltgtruri": 400,
		"lwsruri": 400, "lwsstart": 400, "trws": 400, "escruri": 400, "baddn": 400,
		"badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": 400, "insuf": 400, "multi01": 400, "mcl01": 400,
		"ipv6-bad": 400,
	}
	for name, b := range torture(t) {
		if got := verdict(b); got != refused[name] {
			t.Errorf("%s: %d, want %d", name, got, refused[name])
		}
	}
}

func TestFieldsCrossAsTheyCame(t *testing.T) {
	m, err := Parse(torture(t)["wsinv"])
	if err != nil {
		t.Fatal(err)
	}
	if got := m.List("v"); len(got) != 3 {
		t.Errorf("%d Vias, want 3: %q", len(got), got)
	}
	if n, method, ok := m.CSeq(); n != 9 || method != "INVITE" || !ok {
		t.Errorf("CSeq %d %s %v", n, method, ok)
	}
	if m.FromTag() != "98asjd8" || m.ToTag() != "1918181833n" {
		t.Errorf("tags %q %q", m.FromTag(), m.ToTag())
	}
	if got := m.Get("unknownheaderwithunusualvalue"); got != ";;,,;;,;" {
		t.Errorf("unknown header %q", got)
	}
	if got := m.Get("NewFangledHeader"); got != "newfangled value continued newfangled value" {
		t.Errorf("folded header %q", got)
	}
	if got := m.Get("Subject"); got != "" {
		t.Errorf("empty subject %q", got)
	}
}

func TestTheMethodKeepsItsCaseAndEscapes(t *testing.T) {
	m, err := Parse(torture(t)["esc02"])
	if err != nil || m.Method != "RE%47IST%45R" {
		t.Fatalf("method %q, %v", m.Method, err)
	}
	if got := m.All("Contact"); len(got) != 2 || m.Get("C%6Fntact") == "" {
		t.Errorf("C%%6Fntact became Contact: %q", got)
	}
}

func TestBytesBehindContentLengthAreNoise(t *testing.T) {
	m, err := Parse(torture(t)["dblreq"])
	if err != nil || m.Method != "REGISTER" || len(m.Body) != 0 {
		t.Fatalf("%s with a body of %d, %v", m.Method, len(m.Body), err)
	}
}

func TestWhatCannotBeReadCanStillBeAnswered(t *testing.T) {
	all := torture(t)
	for _, name := range []string{"badinv01", "clerr", "ncl", "mcl01", "badvers", "lwsruri", "multi01", "scalar02"} {
		m, err := Parse(all[name])
		var bad *Malformed
		if err == nil {
			bad = m.Check()
		} else {
			errors.As(err, &bad)
		}
		if bad == nil || bad.Partial == nil || !bad.Partial.IsRequest() {
			t.Errorf("%s: nothing to answer", name)
			continue
		}
		res := bad.Partial.Respond(bad.Status, "", "x")
		for _, field := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
			if len(res.All(field)) != len(bad.Partial.All(field)) || len(res.All(field)) == 0 {
				t.Errorf("%s: the answer has %d %s", name, len(res.All(field)), field)
			}
		}
	}
	for _, name := range []string{"scalarlg", "bigcode"} {
		_, err := Parse(all[name])
		var bad *Malformed
		if errors.As(err, &bad) && bad.Partial != nil && bad.Partial.IsRequest() {
			t.Errorf("%s is a response and would be answered", name)
		}
	}
}

func TestLinesThatDoNotEndInCRLFAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"LF only":      strings.ReplaceAll(invite, "\r\n", "\n"),
		"one lone LF":  strings.Replace(invite, "Call-ID: ", "X: a\nCall-ID: ", 1),
		"one lone CR":  strings.Replace(invite, "Call-ID: ", "X: a\rCall-ID: ", 1),
		"no colon":     strings.Replace(invite, "Call-ID: ", "X a\r\nCall-ID: ", 1),
		"no name":      strings.Replace(invite, "Call-ID: ", ": a\r\nCall-ID: ", 1),
		"fold at once": strings.Replace(invite, "Via: ", " x\r\nVia: ", 1),
		"flood":        strings.Replace(invite, "Via: ", strings.Repeat("X: a\r\n", mostFields)+"Via: ", 1),
		"empty":        "",
		"NULs":         strings.Repeat("\x00", 100),
		"only a head":  "INVITE sip:a@b SIP/2.0\r\n",
	} {
		if verdict([]byte(text)) != 400 {
			t.Errorf("%s: %d", name, verdict([]byte(text)))
		}
	}
	if got := verdict([]byte("\r\n\r\n" + invite)); got != 0 {
		t.Errorf("line ends before a message: %d", got)
	}
}

func TestTwoOfAFieldThatStandsOnceAreRefused(t *testing.T) {
	for _, field := range []string{"i: other", "CSeq: 1 INVITE", "f: <sip:x@x.example>;tag=1", "t: <sip:x@x.example>", "Max-Forwards: 3"} {
		if got := verdict([]byte(strings.Replace(invite, "Via: ", field+"\r\nVia: ", 1))); got != 400 {
			t.Errorf("%s: %d", field, got)
		}
	}
}

func TestSipgoSplitsTheSameFields(t *testing.T) {
	parser := sip.NewParser(sip.WithHeadersParsers(nil))
	for name, b := range torture(t) {
		ours, err := Parse(b)
		split, _, theirs := parser.ParseHeaders(b, false)
		if err != nil || theirs != nil {
			continue
		}
		var want []Header
		switch s := split.(type) {
		case *sip.Request:
			for _, h := range s.Headers() {
				want = append(want, Header{LongName(h.Name()), h.Value()})
			}
		case *sip.Response:
			for _, h := range s.Headers() {
				want = append(want, Header{LongName(h.Name()), h.Value()})
			}
		}
		if !slices.Equal(ours.Headers, want) {
			t.Errorf("%s:\nours   %q\ntheirs %q", name, ours.Headers, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(invite))
	for _, b := range torture(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if partial := err.(*Malformed).Partial; partial != nil {
				partial.Respond(400, "", "x").Bytes()
			}
			return
		}
		if m.Check() != nil {
			return
		}
		once := m.Bytes()
		again, err := Parse(once)
		if err != nil || again.Check() != nil {
			t.Fatalf("written and refused: %v\n%q", err, once)
		}
		m.Del("Content-Length")
		again.Del("Content-Length")
		if !slices.Equal(m.Headers, again.Headers) {
			t.Fatalf("%q\n%q", m.Headers, again.Headers)
		}
		if twice := again.Bytes(); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%q\n%q", once, twice)
		}
	})
}
