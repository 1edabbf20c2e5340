package b2bua

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

const securedAt = "192.0.2.10:5061"

// secure adds to the rig a TLS listener that asks clients for certificates, and
// returns who issues them.
func (r *rig) secure() *simnet.Authority {
	r.Helper()
	ca, err := simnet.NewAuthority("Test CA")
	r.check(err)
	_, err = r.server.Listen(transport.ListenerConfig{
		Name: "tls", Network: "tls", Address: securedAt, Identity: r.identity(ca, "192.0.2.10"),
	})
	r.check(err)
	return ca
}

func (r *rig) identity(ca *simnet.Authority, names ...string) *transport.Identity {
	r.Helper()
	c, err := ca.Certificate(names...)
	r.check(err)
	return &transport.Identity{Certificate: c, ClientCAs: ca.Pool(), ServerCAs: ca.Pool()}
}

// secured is an agent at an address, with a certificate for that and for name.
func (r *rig) secured(ca *simnet.Authority, addr, name string) *simnet.Agent {
	r.Helper()
	host, _, _ := strings.Cut(addr, ":")
	a, err := simnet.NewAgentAt(r.network, transport.ListenerConfig{Network: "tls", Address: addr, Identity: r.identity(ca, name, host)})
	r.check(err)
	return a
}

// sips writes the agent's Contact as a promise of TLS.
func sips(a *simnet.Agent) func(*message.Message) {
	return func(m *message.Message) { m.Set("Contact", "<sips:"+a.Addr.String()+">") }
}

// contactOf is who may be asked next in a dialog.
func contactOf(m *message.Message) string {
	a, _ := m.Contact()
	return a.URI
}

func TestACallForSIPSGoesOverTLSToTheEnd(t *testing.T) {
	var source Source
	play(t, &fixed{invite: func(_ context.Context, v View) Decided {
		source = v.Source
		return Decided{Decision: Route{Targets: []Target{{URI: "sips:bob@192.0.2.21:5061"}}}}
	}}, func(r *rig) {
		ca := r.secure()
		alice, bob := r.secured(ca, "192.0.2.20:5061", "Phones.example"), r.secured(ca, "192.0.2.21:5061", "bob.example")
		defer alice.Close()
		defer bob.Close()
		table, err := trunk.NewTable([]trunk.Trunk{{Name: "net", Match: []string{"192.0.2.0/24"}}, {Name: "phones", Match: []string{"phones.EXAMPLE."}}}, nil)
		r.check(err)
		r.check(r.server.Apply(Settings{Trunks: table}))

		invite := alice.Invite("sips:bob@"+securedAt, sdpOffer)
		sips(alice)(invite)
		_, err = alice.Send(invite, securedAt)
		r.check(err)
		in := r.wait(bob, "INVITE")
		if got := contactOf(in.Message); in.URI != "sips:bob@192.0.2.21:5061" || got != "sips:"+securedAt || !strings.HasPrefix(in.Get("Via"), "SIP/2.0/TLS "+securedAt) {
			t.Errorf("to bob: %s, Contact %s, Via %s", in.URI, got, in.Get("Via"))
		}
		sent := in.Reply(200, func(res *message.Message) { withSDP(res); sips(bob)(res) })
		ok := r.wait(alice, "200")
		if got := contactOf(ok.Message); got != "sips:"+securedAt {
			t.Errorf("to alice: Contact %s", got)
		}
		if source.Transport != "tls" || source.TLSName != "phones.example" || source.Trunk != "phones" {
			t.Errorf("%+v", source)
		}
		_, err = alice.SendACK(alice.In(alice.Dialog(invite, ok.Message, false), "ACK", 1), securedAt)
		r.check(err)
		r.wait(bob, "ACK")
		d := bob.Dialog(in.Message, sent, true)
		_, err = bob.Send(bob.In(d, "BYE", d.Next()), securedAt)
		r.check(err)
		r.wait(alice, "BYE").Reply(200, nil)
		r.wait(bob, "200 BYE")
	})
}

