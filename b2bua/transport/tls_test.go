package transport_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

const ping = "OPTIONS sip:sbc.example SIP/2.0\r\nVia: SIP/2.0/TLS a.example;branch=z9hG4bK1\r\nFrom: <sip:a@a.example>;tag=1\r\n" +
	"To: <sip:b@b.example>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"

type arrived struct {
	m *message.Message
	f transport.Flow
}

// party is a transport with one TLS listener on loopback.
type party struct {
	*testing.T
	*transport.Transport
	listener *transport.Listener
	in       chan arrived
}

// everywhere is a resolver in which all names are here.
type everywhere struct{ transport.System }

func (everywhere) LookupNetIP(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func newParty(t *testing.T, network string, id transport.Identity) *party {
	t.Helper()
	p := &party{T: t, in: make(chan arrived, 100)}
	p.Transport = transport.New(transport.Config{
		Network: everywhere{},
		Handler: func(m *message.Message, f transport.Flow) { p.in <- arrived{m, f} },
	})
	t.Cleanup(p.Close)
	l, err := p.Listen(transport.ListenerConfig{Name: network, Network: network, Address: "127.0.0.1:0", Identity: &id})
	if err != nil {
		t.Fatal(err)
	}
	p.listener = l[0]
	return p
}

// ask sends a request to a URI and gives back how it came to far, or why it did
// not leave.
func (p *party) ask(uri string, far *party) (arrived, error) {
	p.Helper()
	hops, err := p.Resolve(context.Background(), uri)
	if err != nil {
		p.Fatal(err)
	}
	f, err := p.Flow(hops[0], "")
	if err != nil {
		p.Fatal(err)
	}
	failed := make(chan error, 1)
	p.Send(f, []byte(ping), func(err error) { failed <- err })
	select {
	case err := <-failed:
		return arrived{}, err
	case a := <-far.in:
		return a, nil
	case <-time.After(20 * time.Second):
		p.Fatal("neither sent nor failed")
		return arrived{}, nil
	}
}

func (p *party) next() arrived {
	p.Helper()
	select {
	case a := <-p.in:
		return a
	case <-time.After(20 * time.Second):
		p.Fatal("nothing arrived")
		return arrived{}
	}
}

func (p *party) port() string {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), p.listener.Local.Port()).String()[len("127.0.0.1"):]
}

func authority(t *testing.T) *simnet.Authority {
	t.Helper()
	a, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func certificate(t *testing.T, a *simnet.Authority, names ...string) tls.Certificate {
	t.Helper()
	c, err := a.Certificate(names...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBothSidesOfAConnectionKnowWhoTheOtherIs(t *testing.T) {
	ca := authority(t)
	id := func(names ...string) transport.Identity {
		return transport.Identity{Certificate: certificate(t, ca, names...), ClientCAs: ca.Pool(), ServerCAs: ca.Pool()}
	}
	carrier, pbx := newParty(t, "tls", id("SBC.carrier.example", "sip:carrier.example")), newParty(t, "tls", id("pbx.example"))
	a, err := pbx.ask("sips:sbc.carrier.example"+carrier.port(), carrier)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.f.TLSNames(); !slices.Equal(got, []string{"pbx.example"}) || !a.f.Secure() || !a.f.Stream() {
		t.Errorf("the client is %q", got)
	}
	carrier.Send(transport.ResponseFlow(a.m, a.f), a.m.Respond(200, "", "x").Bytes(), func(err error) { t.Error(err) })
	if a := pbx.next(); a.m.Status != 200 || !slices.Equal(a.f.TLSNames(), []string{"carrier.example", "sbc.carrier.example"}) {
		t.Errorf("%d from %q", a.m.Status, a.f.TLSNames())
	}
}

func TestAServerMustBeWhomTheURINames(t *testing.T) {
	ca, stranger := authority(t), authority(t)
	server := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "sbc.example", "*.wild.example", "sip:domain.example", "127.0.0.1")})
	client := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "client.example"), ServerCAs: ca.Pool()})
	for host, good := range map[string]bool{
		"sbc.example": true, "SBC.Example": true, "a.wild.example": true, "domain.example": true, "127.0.0.1": true,
		"other.example": false, "wild.example": false, "b.a.wild.example": false, "client.example": false,
	} {
		_, err := client.ask("sip:"+host+server.port()+";transport=tls", server)
		if good != (err == nil) || !good && !strings.Contains(err.Error(), "certificate is valid for") {
			t.Errorf("%s: %v", host, err)
		}
	}
	client.listener.SetIdentity(transport.Identity{Certificate: certificate(t, ca, "client.example"), ServerCAs: stranger.Pool()})
	if _, err := client.ask("sip:elsewhere.wild.example"+server.port()+";transport=tls", server); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a server of another authority: %v", err)
	}
}

