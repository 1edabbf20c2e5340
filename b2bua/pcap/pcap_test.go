package pcap

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/gopacket/gopacket/tcpassembly"
)

// seen is a packet of a test's capture.
type seen struct {
	link layers.LinkType
	data []byte
}

// stack writes a packet.
func stack(t testing.TB, link layers.LinkType, parts ...gopacket.SerializableLayer) seen {
	t.Helper()
	var network gopacket.NetworkLayer
	for _, p := range parts {
		switch p := p.(type) {
		case gopacket.NetworkLayer:
			network = p
		case *layers.UDP:
			_ = p.SetNetworkLayerForChecksum(network) // v4 and v6 are known
		case *layers.TCP:
			_ = p.SetNetworkLayerForChecksum(network) // as above
		}
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return seen{link, bytes.Clone(b.Bytes())}
}

func ether(next layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: next}
}

func v4(next layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: next, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
}

func v6(next layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: next, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
}

func udp() *layers.UDP { return &layers.UDP{SrcPort: 5061, DstPort: 5060} }

func tcp(seq int) *layers.TCP {
	return &layers.TCP{SrcPort: 40000, DstPort: 5060, Seq: uint32(seq), ACK: true, PSH: true, Window: 1000}
}

// invite is an INVITE of so many bytes at least.
func invite(id string, size int) gopacket.Payload {
	body := strings.Repeat("x", size)
	return gopacket.Payload("INVITE sip:+4930123456@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + id +
		"\r\nFrom: <sip:12@a.example>;tag=1\r\nTo: <sip:+4930123456@b.example>\r\nCall-ID: " + id +
		"\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: " + fmt.Sprint(size) + "\r\n\r\n" + body)
}

// capture writes a file of pcapng, each packet on an interface of its link type.
func capture(t testing.TB, packets ...seen) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	interfaces := map[layers.LinkType]int{packets[0].link: 0}
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{Name: "any", LinkType: packets[0].link}, pcapgo.DefaultNgWriterOptions)
	for i, p := range packets {
		id, ok := interfaces[p.link]
		if !ok {
			id, err = w.AddInterface(pcapgo.NgInterface{Name: "more", LinkType: p.link})
			interfaces[p.link] = id
		}
		at := time.Unix(1_700_000_000, int64(i)*1000)
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(p.data), Length: len(p.data), InterfaceIndex: id}, p.data))
	}
	if err := errors.Join(err, w.Flush()); err != nil {
		t.Fatal(err)
	}
	return &b
}

// plain writes a file of pcap.
func plain(t testing.TB, packets ...seen) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	err := w.WriteFileHeader(65536, packets[0].link)
	for _, p := range packets {
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(p.data), Length: len(p.data)}, p.data))
	}
	if err != nil {
		t.Fatal(err)
	}
	return &b
}

func ids(c *Capture) string {
	var list []string
	for _, m := range c.Messages {
		list = append(list, m.CallID()+" "+m.Transport+" "+m.From.String())
	}
	return strings.Join(list, "\n")
}

func TestMessagesAreFoundBehindAnyLink(t *testing.T) {
	tagged := ether(layers.EthernetTypeDot1Q)
	got, err := Read(capture(t,
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), udp(), invite("ether", 0)),
		stack(t, layers.LinkTypeEthernet, tagged, &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv6}, v6(layers.IPProtocolUDP), udp(), invite("vlan", 0)),
		stack(t, layers.LinkTypeLinuxSLL, cooked(), v4(layers.IPProtocolUDP), udp(), invite("sll", 0)),
		stack(t, layers.LinkTypeNull, gopacket.Payload{2, 0, 0, 0}, v4(layers.IPProtocolUDP), udp(), invite("null", 0)),
		stack(t, layers.LinkTypeRaw, v6(layers.IPProtocolUDP), udp(), invite("raw", 0)),
		stack(t, layers.LinkTypeLinuxSLL2, cooked2(), v4(layers.IPProtocolUDP), udp(), invite("sll2", 0)),
		stack(t, layers.LinkTypeIPv4, v4(layers.IPProtocolUDP), udp(), invite("bare4", 0)),
		stack(t, layers.LinkTypeIPv6, v6(layers.IPProtocolUDP), udp(), invite("bare6", 0)),
	))
	if err != nil {
		t.Fatal(err)
	}
	want := `ether udp 192.0.2.1:5061
vlan udp [2001:db8::1]:5061
sll udp 192.0.2.1:5061
null udp 192.0.2.1:5061
raw udp [2001:db8::1]:5061
sll2 udp 192.0.2.1:5061
bare4 udp 192.0.2.1:5061
bare6 udp [2001:db8::1]:5061`
	if ids(got) != want {
		t.Errorf("got\n%s\nwant\n%s", ids(got), want)
	}
	if m := got.Messages[0]; m.To.String() != "192.0.2.2:5060" || !m.At.Equal(time.Unix(1_700_000_000, 0)) {
		t.Errorf("%v %v", m.To, m.At)
	}
}

