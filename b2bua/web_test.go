package b2bua

import (
	"bytes"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// browser is a WebSocket client that speaks SIP by hand.
type browser struct {
	*rig
	net.Conn
}

// browse opens a WebSocket to a listener that it adds to the server.
func (r *rig) browse() *browser {
	r.Helper()
	_, err := r.server.Listen(transport.ListenerConfig{Name: "web", Network: "ws", Address: "192.0.2.10:80"})
	r.check(err)
	return r.browseAgain()
}

// browseAgain opens a further one.
func (r *rig) browseAgain() *browser {
	r.Helper()
	c, err := r.network.Dial(r.Context(), netip.MustParseAddr("192.0.2.30"), netip.MustParseAddrPort("192.0.2.10:80"))
	r.check(err)
	_, _, err = (ws.Dialer{Protocols: []string{"sip"}}).Upgrade(c, &url.URL{Host: "sbc.example"})
	r.check(err)
	return &browser{r, c}
}

func (b *browser) say(m *message.Message) {
	b.Helper()
	text := m.BytesVia("SIP/2.0/WS q7df.invalid;branch=z9hG4bK" + m.Method)
	b.check(wsutil.WriteClientText(b, text))
}

func (b *browser) write(m *message.Message) {
	b.Helper()
	b.check(wsutil.WriteClientText(b, m.Bytes()))
}

// hear is the next message, but for 100.
func (b *browser) hear() *message.Message {
	b.Helper()
	for {
		text, err := wsutil.ReadServerText(b)
		b.check(err)
		m, err := message.Parse(bytes.Clone(text))
		b.check(err)
		if m.Status != 100 {
			return m
		}
	}
}

func TestABrowserIsReachedOverItsWebSocket(t *testing.T) {
	for name, contact := range map[string]string{
		"of its own":     "<sip:u1@q7df.invalid;transport=ws>",
		"of another":     "<sip:u1@else.invalid;transport=ws>",
		"that resolves":  "<sip:u1@192.0.2.1:5060>",
		"of no use":      "<sip:u1@nowhere.example;transport=wss>",
		"that is secure": "<sips:u1@q7df.invalid;transport=ws>",
	} {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				b := r.browse()
				defer func() { _ = b.Close() }()
				invite := r.alice.Invite("sip:bob@sbc.example", sdpOffer)
				invite.Set("Contact", contact)
				b.say(invite)
				in := r.wait(r.bob, "INVITE")
				if strings.Contains(in.String(), ".invalid") {
					t.Errorf("the browser is shown to the callee:\n%s", in.Message)
				}
				sent := in.Reply(200, withSDP)
				ok := b.hear()
				if ok.Status != 200 || contactOf(ok) != "sip:192.0.2.10:80;transport=ws" {
					t.Errorf("%s", ok)
				}
				b.say(r.alice.In(r.alice.Dialog(invite, ok, false), "ACK", 1))
				r.wait(r.bob, "ACK")
				r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
				bye := b.hear()
				if bye.Method != "BYE" || !strings.HasPrefix(bye.Get("Via"), "SIP/2.0/WS 192.0.2.10:80;") {
					t.Errorf("%s", bye)
				}
				b.check(wsutil.WriteClientText(b, bye.Respond(200, "", "").Bytes()))
				r.wait(r.bob, "200 BYE")
			})
		})
	}
}

func TestABrowserThatIsGoneEndsItsCall(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		b := r.browse()
		invite := r.alice.Invite("sip:bob@sbc.example", sdpOffer)
		invite.Set("Contact", "<sip:u1@q7df.invalid;transport=ws>")
		b.say(invite)
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		b.say(r.alice.In(r.alice.Dialog(invite, b.hear(), false), "ACK", 1))
		r.wait(r.bob, "ACK")
		_ = b.Close()
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.bob, "200 BYE")
	})
}

// Flow C32: nobody but its connection leads to a browser that has registered.
func TestARegisteredBrowserIsCalledOverItsWebSocket(t *testing.T) {
	for _, uri := range []string{"sip:u1@q7df.invalid;transport=ws", "sips:u1@q7df.invalid;transport=ws", "sip:u1@192.0.2.99"} {
		t.Run(uri, func(t *testing.T) {
			play(t, toAOR(aliceAOR), func(r *rig) {
				r.withRegistrar(nil)
				b := r.browse()
				defer func() { _ = b.Close() }()
				b.registers(aliceAOR, uri)
				r.dial(sdpOffer)
				if strings.HasPrefix(uri, "sips") { // which ws is not
					r.wait(r.alice, "480")
					return
				}
				invite := b.hear()
				if invite.Method != "INVITE" || invite.URI != uri || contactOf(invite) != "sip:192.0.2.10:80;transport=ws" {
					t.Errorf("%s", invite)
				}
				b.check(wsutil.WriteClientText(b, invite.Respond(486, "", "b").Bytes()))
				if ack := b.hear(); ack.Method != "ACK" {
					t.Errorf("%s", ack)
				}
				r.wait(r.alice, "486")
				_ = b.Close()
				synctest.Wait()
				r.dial(sdpOffer)
				if strings.HasSuffix(uri, "=ws") {
					r.wait(r.alice, "480")
				}
			})
		})
	}
}

func TestAPhoneIsToldThatItsFlowIsKept(t *testing.T) {
	for contact, want := range map[string]string{
		"<sip:u1@q7df.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"": "outbound",
		"<sip:u1@q7df.invalid;transport=ws>;reg-id=1":                                "",
		"<sip:u1@q7df.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\"":          "",
	} {
		play(t, &fixed{}, func(r *rig) {
			r.withRegistrar(nil)
			b := r.browse()
			defer func() { _ = b.Close() }()
			register := func(m *message.Message) {
				m.Set("Contact", contact)
				m.Set("Supported", "path, outbound")
			}
			m := r.registerFor(aliceAOR)
			register(m)
			b.say(m)
			if res := b.hear(); res.Status != 200 || res.Get("Require") != want {
				t.Errorf("over a WebSocket: %s", res)
			}
			r.registers(r.alice, aliceAOR, contact, register)
			if res := r.wait(r.alice, "200 REGISTER"); res.Get("Require") != "" {
				t.Errorf("over UDP: %s", res)
			}
		})
	}
}

// Each load of a page registers a contact of its own, and none is ever taken back.
func TestAPageMayBeLoadedAgainAndAgain(t *testing.T) {
	play(t, toAOR(aliceAOR), func(r *rig) {
		r.withRegistrar(nil)
		b := r.browse()
		for i := range 30 {
			b.registers(aliceAOR, "sip:u"+strconv.Itoa(i)+"@q7df.invalid;transport=ws")
			_ = b.Close()
			synctest.Wait()
			b = r.browseAgain()
		}
		list, err := r.server.settings().Registrar.Lookup(aliceAOR)
		if err != nil || len(list) != 1 {
			t.Errorf("%d bindings, %v", len(list), err)
		}
		_ = b.Close()
	})
}

// registers binds a contact to an address of record.
func (b *browser) registers(aor, contact string) {
	b.Helper()
	m := b.registerFor(aor)
	m.Set("Contact", "<"+contact+">")
	b.say(m)
	if res := b.hear(); res.Status != 200 {
		b.Fatalf("%s", res)
	}
}

// registerFor is a REGISTER for an address of record.
func (r *rig) registerFor(aor string) *message.Message {
	m := r.alice.Invite("sip:sbc.example", "")
	m.Method = "REGISTER"
	m.Set("CSeq", "1 REGISTER")
	m.Set("To", "<"+aor+">")
	m.Set("From", "<"+aor+">;tag=reg")
	return m
}
