package main

import (
	"bytes"
	"errors"
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

// caught is a message between two ports of this machine.
type caught struct {
	from, to layers.UDPPort
	lines    []string
}

// captureOf writes a capture, a tenth of a second from message to message.
func captureOf(t *testing.T, path string, rows ...caught) {
	t.Helper()
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	err := w.WriteFileHeader(65536, layers.LinkTypeRaw)
	for i, row := range rows {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{127, 0, 0, 1}, DstIP: net.IP{127, 0, 0, 1}}
		packet := gopacket.NewSerializeBuffer()
		text := gopacket.Payload(strings.Join(row.lines, "\r\n") + "\r\n\r\n")
		err = errors.Join(err, gopacket.SerializeLayers(packet, gopacket.SerializeOptions{FixLengths: true}, ip, &layers.UDP{SrcPort: row.from, DstPort: row.to}, text))
		n := len(packet.Bytes())
		at := time.Unix(1_800_000_000, int64(i)*1e8)
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: n, Length: n}, packet.Bytes()))
	}
	if err := errors.Join(err, os.WriteFile(path, file.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// answered is a call of a phone through examples/hello that the PBX refuses.
func answered() []caught {
	const phone, us, pbx = 5070, 5060, 5080
	say := func(first, id, tag, to string) []string {
		return []string{
			first, "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK" + id, "From: <sip:12@127.0.0.1>;tag=" + tag, "To: <sip:4711@127.0.0.1>" + to,
			"Call-ID: " + id, "CSeq: 1 INVITE", "Contact: <sip:12@127.0.0.1>", "Max-Forwards: 70",
		}
	}
	return []caught{
		{phone, us, say("INVITE sip:4711@127.0.0.1 SIP/2.0", "one", "a", "")},
		{us, pbx, say("INVITE sip:4711@127.0.0.1:5080 SIP/2.0", "two", "b", "")},
		{pbx, us, say("SIP/2.0 180 Ringing", "two", "b", ";tag=x")},
		{us, phone, say("SIP/2.0 180 Ringing", "one", "a", ";tag=y")},
		{pbx, us, say("SIP/2.0 486 Busy", "two", "b", ";tag=x")},
		{us, phone, say("SIP/2.0 480 Busy", "one", "a", ";tag=y")},
	}
}

func TestACaptureBecomesATestThatPasses(t *testing.T) {
	dir := deployment(t, "127.0.0.1:5080", "")
	captureOf(t, filepath.Join(dir, "call.pcap"), answered()...)
	got := run(t, dir, "fixture", "call.pcap", "--number", "4711")
	if got.code != 0 || !strings.Contains(got.out, `from_trunk = "phones"`) || !strings.Contains(got.out, "t.eq(c:a():final().status, 480)") {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(got.err, "legwork: 2027-01-15 08:00:00.000  sip:12@127.0.0.1 → sip:4711@127.0.0.1  one\n") || !strings.Contains(got.err, "legwork: the first of 2 calls;") {
		t.Error(got.err)
	}
	write(t, filepath.Join(dir, "seen_test.lua"), got.out)
	if got := run(t, dir, "test", "seen_test.lua"); got.code != 0 || !strings.Contains(got.out, "1 passed, 0 failed") {
		t.Errorf("%+v", got)
	}
	if got := run(t, t.TempDir(), "fixture", filepath.Join(dir, "call.pcap")); got.code != 0 || strings.Contains(got.out, "from_trunk") {
		t.Errorf("%+v", got)
	}
}

func TestACaptureWithoutTheCallIsExplained(t *testing.T) {
	dir := t.TempDir()
	captureOf(t, filepath.Join(dir, "call.pcap"), answered()...)
	captureOf(t, filepath.Join(dir, "dns.pcap"), caught{40000, 53, []string{"what is this"}})
	write(t, filepath.Join(dir, "text.pcap"), "INVITE sip:x SIP/2.0")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"call.pcap", "--call-id", "none"}, "call.pcap: no such call; there are:\nlegwork:   2027-01-15"},
		{[]string{"dns.pcap"}, "dns.pcap: no SIP in 1 packets: 1 UDP port 53"},
		{[]string{"text.pcap"}, "text.pcap: no capture: neither pcap nor pcapng"},
		{[]string{"nothing.pcap"}, "nothing.pcap: no such file"},
	} {
		if got := run(t, dir, append([]string{"fixture"}, c.args...)...); got.code != 2 || !strings.Contains(got.err, c.want) {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
}