// cooked is the head of Linux's "any" interface, IPv4 behind it.
func cooked() gopacket.Payload {
	return gopacket.Payload{0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0}
}

func cooked2() gopacket.Payload {
	return gopacket.Payload{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0}
}

func TestFragmentsArePutTogether(t *testing.T) {
	whole := stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("four", 2000)).data[20:]
	first, last := v4(layers.IPProtocolUDP), v4(layers.IPProtocolUDP)
	first.Id, last.Id, first.Flags, last.FragOffset = 9, 9, layers.IPv4MoreFragments, 1480/8
	whole6 := stack(t, layers.LinkTypeRaw, v6(layers.IPProtocolUDP), udp(), invite("six", 2000)).data[40:]
	part := func(offset uint16, more byte, data []byte) seen {
		head := gopacket.Payload{17, 0, byte(offset >> 8), byte(offset) | more, 0, 0, 0, 9}
		return stack(t, layers.LinkTypeRaw, v6(layers.IPProtocolIPv6Fragment), head, gopacket.Payload(data))
	}
	got, err := Read(capture(t,
		stack(t, layers.LinkTypeRaw, last, gopacket.Payload(whole[1480:])),
		stack(t, layers.LinkTypeRaw, first, gopacket.Payload(whole[:1480])),
		part(0, 1, whole6[:1240]), part(1240, 0, whole6[1240:]),
	))
	if err != nil || ids(got) != "four udp 192.0.2.1:5061\nsix udp [2001:db8::1]:5061" || len(got.Messages[0].Body) != 2000 {
		t.Errorf("%v\n%+v", err, got)
	}
}

func TestSegmentsArePutTogether(t *testing.T) {
	text := append(append([]byte("\r\n\r\n"), invite("one", 3000)...), invite("two", 10)...)
	segment := func(from, to int) seen {
		return stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolTCP), tcp(1000+from), gopacket.Payload(text[from:to]))
	}
	begin := tcp(999)
	begin.SYN = true
	got, err := Read(capture(t, stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolTCP), begin),
		segment(0, 1400), segment(2800, len(text)), segment(1400, 2800), segment(1400, 2800)))
	if err != nil || ids(got) != "one tcp 192.0.2.1:40000\ntwo tcp 192.0.2.1:40000" {
		t.Errorf("%v\n%+v", err, got)
	}
}

func TestAStreamIsReadFromItsMiddle(t *testing.T) {
	text := append([]byte("the end of a message that began before\r\nv=0\r\n\r\n"), invite("late", 0)...)
	got, err := Read(capture(t, stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolTCP), tcp(500), gopacket.Payload(text))))
	if err != nil || ids(got) != "late tcp 192.0.2.1:40000" {
		t.Errorf("%v\n%+v", err, got)
	}
}

func TestACaptureWithoutSIPSaysWhatItHolds(t *testing.T) {
	dns := udp()
	dns.DstPort = 53
	tls := tcp(1)
	tls.DstPort = 5061
	tls.SYN = true
	_, err := Read(plain(t,
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeARP), gopacket.Payload(make([]byte, 28))),
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), dns, gopacket.Payload("what is")),
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), dns, gopacket.Payload("this")),
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolTCP), tls, gopacket.Payload("\x16\x03\x01\x00\x01")),
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), udp(), gopacket.Payload("\r\n\r\n")),
		stack(t, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), udp(), gopacket.Payload("INVITE sip:x SIP/2.0\r\n")),
	))
	want := "no SIP in 6 packets: 1 begin like SIP and are broken, 2 UDP port 53, 1 TCP port 5061 (TLS), 1 no IP"
	if !errors.Is(err, ErrNoSIP) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, text := range []string{"", "INV", "INVITE sip:x SIP/2.0\r\n\r\n"} {
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ErrNoCapture) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestACutCaptureIsReadAsFarAsItGoes(t *testing.T) {
	file := plain(t, stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("one", 0)), stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("two", 0)))
	got, err := Read(bytes.NewReader(file.Bytes()[:file.Len()-10]))
	if err != nil || ids(got) != "one udp 192.0.2.1:5061" || got.Cut == nil {
		t.Errorf("%v %+v", err, got)
	}
}

func TestACaptureIsKnownByItsFirstBytes(t *testing.T) {
	packet := stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("one", 0))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(plain(t, packet).Bytes())
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	for what, file := range map[string][]byte{"pcap": plain(t, packet).Bytes(), "pcapng": capture(t, packet).Bytes(), "gzip": packed.Bytes()} {
		got, err := Read(bytes.NewReader(file))
		if !Is(file) || err != nil || len(got.Messages) != 1 {
			t.Errorf("%s: %v %v %+v", what, Is(file), err, got)
		}
	}
	if Is([]byte("INVITE")) || Is(nil) {
		t.Error("a message is taken for a capture")
	}
}

