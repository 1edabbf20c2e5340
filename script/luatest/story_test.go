package luatest

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

func TestATestSeesDecisionsAndTheWire(t *testing.T) {
	passes(t, failover, it(asked1+`
  local d = t.decision(c)
  t.eq(d.hook, "on_invite")
  t.eq(d.action, "route")
  t.eq(d.file, "main.lua")
  t.eq(d.line, 5)
  t.match(d.text, "^route ")
  t.eq(t.decision(c, "on_bye"), nil)
  t.advance(2)
  c:b(1):send(180)
  local wire, seen = t.wire(c), {}
  for i, one in ipairs(wire) do
    seen[i] = one.leg .. (one.sent and ">" or "<") .. one.text:match("^[^\r]+"):sub(1, 14)
  end
  t.eq(seen, { "a<INVITE sip:1@s", "a>SIP/2.0 100 Tr", "b1>INVITE sip:1@f", "b1<SIP/2.0 180 Ri", "a>SIP/2.0 180 Ri" })
  t.eq(wire[5].message.status, 180)
  t.eq(wire[5].at, 2)
  t.match(wire[3].text, "Max%-Forwards: 69\r\n")
`))
	if got := breaks(t, failover, it(`t.eq(t.decision(t.invite { to = "sip:nobody@sbc.example", from_trunk = "pbx" }).action, "route")`)); !strings.Contains(got, `expected "route", got "reject"`) {
		t.Error(got)
	}
}

func TestTheWireShowsWhatATransactionSays(t *testing.T) {
	passes(t, failover, it(asked1+`
  c:b(1):send(180)
  c:a():send("CANCEL")
  t.advance(1)
  local says = {}
  for _, one in ipairs(t.wire(c)) do
    if one.leg == "a" and one.text:find("CSeq: %d+ CANCEL") then says[#says + 1] = one.text:match("^[^\r]+") end
  end
  t.eq(says[2], "SIP/2.0 200 OK")
`))
}

const written = `INVITE sip:4711@sbc.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.70:5060;branch=z9hG4bKa
From: <sip:12@pbx.example>;tag=x
To: <sip:4711@sbc.example>
Call-ID: seen
CSeq: 7 INVITE
Contact: <sip:12@192.0.2.70>
Max-Forwards: 30
X-Seen: yes
Content-Length: 0

`

func TestATestSeesWhatIsDecidedAboutARequestOutsideACall(t *testing.T) {
	passes(t, outside, `
t.it("by its hook", function()
  local c = t.request { method = "MESSAGE", to = "sip:bob@sbc.example", from_trunk = "pbx", body = "here" }
  local d = t.decision(c)
  t.eq(d.hook .. " " .. d.action .. " " .. d.file, "on_message reply main.lua")
  t.eq(t.decision(c, "on_message").line, d.line)
end)
t.it("by on_other", function()
  t.eq(t.decision(t.request { method = "X-FOO", to = "sip:bob@sbc.example", from_trunk = "pbx" }).hook, "on_other")
end)
`)
	const draws = `t.it("x", function() t.eq(t.request { method = "X-FOO", to = "sip:bob@sbc.example", from_trunk = "pbx" }:final().status, 200) end)`
	if got := printed(t, play(t, outside, draws)); !strings.Contains(got, "on_other → reply 299") || !strings.Contains(got, "299 X-FOO") {
		t.Error(got)
	}
}

func TestAnInviteMayStandFarIn(t *testing.T) {
	passes(t, failover, it(`
  local c = t.invite { from_trunk = "pbx", text = [[
      `+strings.ReplaceAll(strings.TrimSpace(written), "\n", "\n      ")+`
      Content-Type: application/sdp

      v=0
      o=- 1 1 IN IP4 192.0.2.70
      s=-
      c=IN IP4 192.0.2.70
      t=0 0
      m=audio 4000 RTP/AVP 0
    ]] }
  t.eq(c:b(1):received("INVITE").sdp.audio.port, 4000)
  t.match(c:b(1):received("INVITE").body, "^v=0\r\n")
`))
}

func TestAnInviteIsTakenFromText(t *testing.T) {
	passes(t, failover, it(`
  local c = t.invite { from_trunk = "pbx", text = [[`+written+`]] }
  t.eq(c:b(1):received("INVITE").from.uri.user, "12")
  c:b(1):send(200)
  t.eq(c:a():final().cseq, 7)
  t.raises(function() t.invite { from_trunk = "pbx", text = "nothing" } end, "text is no SIP message")
  t.raises(function() t.invite { from_trunk = "pbx", text = "a", file = "b" } end, "give one of file, text and pcap")
  t.raises(function() t.invite { from_trunk = "pbx", to = "sip:x@y", number = "1" } end, "call_id and number pick a call of pcap")
`))
}

// captures writes SIP messages over UDP, each from one host of 192.0.2.0/24 to
// another, a second apart.
func captures(t *testing.T, path string, rows ...captured) {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65536, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{192, 0, 2, row.from}, DstIP: net.IP{192, 0, 2, row.to}}
		udp := &layers.UDP{SrcPort: 5060, DstPort: 5060}
		if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		packet := gopacket.NewSerializeBuffer()
		text := gopacket.Payload(strings.ReplaceAll(row.text, "\n", "\r\n"))
		if err := gopacket.SerializeLayers(packet, gopacket.SerializeOptions{FixLengths: true}, ip, udp, text); err != nil {
			t.Fatal(err)
		}
		meta := gopacket.CaptureInfo{Timestamp: time.Unix(1_800_000_000+int64(i), 0), CaptureLength: len(packet.Bytes()), Length: len(packet.Bytes())}
		if err := w.WritePacket(meta, packet.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

type captured struct {
	from, to byte
	text     string
}

func TestAnInviteIsTakenFromACapture(t *testing.T) {
	passes(t, failover, it(`
  local c = t.invite { pcap = "call.pcap", number = "4711" }
  t.eq(c:b(1):received("INVITE").from.uri.user, "12")
  t.match(t.wire(c)[1].text, "X%-Seen: yes")
  t.eq(t.decision(c).action, "route")
  t.raises(function() t.invite { pcap = "call.pcap", call_id = "other" } end, 'pcap = "call.pcap": no such call; there are:')
  t.raises(function() t.invite { pcap = "main.lua" } end, "no capture: neither pcap nor pcapng")
  t.raises(function() t.invite { pcap = "../x" } end, 'pcap = "../x": it leads out of')
`), func(cfg *Config) {
		captures(t, filepath.Join(filepath.Dir(cfg.Source.Path), "call.pcap"), captured{70, 1, written})
	})
}