func TestAConnectionVerifiedForOneNameIsNotUsedForAnother(t *testing.T) {
	ca := authority(t)
	server := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "sbc.example")})
	client := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "client.example"), ServerCAs: ca.Pool()})
	for range 2 {
		if _, err := client.ask("sips:sbc.example"+server.port(), server); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.Counters().Connections; n != 1 {
		t.Errorf("%d connections for two requests", n)
	}
	if _, err := client.ask("sips:other.example"+server.port(), server); err == nil {
		t.Error("a request for other.example went to sbc.example")
	}
}

// greet does a handshake as a client and sends a request; the error is what the
// server's answer is.
func greet(t *testing.T, to *transport.Listener, c *tls.Config) error {
	t.Helper()
	socket, err := tls.Dial("tcp", to.Local.String(), c)
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	_ = socket.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(socket, "\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.ReadFull(socket, make([]byte, 2))
	return err
}

func TestAClientWithoutAGoodCertificateIsTurnedAway(t *testing.T) {
	ca, stranger := authority(t), authority(t)
	server := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "sbc.example"), ClientCAs: ca.Pool()})
	of := func(c ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool(), ServerName: "sbc.example", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &append(c, tls.Certificate{})[0], nil
		}}
	}
	if err := greet(t, server.listener, of()); err == nil {
		t.Error("no certificate is taken")
	}
	if err := greet(t, server.listener, of(certificate(t, stranger, "client.example"))); err == nil {
		t.Error("a stranger's certificate is taken")
	}
	pem, key, err := ca.Issue(simnet.Leaf{Names: []string{"pbx.example"}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	ofServer, err := tls.X509KeyPair(pem, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []tls.Certificate{certificate(t, ca, "client.example"), ofServer} {
		if err := greet(t, server.listener, of(good)); err != nil {
			t.Error(err)
		}
	}
	if n := server.Counters().Handshakes; n != 2 {
		t.Errorf("%d handshakes failed", n)
	}
}

func TestANewCertificateServesWithoutANewSocket(t *testing.T) {
	ca, next := authority(t), authority(t)
	server := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "sbc.example")})
	of := &tls.Config{RootCAs: next.Pool(), ServerName: "sbc.example"}
	if err := greet(t, server.listener, of); err == nil {
		t.Error("the next authority vouches for the old certificate")
	}
	server.listener.SetIdentity(transport.Identity{Certificate: certificate(t, next, "sbc.example")})
	if err := greet(t, server.listener, of); err != nil {
		t.Error(err)
	}
}

func TestASilentClientKeepsNobodyFromShakingHands(t *testing.T) {
	ca := authority(t)
	server := newParty(t, "tls", transport.Identity{Certificate: certificate(t, ca, "sbc.example")})
	for range 50 {
		c, err := net.Dial("tcp", server.listener.Local.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = c.Write([]byte{22, 3, 1}) // half a record
	}
	if err := greet(t, server.listener, &tls.Config{RootCAs: ca.Pool(), ServerName: "sbc.example"}); err != nil {
		t.Error(err)
	}
}

func TestASecuredListenerNeedsACertificate(t *testing.T) {
	tr := transport.New(transport.Config{Handler: func(*message.Message, transport.Flow) {}})
	defer tr.Close()
	if _, err := tr.Listen(transport.ListenerConfig{Network: "tls", Address: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "needs a certificate") {
		t.Errorf("%v", err)
	}
}
