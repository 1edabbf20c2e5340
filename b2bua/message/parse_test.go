package message

import (
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
