package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/resolve"
)

// arrived is what the handler got.
type arrived struct {
	m *message.Message
	f Flow
}

// rig is a transport on loopback whose messages come out of a channel.
type rig struct {
	*testing.T
	*Transport
	in      chan arrived
	refused chan Flow
}

func open(t *testing.T, c Config) *rig {
	t.Helper()
	r := &rig{T: t, in: make(chan arrived, 100), refused: make(chan Flow, 100)}
	c.Handler = func(m *message.Message, f Flow) { r.in <- arrived{m, f} }
	c.Refused = func(f Flow, _ error) { r.refused <- f }
	r.Transport = New(c)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) listen(network string) *Listener {
	r.Helper()
	l, err := r.Listen(ListenerConfig{Name: network, Network: network, Address: "127.0.0.1:0"})
	if err != nil {
		r.Fatal(err)
	}
	return l[0]
}

func (r *rig) next() arrived {
	r.Helper()
	select {
	case a := <-r.in:
		return a
	case <-time.After(20 * time.Second):
		r.Fatal("nothing arrived")
		return arrived{}
	}
}

// text is a message with CRLFs and a right Content-Length.
func text(start string, lines ...string) string {
	body := ""
	for i, l := range lines {
		if l == "" {
			body = strings.Join(lines[i+1:], "\r\n")
			lines = lines[:i]
			break
		}
	}
	m := start + "\r\n" + strings.Join(lines, "\r\n") + "\r\n"
	if !strings.Contains(m, "Content-Length") {
		m += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return m + "\r\n" + body
}

func options(via, id string) string {
	return text("OPTIONS sip:sbc.example SIP/2.0", "Via: "+via, "From: <sip:a@a.example>;tag=1", "To: <sip:b@b.example>",
		"Call-ID: "+id, "CSeq: 1 OPTIONS", "Max-Forwards: 70")
}

// peer is a plain UDP socket.
type peer struct {
	*testing.T
	*net.UDPConn
}

func newPeer(t *testing.T) peer {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return peer{t, c}
}

func (p peer) addr() netip.AddrPort { return p.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p peer) send(to *Listener, s string) {
	p.Helper()
	if _, err := p.WriteToUDPAddrPort([]byte(s), to.Local); err != nil {
		p.Fatal(err)
	}
}

func (p peer) receive() *message.Message {
	p.Helper()
	b := make([]byte, 1<<16)
	_ = p.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := p.Read(b)
	if err != nil {
		p.Fatal(err)
	}
	m, err := message.Parse(b[:n])
	if err != nil {
		p.Fatalf("%v\n%s", err, b[:n])
	}
	return m
}

func TestADatagramArrivesAndItsAnswerGoesBack(t *testing.T) {
	r, p := open(t, Config{}), newPeer(t)
	l := r.listen("udp")
	p.send(l, "\r\n\r\n")
	p.send(l, "\x00\x00")
	p.send(l, options("SIP/2.0/UDP proxy.example;rport;branch=z9hG4bK1", "1"))
	a := r.next()
	v, _ := a.m.Via()
	received, _ := v.Params.Get("received")
	rport, _ := v.Params.Get("rport")
	if received != "127.0.0.1" || rport != strconv.Itoa(int(p.addr().Port())) {
		t.Errorf("Via %s", v)
	}
	if string(a.m.Raw) != options("SIP/2.0/UDP proxy.example;rport;branch=z9hG4bK1", "1") {
		t.Error("Raw is not what was sent")
	}
	r.Send(ResponseFlow(a.m, a.f), a.m.Respond(200, "", "x").Bytes(), nil)
	if res := p.receive(); res.Status != 200 || res.CallID() != "1" {
		t.Errorf("%s", res)
	}
	if n := r.Counters(); n.Received != 1 || n.Sent != 1 || n.Malformed != 0 {
		t.Errorf("%+v", n)
	}
}

func TestAMessageKeepsItsBytesWhenTheNextComes(t *testing.T) {
	r, p := open(t, Config{}), newPeer(t)
	l := r.listen("udp")
	p.send(l, options("SIP/2.0/UDP x.example", "1"))
	p.send(l, options("SIP/2.0/UDP x.example", "2"))
	first, second := r.next().m, r.next().m
	if !strings.Contains(string(first.Raw), "Call-ID: 1") || !strings.Contains(string(second.Raw), "Call-ID: 2") {
		t.Errorf("%s\n%s", first.Raw, second.Raw)
	}
}

func TestAnAnswerGoesToTheSourcesAddressAndThePortOfItsVia(t *testing.T) {
	source := netip.MustParseAddrPort("192.0.2.7:33333")
	for via, want := range map[string]string{
		"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1":                                "192.0.2.7:5060",
		"SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1":                           "192.0.2.7:5070",
		"SIP/2.0/UDP 198.51.100.1:5070;received=203.0.113.1;branch=z9hG4bK1":   "192.0.2.7:5070",
		"SIP/2.0/UDP 198.51.100.1:5070;rport;branch=z9hG4bK1":                  "192.0.2.7:33333",
		"SIP/2.0/UDP 198.51.100.1:5070;rport=1;branch=z9hG4bK1":                "192.0.2.7:33333",
		"SIP/2.0/UDP a.example;maddr=203.0.113.1;branch=z9hG4bK1":              "192.0.2.7:5060",
		"SIP/7.0/UDP a.example:5099;branch=z9hG4bK1":                           "192.0.2.7:33333",
		"SIP/2.0/UDP a.example:5071;branch=z9hG4bK1, SIP/2.0/UDP b.example:99": "192.0.2.7:5071",
	} {
		f := Flow{Listener: &Listener{Network: "udp"}, Remote: source}
		m := &message.Message{Method: "OPTIONS", Headers: []message.Header{{Name: "Via", Value: via}}}
		Arrive(m, f.Remote)
		if got := ResponseFlow(m, f); got.Remote.String() != want {
			t.Errorf("%s: %s, want %s", via, got.Remote, want)
		}
	}
	f := Flow{Listener: &Listener{Network: "tcp"}, Remote: source, conn: &conn{}}
	m := &message.Message{Headers: []message.Header{{Name: "Via", Value: "SIP/2.0/TCP 192.0.2.7:5071;rport"}}}
	if got := ResponseFlow(m, f); got.conn != f.conn || got.Remote.Port() != 5071 {
		t.Errorf("over a stream: %+v", got)
	}
}

func TestReceivedIsAddedWhenSentByIsAnother(t *testing.T) {
	for via, want := range map[string]string{
		"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1":            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1",
		"SIP/2.0/UDP [::ffff:192.0.2.7];branch=z9hG4bK1":   "SIP/2.0/UDP [::ffff:192.0.2.7];branch=z9hG4bK1",
		"SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK1":            "SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK1;received=192.0.2.7",
		"SIP/2.0/UDP a.example;received=1.2.3.4;branch=z1": "SIP/2.0/UDP a.example;received=192.0.2.7;branch=z1",
		"SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bK1": "SIP/2.0/UDP 192.0.2.7:5060;rport=9;branch=z9hG4bK1;received=192.0.2.7",
	} {
		m := &message.Message{Headers: []message.Header{{Name: "Via", Value: via}}}
		Arrive(m, netip.MustParseAddrPort("192.0.2.7:9"))
		if got := m.Get("Via"); got != want {
			t.Errorf("%s: %s", via, got)
		}
	}
}

func TestMalformedRequestsAreRefusedAndAllElseDropped(t *testing.T) {
	var whys []string
	r, p := open(t, Config{MaxMessage: 2000, Malformed: func(bad *message.Malformed, _ Flow) { whys = append(whys, bad.Why) }}), newPeer(t)
	l := r.listen("udp")
	good := options("SIP/2.0/UDP x.example;rport;branch=z9hG4bK1", "1")
	for _, bad := range []string{
		strings.Replace(good, "CSeq: 1 OPTIONS\r\n", "", 1),
		strings.Replace(good, "SIP/2.0\r\n", "SIP/3.0\r\n", 1),
		good[:len(good)-2] + "X: " + strings.Repeat("x", 2000) + "\r\n\r\n",
		strings.Replace(good, "Length: 0", "Length: 10", 1),
	} {
		p.send(l, bad)
		if res := p.receive(); res.Status != 400 && res.Status != 505 && res.Status != 513 || !strings.HasPrefix(res.Get("Warning"), "399 127.0.0.1:") {
			t.Errorf("%s", res)
		}
	}
	for _, bad := range []string{
		strings.ReplaceAll(strings.Replace(good, "CSeq: 1 OPTIONS", "CSeq: x ACK", 1), "OPTIONS sip", "ACK sip"),
		strings.Replace(good, "OPTIONS sip:sbc.example SIP/2.0", "SIP/2.0 99 Too Low", 1),
		"\xff\xfe\x00binary", "INVITE", "INVITE sip:x SIP/2.0\r\n\r\n",
	} {
		p.send(l, bad)
	}
	p.send(l, good)
	if a := r.next(); a.m.CallID() != "1" {
		t.Errorf("%s", a.m)
	}
	r.Send(Flow{Listener: l, Remote: p.addr()}, []byte(good), nil)
	if m := p.receive(); m.Status != 0 {
		t.Errorf("something was answered before: %s", m)
	}
	r.Close()
	if len(whys) != 9 || r.Counters().Malformed != 9 {
		t.Errorf("%d: %q", r.Counters().Malformed, whys)
	}
}

func TestADeadTargetIsReportedAndTheNextSendIsNotLost(t *testing.T) {
	r, p, gone := open(t, Config{}), newPeer(t), newPeer(t)
	dead := gone.addr()
	_ = gone.Close()
	l := r.listen("udp")
	r.Send(Flow{Listener: l, Remote: dead}, []byte("x"), nil)
	select {
	case f := <-r.refused:
		if f.Remote != dead || f.Listener != l {
			t.Errorf("refused by %s", f.Remote)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody heard of it")
	}
	for range 20 { // some of these meet the error of the one before
		r.Send(Flow{Listener: l, Remote: dead}, []byte("x"), nil)
		r.Send(Flow{Listener: l, Remote: p.addr()}, []byte(options("SIP/2.0/UDP x.example", "1")), func(err error) { t.Error(err) })
		p.receive()
	}
}

func TestADatagramOverTheLimitDoesNotLeave(t *testing.T) {
	r := open(t, Config{UDPMax: 100})
	l := r.listen("udp")
	var got error
	r.Send(Flow{Listener: l, Remote: l.Local}, make([]byte, 101), func(err error) { got = err })
	if !errors.Is(got, ErrTooLong) {
		t.Errorf("%v", got)
	}
}

func TestAFaultInTheHandlerCostsOneMessage(t *testing.T) {
	r, p := open(t, Config{}), newPeer(t)
	handle := r.config.Handler
	r.config.Handler = func(m *message.Message, f Flow) {
		if m.CallID() == "1" {
			panic("fault")
		}
		handle(m, f)
	}
	l := r.listen("udp")
	p.send(l, options("SIP/2.0/UDP x.example", "1"))
	p.send(l, options("SIP/2.0/UDP x.example", "2"))
	if a := r.next(); a.m.CallID() != "2" {
		t.Errorf("%s", a.m)
	}
}

func TestHopsComeFromTheURI(t *testing.T) {
	r := open(t, Config{Network: names{"b.example": {"192.0.2.1", "2001:db8::1", "192.0.2.2"}, "six.example": {"2001:db8::1"}}})
	r.listeners = []*Listener{
		{Network: "udp", Local: netip.MustParseAddrPort("192.0.2.100:5060")},
		{Network: "tcp", Local: netip.MustParseAddrPort("192.0.2.100:5060")},
	}
	for uri, want := range map[string]string{
		"sip:a@192.0.2.5":                    "udp 192.0.2.5:5060",
		"sip:a@192.0.2.5:5080;transport=TCP": "tcp 192.0.2.5:5080",
		"sip:[2001:db8::5]":                  "udp [2001:db8::5]:5060",
		"sip:a@b.example":                    "udp 192.0.2.1:5060 udp 192.0.2.2:5060",
		"sip:a@x.example;maddr=192.0.2.6;lr": "udp 192.0.2.6:5060",
		"sip:a@192.0.2.5:99;transport=tls":   "tls 192.0.2.5:99",
		"sip:a@b.example;transport=sctp":     "transport sctp: not supported yet",
		"tel:+49":                            "scheme tel: not supported yet",
		"sip:a@nowhere.example":              "look up nowhere.example: no such host",
		"sips:a@b.example":                   "look up b.example: none of 3 addresses can be reached over tls",
		"sip:a@six.example":                  "look up six.example: none of 1 addresses can be reached over udp",
		"<sip:a@b.example>":                  "not a URI",
	} {
		hops, err := r.Resolve(context.Background(), uri)
		var got []string
		for _, h := range hops {
			got = append(got, h.Network+" "+h.Remote.String())
		}
		if err != nil {
			got = append(got, err.Error())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", uri, strings.Join(got, " "), want)
		}
	}
}

// names is a network of names only.
type names map[string][]string

func (names) ListenPacket(context.Context, netip.AddrPort) (PacketConn, error) {
	return nil, errors.ErrUnsupported
}

func (names) Listen(context.Context, netip.AddrPort) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}

func (names) Dial(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func (n names) LookupNetIP(_ context.Context, host string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, one := range n[host] {
		addrs = append(addrs, netip.MustParseAddr(one))
	}
	if addrs == nil {
		return nil, errors.New("no such host")
	}
	return addrs, nil
}

func (names) LookupSRV(context.Context, string) ([]resolve.SRV, error) {
	return nil, resolve.ErrNotFound
}

func (names) LookupNAPTR(context.Context, string) ([]resolve.NAPTR, error) {
	return nil, resolve.ErrNotFound
}

func (names) LocalAddrs() ([]netip.Addr, error) { return nil, errors.ErrUnsupported }

func (names) SourceAddr(netip.Addr) (netip.Addr, error) {
	return netip.MustParseAddr("192.0.2.101"), nil
}

func TestTheSocketIsTheOneWhoseAddressTheRouteBeginsWith(t *testing.T) {
	r := open(t, Config{Network: names{}})
	for _, l := range []string{"lo udp 127.0.0.1", "edge udp 192.0.2.100", "edge udp 192.0.2.101", "core udp 10.0.0.1", "edge tcp 192.0.2.100", "six udp [2001:db8::1]"} {
		w := strings.Fields(l)
		r.listeners = append(r.listeners, &Listener{Name: w[0], Network: w[1], Local: netip.MustParseAddrPort(w[2] + ":5060")})
	}
	for _, c := range []struct{ hop, network, name, want string }{
		{"198.51.100.1:5060", "udp", "", "192.0.2.101:5060"},
		{"198.51.100.1:5060", "udp", "core", "10.0.0.1:5060"},
		{"198.51.100.1:5060", "tcp", "edge", "192.0.2.100:5060"},
		{"127.0.0.1:5070", "udp", "", "127.0.0.1:5060"},
		{"127.0.0.1:5070", "tcp", "", "192.0.2.100:5060"},
		{"[2001:db8::2]:5060", "udp", "", "[2001:db8::1]:5060"},
		{"198.51.100.1:5060", "udp", "lo", ""},
		{"[2001:db8::2]:5060", "tcp", "", ""},
		{"198.51.100.1:5060", "tls", "", ""},
	} {
		f, err := r.Flow(Hop{Network: c.network, Remote: netip.MustParseAddrPort(c.hop)}, c.name)
		got := ""
		if err == nil {
			got = f.Listener.Local.String()
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestAnUnspecifiedAddressIsASocketForEach(t *testing.T) {
	r := open(t, Config{})
	listeners, err := r.Listen(ListenerConfig{Name: "all", Network: "udp", Address: "0.0.0.0:0", Advertise: "203.0.113.7"})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listeners {
		if l.Local.Addr().IsUnspecified() || !l.Local.Addr().Is4() || l.Local.Port() == 0 || l.SentBy() != "203.0.113.7" {
			t.Errorf("%+v", l)
		}
	}
	f, err := r.Flow(Hop{Network: "udp", Remote: netip.MustParseAddrPort("127.0.0.1:9")}, "all")
	if err != nil || !f.Listener.Local.Addr().IsLoopback() {
		t.Errorf("%v %v", f.Listener, err)
	}
}

func TestAListenerThatCanNotBeOpenedLeavesNone(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("udp")
	for _, c := range []ListenerConfig{
		{Network: "udp", Address: l.Local.String()},
		{Network: "sctp", Address: "127.0.0.1:0"},
		{Network: "udp", Address: "127.0.0.1"},
		{Network: "udp", Address: "127.0.0.1:99999"},
		{Network: "tcp", Address: "192.0.2.1:0"},
	} {
		if got, err := r.Listen(c); err == nil || got != nil {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if len(r.listeners) != 1 {
		t.Errorf("%d listeners", len(r.listeners))
	}
}
