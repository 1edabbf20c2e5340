package b2bua

import (
	"context"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
)

// throughCarrier relays what alice registers to bob, who is a carrier, and asks no
// script about calls.
func throughCarrier() *fixed {
	return &fixed{outside: func(_ context.Context, v View) Decided {
		if v.Request.Method == "REGISTER" {
			return Decided{Decision: Route{Targets: []Target{{Trunk: "bob", Host: "carrier.example"}}}}
		}
		return Decided{}
	}}
}

// registeredUpstream is alice's phone registered at bob's; our contact there.
func (r *rig) registeredUpstream(expires string) string {
	r.Helper()
	r.registers(r.alice, "sip:alice@carrier.example", "<sip:alice@192.0.2.1:5060>;q=0.5;expires=120", nil)
	in := r.wait(r.bob, "REGISTER")
	ours, ok := in.Contact()
	if q, _ := ours.Params.Get("q"); !ok || q != "0.5" || strings.Contains(in.Get("Contact"), "192.0.2.1:") {
		r.Errorf("the contact upstream is %s", in.Get("Contact"))
	}
	in.Reply(200, func(m *message.Message) {
		m.Del("Contact")
		m.Add("Contact", "<"+ours.URI+">;q=0.5;expires="+expires)
		m.Add("Contact", "<sip:alice@198.51.100.99>;expires=50")
		m.Add("Service-Route", "<sip:edge.carrier.example;lr>")
		m.Add("P-Associated-URI", "<sip:alice2@carrier.example>")
	})
	res := r.wait(r.alice, "200 REGISTER")
	if got := expiresOf(r.T, res.Message, "sip:alice@192.0.2.1:5060"); got != expires && expires != "0" {
		r.Errorf("expires %q: %s", got, res)
	}
	if expiresOf(r.T, res.Message, "sip:alice@198.51.100.99") != "50" || res.Get("Service-Route") != "" || res.Get("P-Associated-URI") == "" {
		r.Errorf("%s", res)
	}
	return ours.URI
}

func TestARelayedRegistrationTakesAContactOfOurs(t *testing.T) {
	play(t, throughCarrier(), func(r *rig) {
		first := r.registeredUpstream("100")
		if !strings.HasSuffix(first, "@"+sbc) || !isLent(userOf(first)) {
			t.Errorf("our contact is %s", first)
		}
		if again := r.registeredUpstream("100"); again != first {
			t.Errorf("a refresh takes another contact: %s, then %s", first, again)
		}
		invite := r.bob.Invite(first, sdpOffer)
		_, err := r.bob.Send(invite, sbc)
		r.check(err)
		in := r.wait(r.alice, "INVITE")
		if in.URI != "sip:alice@192.0.2.1:5060" {
			t.Errorf("Request-URI %s", in.URI)
		}
		in.Reply(486, nil)
		r.wait(r.bob, "486")
		r.ask(r.bob, "MESSAGE", func(m *message.Message) { m.URI = first })
		r.wait(r.alice, "MESSAGE").Reply(200, nil)
		r.wait(r.bob, "200 MESSAGE")
		time.Sleep(100 * time.Second)
		invite = r.bob.Invite(first, sdpOffer)
		_, err = r.bob.Send(invite, sbc)
		r.check(err)
		r.wait(r.bob, "480")
	})
}

func TestALeaveUpstreamIsALeaveHere(t *testing.T) {
	play(t, throughCarrier(), func(r *rig) {
		ours := r.registeredUpstream("100")
		r.registeredUpstream("0")
		_, err := r.bob.Send(r.bob.Invite(ours, sdpOffer), sbc)
		r.check(err)
		r.wait(r.bob, "480")
	})
}

func TestAScriptRoutesATokenAsAnAddressOfRecord(t *testing.T) {
	p := throughCarrier()
	p.invite = func(_ context.Context, v View) Decided {
		return Decided{Decision: Route{Targets: []Target{{AOR: v.Request.URI}}}}
	}
	play(t, p, func(r *rig) {
		ours := r.registeredUpstream("100")
		_, err := r.bob.Send(r.bob.Invite(ours, sdpOffer), sbc)
		r.check(err)
		r.wait(r.alice, "INVITE").Reply(486, nil)
		r.wait(r.bob, "486")
	})
}

func TestARefusedRegistrationUpstreamLeavesNothing(t *testing.T) {
	play(t, throughCarrier(), func(r *rig) {
		r.registers(r.alice, "sip:alice@carrier.example", "<sip:alice@192.0.2.1:5060>", nil)
		in := r.wait(r.bob, "REGISTER")
		ours, _ := in.Contact()
		in.Reply(423, func(m *message.Message) { m.Set("Min-Expires", "3600") })
		if res := r.wait(r.alice, "423 REGISTER"); res.Get("Min-Expires") != "3600" {
			t.Errorf("%s", res)
		}
		_, err := r.bob.Send(r.bob.Invite(ours.URI, sdpOffer), sbc)
		r.check(err)
		r.wait(r.bob, "480")
	})
}

func TestAStarAndAQueryGoUpstreamAsTheyAre(t *testing.T) {
	play(t, throughCarrier(), func(r *rig) {
		r.registers(r.alice, "sip:alice@carrier.example", "*", func(m *message.Message) { m.Set("Expires", "0") })
		in := r.wait(r.bob, "REGISTER")
		if in.Get("Contact") != "*" || in.Get("Expires") != "0" {
			t.Errorf("%s", in.Message)
		}
		in.Reply(200, func(m *message.Message) { m.Del("Contact") })
		r.wait(r.alice, "200 REGISTER")
		r.registers(r.alice, "sip:alice@carrier.example", "", nil)
		in = r.wait(r.bob, "REGISTER")
		if _, has := in.Lookup("Contact"); has {
			t.Errorf("%s", in.Message)
		}
		in.Reply(200, func(m *message.Message) {
			m.Set("Contact", "<sip:lw-00000000000000000000000000000000@192.0.2.10>;expires=9") // nobody's any more
		})
		if res := r.wait(r.alice, "200 REGISTER"); len(res.List("Contact")) != 0 {
			t.Errorf("%s", res)
		}
	})
}

func TestAPhoneBehindNATIsCalledFromUpstreamOverItsFlow(t *testing.T) {
	play(t, throughCarrier(), func(r *rig) {
		raw := "REGISTER sip:carrier.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1:5060;rport;branch=z9hG4bKnat\r\nMax-Forwards: 70\r\n" +
			"From: <sip:a@carrier.example>;tag=1\r\nTo: <sip:a@carrier.example>\r\nCall-ID: nat\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@10.1.1.1>\r\nContent-Length: 0\r\n\r\n"
		r.check(r.alice.SendRaw([]byte(raw), sbc))
		in := r.wait(r.bob, "REGISTER")
		ours, _ := in.Contact()
		in.Reply(200, func(m *message.Message) { m.Set("Contact", "<"+ours.URI+">;expires=60") })
		r.wait(r.alice, "200 REGISTER")
		_, err := r.bob.Send(r.bob.Invite(ours.URI, sdpOffer), sbc)
		r.check(err)
		r.wait(r.alice, "INVITE").Reply(486, nil)
		r.wait(r.bob, "486")
	})
}
