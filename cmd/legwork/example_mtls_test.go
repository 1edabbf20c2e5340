package main

import (
	"net"
	"path/filepath"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/cmd/legwork/sipptest"
)

// cloud is examples/teams-style-mtls between a PBX and a cloud, all of them
// with certificates of one authority.
type cloud struct {
	dir string
	ca  *simnet.Authority
	at  string // the listener for the cloud
	sbc string // the same by name: sbc.example:PORT
}

func newCloud(t *testing.T, pbx, place string) cloud {
	t.Helper()
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	at := sipptest.Address(t)
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	c := cloud{ca: ca, at: at, sbc: "sbc.example:" + port}
	c.dir = example(t, "teams-style-mtls",
		`address: "127.0.0.1:5061"`, `address: "`+at+`"`, "localhost:5061", c.sbc,
		"127.0.0.1:5080", pbx, "127.0.0.2:5061", place, "options: 30s, timeout: 2s", "options: 300ms, timeout: 200ms")
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"sbc.example", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"sbc.pem": cert, "sbc-key.pem": key, "cloud.pem": ca.PEM()} {
		write(t, filepath.Join(c.dir, name), string(text))
	}
	return c
}

// TestACloudThatWantsTLSMeetsOurName looks at what crosses to a cloud: our name
// in OPTIONS and INVITE, session timers, and SDP as it was.
func TestACloudThatWantsTLSMeetsOurName(t *testing.T) {
	const sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 8\r\n" +
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\na=ice-ufrag:8hhY\r\na=ice-pwd:YH75Fviy6338Vbrhrlp8Yh\r\n"
	pbx := agent(t)
	place := sipptest.Address(t)
	c := newCloud(t, pbx.Addr.String(), place)
	far := c.agent(t, place, c.ca, "sip.cloud.example", "127.0.0.1")
	r := serve(t, c.dir)
	options := next(t, far, "OPTIONS")
	if got, want := options.Get("Contact"), "<sip:"+c.sbc+";transport=tls>"; got != want {
		t.Errorf("Contact %s, want %s", got, want)
	}
	options.Reply(200, nil)
	if _, err := pbx.Send(pbx.Invite("sip:03012345678@"+r.udp, sdp), r.udp); err != nil {
		t.Fatal(err)
	}
	invite := next(t, far, "INVITE")
	for header, want := range map[string]string{
		"Contact": "<sip:" + c.sbc + ";transport=tls>", "Session-Expires": "1800;refresher=uac",
	} {
		if got := invite.Get(header); got != want {
			t.Errorf("%s %s, want %s", header, got, want)
		}
	}
	if from, err := message.ParseAddr(invite.Get("From")); err != nil || from.URI != "sip:alice@sbc.example" {
		t.Errorf("From %s, %v", from.URI, err)
	}
	if string(invite.Body) != sdp {
		t.Errorf("SDP\n%s", invite.Body)
	}
	invite.Reply(486, nil)
	next(t, pbx, "486")
}

// TestACloudIsKnownByItsCertificate is called by the cloud, by somebody else
// whom the same authority vouches for, and by somebody it does not know.
func TestACloudIsKnownByItsCertificate(t *testing.T) {
	pbx := agent(t)
	c := newCloud(t, pbx.Addr.String(), sipptest.Address(t))
	reword(t, filepath.Join(c.dir, "legwork.yaml"), `match: ["127.0.0.1"]`, `match: ["127.0.0.9"]`)
	serve(t, c.dir)
	other, err := simnet.NewAuthority("Another CA")
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		vouches *simnet.Authority
		is      string
		gets    string
	}{
		"the cloud":     {c.ca, "sip.cloud.example", "486"},
		"somebody else": {c.ca, "sip.else.example", "403"},
		"a stranger":    {other, "sip.cloud.example", "408"}, // no handshake
	} {
		far := c.agent(t, "127.0.0.1:0", one.vouches, one.is)
		if _, err := far.Send(far.Invite("sip:+493087654321@"+c.sbc, ""), c.at); err != nil {
			t.Fatal(err)
		}
		if one.gets == "486" {
			next(t, pbx, "INVITE").Reply(486, nil)
		}
		if got, err := far.Next(patience, "403", "408", "486"); err != nil || got.Name()[:3] != one.gets {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// agent speaks TLS from an address, with a certificate for names.
func (c cloud) agent(t *testing.T, at string, ca *simnet.Authority, names ...string) *simnet.Agent {
	t.Helper()
	own, err := ca.Certificate(names...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := simnet.NewAgentAt(transport.System{}, transport.ListenerConfig{
		Network: "tls", Address: at, Identity: &transport.Identity{Certificate: own, ClientCAs: c.ca.Pool(), ServerCAs: c.ca.Pool()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// phone is a baresip that insists on SRTP; more are lines of its configuration.
func (c cloud) phone(t *testing.T, addr, uri, more string) *softphone {
	t.Helper()
	return softphoneWith(t, addr, "<"+uri+">;regint=0;answermode=auto;mediaenc=srtp-mand", "module srtp.so\n"+more)
}

// TestSoftphonesAgreeOnSRTPThroughACloud has a baresip with certificates as the
// cloud, and one without TLS as the PBX. Neither talks without SRTP.
func TestSoftphonesAgreeOnSRTPThroughACloud(t *testing.T) {
	near, _ := twoPorts(t)
	addr, place := twoPorts(t)
	c := newCloud(t, near, place)
	cert, key, err := c.ca.Issue(simnet.Leaf{Names: []string{"sip.cloud.example", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	own, roots := filepath.Join(c.dir, "own.pem"), filepath.Join(c.dir, "ca.pem")
	write(t, own, string(key)+string(cert))
	write(t, roots, string(c.ca.PEM()))
	names := nameServer(t, "sbc.example. 60 IN A 127.0.0.1")
	far := c.phone(t, addr, "sip:+493012345678@"+place+";transport=tls",
		"sip_certificate "+own+"\nsip_cafile "+roots+"\ndns_server "+names+"\n")
	pbx := c.phone(t, near, "sip:03087654321@"+near, "")
	r := serve(t, c.dir)
	for _, one := range []struct {
		caller, callee *softphone
		dials          string
	}{
		{far, pbx, "sip:+493087654321@" + c.sbc + ";transport=tls"},
		{pbx, far, "sip:03012345678@" + r.udp},
	} {
		one.caller.do("dial", one.dials)
		one.caller.hears("CALL_ESTABLISHED")
		one.callee.hears("CALL_ESTABLISHED")
		one.caller.do("hold", "")
		one.callee.hears("CALL_REMOTE_SDP offer")
		one.caller.hears("CALL_REMOTE_SDP answer")
		far.do("hangup", "") // to the name in our Contact
		far.hears("CALL_CLOSED")
		pbx.hears("CALL_CLOSED")
	}
	r.unhurt()
}