func TestSIPSDoesNotGoOverUDP(t *testing.T) {
	for _, target := range []string{"192.0.2.2:5060", "192.0.2.2:5060;transport=tcp"} {
		play(t, &fixed{invite: func(context.Context, View) Decided { return routeTo(target) }}, func(r *rig) {
			invite := r.alice.Invite("sips:bob@"+sbc, sdpOffer)
			_, err := r.alice.Send(invite, sbc)
			r.check(err)
			if res := r.wait(r.alice, "480"); res.Reason != "SIPS Not Allowed" {
				t.Errorf("480 %s", res.Reason)
			}
			r.never(r.bob, "*")
		})
	}
}

func TestTLSOnOneLegAsksNothingOfTheOther(t *testing.T) {
	play(t, &fixed{invite: func(context.Context, View) Decided { return routeTo("192.0.2.2:5060") }}, func(r *rig) {
		ca := r.secure()
		alice := r.secured(ca, "192.0.2.20:5061", "phones.example")
		defer alice.Close()
		invite := alice.Invite("sip:bob@"+securedAt+";transport=tls", sdpOffer)
		_, err := alice.Send(invite, securedAt)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(alice, "200")
		if got := contactOf(ok.Message); got != "sip:"+securedAt+";transport=tls" {
			t.Errorf("to alice: Contact %s", got)
		}
		_, err = alice.SendACK(alice.In(alice.Dialog(invite, ok.Message, false), "ACK", 1), securedAt)
		r.check(err)
		r.wait(r.bob, "ACK")
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
		bye := r.wait(alice, "BYE")
		if !bye.Flow().Secure() {
			t.Errorf("BYE over %s", bye.Flow().Network())
		}
		bye.Reply(200, nil)
		r.wait(r.bob, "200 BYE")
	})
}

func TestACalleeWithAnotherNameIsNotCalled(t *testing.T) {
	play(t, &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@192.0.2.21:5061;transport=tls"}, {URI: "sip:bob@192.0.2.2:5060"}}}}
	}}, func(r *rig) {
		ca := r.secure()
		wrong, err := simnet.NewAgentAt(r.network, transport.ListenerConfig{Network: "tls", Address: "192.0.2.21:5061", Identity: r.identity(ca, "192.0.2.99")})
		r.check(err)
		defer wrong.Close()
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
		r.never(wrong, "*")
		if got := r.only().Attempts[0]; got.Code != 503 || got.Origin != OriginTransport {
			t.Errorf("%+v", got)
		}
	})
}

func TestATrunkKnownByItsCertificateMayComeFromAnywhere(t *testing.T) {
	for name, want := range map[string]string{"sip.carrier.example": "200 BYE", "other.example": "481 BYE"} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			ca := r.secure()
			one := r.secured(ca, "192.0.2.20:5061", "sip.carrier.example")
			two := r.secured(ca, "198.51.100.20:5061", name)
			defer one.Close()
			defer two.Close()
			table, err := trunk.NewTable([]trunk.Trunk{{Name: "carrier", Match: []string{"sip.carrier.example"}}}, nil)
			r.check(err)
			r.check(r.server.Apply(Settings{Trunks: table}))
			invite := one.Invite("sip:bob@"+securedAt+";transport=tls", sdpOffer)
			_, err = one.Send(invite, securedAt)
			r.check(err)
			in := r.wait(r.bob, "INVITE")
			sent := in.Reply(200, withSDP)
			d := one.Dialog(invite, r.wait(one, "200").Message, false)
			_, err = one.SendACK(one.In(d, "ACK", 1), securedAt)
			r.check(err)
			r.wait(r.bob, "ACK")
			_, err = two.Send(two.In(d, "BYE", d.Next()), securedAt)
			r.check(err)
			r.wait(two, want)
			if want == "200 BYE" {
				r.wait(r.bob, "BYE").Reply(200, nil)
				return
			}
			r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
			r.wait(one, "BYE").Reply(200, nil)
			r.wait(r.bob, "200 BYE")
		})
	}
}