func TestACallIsFoundByCallIDOrNumber(t *testing.T) {
	got, err := Read(capture(t,
		stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("one", 0)),
		stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("two", 0)),
		stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), invite("one", 0)),
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		wish Wish
		id   string
		n    int
	}{
		{Wish{}, "one", 2},
		{Wish{CallID: "two"}, "two", 1},
		{Wish{Number: "030123456"}, "one", 2},
		{Wish{Number: "12", CallID: "two"}, "two", 1},
		{Wish{Number: "+49 30 123456"}, "one", 2},
		{Wish{Number: "3456"}, "one", 2},
		{Wish{Number: "56"}, "", 0},
		{Wish{CallID: "three"}, "", 0},
		{Wish{Number: "x"}, "", 0},
	} {
		call, n, err := got.Find(c.wish)
		if n != c.n || (err == nil) != (n > 0) || n > 0 && call.ID != c.id {
			t.Errorf("%+v: %v, %d, %v", c.wish, call, n, err)
		}
	}
	if call, _, _ := got.Find(Wish{}); len(call.Messages) != 2 {
		t.Errorf("%d messages", len(call.Messages))
	}
	_, _, err = got.Find(Wish{CallID: "none"})
	if err == nil || !strings.Contains(err.Error(), "no such call; there are:\n  2023-11-14 22:13:20.000  sip:12@a.example → sip:+4930123456@192.0.2.2  one\n  2023") {
		t.Error(err)
	}
}

func TestACallThatWasCutOffIsSpokenOf(t *testing.T) {
	whole := invite("one", 0)
	ack := gopacket.Payload(strings.ReplaceAll(string(whole), "INVITE", "ACK"))
	got, err := Read(capture(t,
		stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), whole[:120]),
		stack(t, layers.LinkTypeRaw, v4(layers.IPProtocolUDP), udp(), ack),
	))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = got.Find(Wish{Alone: true})
	if err == nil || !strings.Contains(err.Error(), "SIP messages: 1; 1 more begin like SIP and are broken, or were cut off") {
		t.Error(err)
	}
}

func FuzzAnyCaptureIsReadOrRefused(f *testing.F) {
	f.Add(capture(f, stack(f, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), udp(), invite("a", 5))).Bytes())
	f.Add(plain(f, stack(f, layers.LinkTypeRaw, v4(layers.IPProtocolTCP), tcp(1), invite("b", 50)), stack(f, layers.LinkTypeRaw, v6(layers.IPProtocolIPv6Fragment), gopacket.Payload{17, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3})).Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		for _, m := range c.Messages {
			if m.Message == nil || !m.From.IsValid() || !m.To.IsValid() {
				t.Errorf("%+v", m)
			}
		}
		for _, one := range c.Calls() {
			_ = one.String()
			if _, n, _ := c.Find(Wish{CallID: one.ID}); n != 1 {
				t.Errorf("%q is found %d times", one.ID, n)
			}
		}
	})
}

// BenchmarkRead is a capture of 100,000 packets, one in ten a message.
func BenchmarkRead(b *testing.B) {
	var packets []seen
	other := udp()
	other.DstPort = 40000
	for i := range 10_000 {
		packets = append(packets, stack(b, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), udp(), invite(fmt.Sprint(i), 300)))
		for range 9 {
			packets = append(packets, stack(b, layers.LinkTypeEthernet, ether(layers.EthernetTypeIPv4), v4(layers.IPProtocolUDP), other, gopacket.Payload(make([]byte, 172))))
		}
	}
	file := capture(b, packets...).Bytes()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if c, err := Read(bytes.NewReader(file)); err != nil || len(c.Messages) != 10_000 {
			b.Fatal(err)
		}
	}
}

func TestWhatASegmentIsMissingOfIsGivenUp(t *testing.T) {
	s := newSorter()
	c := &stream{sorter: s}
	one, two := invite("one", 500), invite("two", 10)
	c.Reassembled([]tcpassembly.Reassembly{{Bytes: one[:len(one)-400]}})
	c.Reassembled([]tcpassembly.Reassembly{{Bytes: two, Skip: 400}})
	if len(s.found) != 1 || s.found[0].CallID() != "two" || s.broken != 0 {
		t.Errorf("%d messages, %d broken", len(s.found), s.broken)
	}
}

func TestWhatIsNoSIPIsCountedToTheEnd(t *testing.T) {
	s := newSorter()
	for i := range 2 * maxOther {
		s.count(fmt.Sprint("UDP port ", i))
	}
	s.count("UDP port 1")
	if s.other["UDP port 1"] != 2 || len(s.other) != maxOther {
		t.Error(s.other["UDP port 1"], len(s.other))
	}
}
