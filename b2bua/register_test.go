package b2bua

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
	"legwork/b2bua/simnet"
	"legwork/b2bua/store"
)

// withRegistrar gives the rig's server a registrar.
func (r *rig) withRegistrar(edit func(*Settings)) {
	r.Helper()
	reg, err := registrar.New(registrar.Config{
		Store: store.NewMemory(store.Limits{}), Min: time.Minute, Default: 5 * time.Minute, Max: time.Hour,
	})
	r.check(err)
	settings := *r.server.settings()
	settings.Registrar = reg
	if edit != nil {
		edit(&settings)
	}
	r.check(r.server.Apply(settings))
}

// registers sends a REGISTER for an address of record.
func (r *rig) registers(a *simnet.Agent, aor, contact string, edit func(*message.Message)) *message.Message {
	r.Helper()
	return r.ask(a, "REGISTER", func(m *message.Message) {
		m.URI = "sip:" + sbc
		m.Set("To", "<"+aor+">")
		m.Set("From", "<"+aor+">;tag=reg")
		m.Set("Contact", contact)
		if contact == "" {
			m.Del("Contact")
		}
		if edit != nil {
			edit(m)
		}
	})
}

const (
	aliceAOR = "sip:alice@sbc.example"
	bobAOR   = "sip:bob@sbc.example"
)

func toAOR(aor string) *fixed {
	d := Decided{Decision: Route{Targets: []Target{{AOR: aor}}}}
	return &fixed{
		invite: func(context.Context, View) Decided { return d },
		outside: func(_ context.Context, v View) Decided {
			if v.Request.Method == "REGISTER" {
				return Decided{}
			}
			return d
		},
	}
}

// expiresOf is the time a 200 gives to a contact.
func expiresOf(t *testing.T, res *message.Message, uri string) string {
	t.Helper()
	for _, text := range res.List("Contact") {
		a, err := message.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if a.URI == uri {
			expires, _ := a.Params.Get("expires")
			return expires
		}
	}
	return ""
}

func TestAPhoneRegistersRefreshesAsksAndLeaves(t *testing.T) { // flows R1-R4
	play(t, &fixed{}, func(r *rig) {
		r.withRegistrar(nil)
		r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>", nil)
		res := r.wait(r.alice, "200 REGISTER")
		if got := expiresOf(t, res.Message, "sip:alice@192.0.2.1:5060"); got != "300" {
			t.Errorf("expires %q: %s", got, res)
		}
		r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>;expires=600", nil)
		if got := expiresOf(t, r.wait(r.alice, "200 REGISTER").Message, "sip:alice@192.0.2.1:5060"); got != "600" {
			t.Errorf("expires %q after an update", got)
		}
		r.registers(r.alice, aliceAOR, "", nil)
		if res := r.wait(r.alice, "200 REGISTER"); len(res.List("Contact")) != 1 {
			t.Errorf("a query tells %s", res)
		}
		r.registers(r.alice, aliceAOR, "*", func(m *message.Message) { m.Set("Expires", "0") })
		if res := r.wait(r.alice, "200 REGISTER"); len(res.List("Contact")) != 0 {
			t.Errorf("after * there is %s", res)
		}
	})
}

func TestARegistrationThatIsTooShortIs423(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.withRegistrar(nil)
		r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>;expires=10", nil)
		if res := r.wait(r.alice, "423 REGISTER"); res.Get("Min-Expires") != "60" {
			t.Errorf("%s", res)
		}
	})
}

func TestAUserRegistersWithItsPasswordAndForNobodyElse(t *testing.T) { // flow R5
	play(t, &fixed{}, func(r *rig) {
		r.withUsers(nil)
		r.withRegistrar(nil)
		req := r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>", nil)
		r.client(r.alice, "alice", "wrong").again(req, r.wait(r.alice, "401 REGISTER"))
		r.wait(r.alice, "401 REGISTER")
		req = r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>", nil)
		r.client(r.alice, "alice", "wonder").again(req, r.wait(r.alice, "401 REGISTER"))
		r.wait(r.alice, "200 REGISTER")
		req = r.registers(r.alice, bobAOR, "<sip:alice@192.0.2.1:5060>", nil)
		r.client(r.alice, "alice", "wonder").again(req, r.wait(r.alice, "401 REGISTER"))
		r.wait(r.alice, "403 REGISTER")
	})
}

func TestAScriptAcceptsWhomItLikes(t *testing.T) {
	play(t, decideOutside(Accept{Expires: 30 * time.Second}), func(r *rig) {
		r.withRegistrar(nil)
		r.registers(r.alice, "sip:anybody@sbc.example", "<sip:alice@192.0.2.1:5060>", nil)
		if got := expiresOf(t, r.wait(r.alice, "200 REGISTER").Message, "sip:alice@192.0.2.1:5060"); got != "30" {
			t.Errorf("expires %q", got)
		}
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "500 MESSAGE")
	})
	play(t, decideOutside(Accept{}), func(r *rig) { // no registrar
		r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>", nil)
		r.wait(r.alice, "500 REGISTER")
	})
}

// broken is a store that fails.
type broken struct{ store.Store }

func (broken) Get(string) (string, bool, error) { return "", false, errors.New("no connection") }

func TestAStoreThatFailsIs500(t *testing.T) {
	play(t, toAOR(aliceAOR), func(r *rig) {
		r.withRegistrar(func(s *Settings) {
			reg, err := registrar.New(registrar.Config{Store: broken{}, Min: time.Minute, Default: time.Minute, Max: time.Minute})
			r.check(err)
			s.Registrar = reg
		})
		r.registers(r.alice, aliceAOR, "<sip:alice@192.0.2.1:5060>", nil)
		r.wait(r.alice, "500 REGISTER")
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "500 MESSAGE")
	})
}

func TestAHugeListOfContactsIsRefused(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.withRegistrar(nil)
		r.registers(r.alice, aliceAOR, strings.Repeat("<sip:alice@192.0.2.1:5060>,", 500)+"<sip:a@192.0.2.1>", nil)
		r.wait(r.alice, "403 REGISTER")
	})
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.registers(r.alice, aliceAOR, strings.Repeat("<sip:alice@192.0.2.1:5060>,", 500)+"<sip:a@192.0.2.1>", nil)
		r.wait(r.alice, "400 REGISTER")
	})
}

func TestACallGoesToARegisteredUser(t *testing.T) {
	play(t, toAOR(bobAOR), func(r *rig) {
		r.withRegistrar(nil)
		r.registers(r.bob, bobAOR, "<sip:bob@192.0.2.2:5060;line=7>", nil)
		r.wait(r.bob, "200 REGISTER")
		talk := r.answered()
		if talk.atBob.URI != "sip:bob@192.0.2.2:5060;line=7" {
			t.Errorf("Request-URI %s", talk.atBob.URI)
		}
		talk.hangUpByAlice()
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestContactsAreTriedByQAndEqualOnesTogether(t *testing.T) {
	play(t, toAOR(bobAOR), func(r *rig) {
		r.withRegistrar(nil)
		dave := r.agent("192.0.2.4:5060")
		defer dave.Close()
		r.registers(r.bob, bobAOR, "<sip:bob@192.0.2.2:5060>;q=0.9, <sip:bob@192.0.2.3:5060>;q=0.9, <sip:bob@192.0.2.4:5060>;q=0.1", nil)
		r.wait(r.bob, "200 REGISTER")
		r.dial(sdpOffer)
		atBob, atCarol := r.wait(r.bob, "INVITE"), r.wait(r.carol, "INVITE")
		if _, err := dave.Next(time.Second, "INVITE"); err == nil {
			t.Error("a contact of smaller q is tried at once")
		}
		atBob.Reply(503, nil)
		atCarol.Reply(503, nil)
		r.wait(dave, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestAUserWhoIsAwayIs480AndOneWhomNobodyKnows404(t *testing.T) {
	for aor, want := range map[string]string{aliceAOR: "480", "sip:nobody@sbc.example": "404", "sip:": "404", "mailto:a@b.example": "404"} {
		play(t, toAOR(aor), func(r *rig) {
			r.withUsers(nil)
			r.withRegistrar(nil)
			r.dial(sdpOffer)
			r.wait(r.alice, want)
			r.ask(r.alice, "MESSAGE", nil)
			r.wait(r.alice, want+" MESSAGE")
			if rec := r.record(); len(rec.Attempts) != 1 || rec.Attempts[0].Origin != OriginLocal {
				t.Errorf("%+v", rec)
			}
		})
	}
	play(t, toAOR(aliceAOR), func(r *rig) { // no registrar
		r.dial(sdpOffer)
		r.wait(r.alice, "404")
	})
}

func TestTheNextTargetIsTriedForAUserWhoIsAway(t *testing.T) {
	d := Decided{Decision: Route{Targets: []Target{{AOR: aliceAOR}, {Trunk: "bob"}}}}
	decide := func(context.Context, View) Decided { return d }
	play(t, &fixed{invite: decide, outside: decide}, func(r *rig) {
		r.withRegistrar(nil)
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestACallFollowsThePathOfItsContact(t *testing.T) {
	play(t, toAOR(bobAOR), func(r *rig) {
		r.withRegistrar(nil)
		r.registers(r.carol, bobAOR, "<sip:bob@198.51.100.9:5060>", func(m *message.Message) {
			m.Set("Path", "<sip:192.0.2.3:5060;lr;id=4>")
			m.Set("Supported", "path")
		})
		if res := r.wait(r.carol, "200 REGISTER"); res.Get("Path") != "<sip:192.0.2.3:5060;lr;id=4>" {
			t.Errorf("%s", res)
		}
		r.dial(sdpOffer)
		in := r.wait(r.carol, "INVITE")
		if in.URI != "sip:bob@198.51.100.9:5060" || in.Get("Route") != "<sip:192.0.2.3:5060;lr;id=4>" {
			t.Errorf("%s", in.Message)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

// behindNAT makes an agent write a private address of its own.
const private = "<sip:bob@10.1.1.1:5060>"

func TestACallToAPhoneBehindNATStaysOnItsFlow(t *testing.T) { // flow C32
	play(t, toAOR(bobAOR), func(r *rig) {
		r.withRegistrar(nil)
		raw := "REGISTER sip:sbc.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1:5060;rport;branch=z9hG4bKnat\r\nMax-Forwards: 70\r\n" +
			"From: <" + bobAOR + ">;tag=1\r\nTo: <" + bobAOR + ">\r\nCall-ID: nat\r\nCSeq: 1 REGISTER\r\nContact: " + private + "\r\nContent-Length: 0\r\n\r\n"
		r.check(r.bob.SendRaw([]byte(raw), sbc))
		r.wait(r.bob, "200 REGISTER")
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		if in.URI != "sip:bob@10.1.1.1:5060" {
			t.Errorf("Request-URI %s", in.URI)
		}
		in.Reply(200, func(m *message.Message) { withSDP(m); m.Set("Contact", private) })
		ok := r.wait(r.alice, "200")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(alice, 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.wait(r.alice, "200 BYE")
	})
}

// Its Via may have been written, or mended on the way, from what others see: the
// Contact alone is private.
func TestACallOfAPhoneWhoseContactIsPrivateStaysOnItsFlow(t *testing.T) { // flow C32
	play(t, &fixed{invite: toBob}, func(r *rig) {
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		req.Set("Contact", "<sip:alice@10.1.1.1:5090>")
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		r.ack(r.alice.Dialog(req, ok.Message, false), 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
		bye := r.wait(r.alice, "BYE")
		if bye.URI != "sip:alice@10.1.1.1:5090" {
			t.Errorf("Request-URI %s", bye.URI)
		}
		bye.Reply(200, nil)
		r.wait(r.bob, "200 BYE")
	})
}

func TestARequestToACallerBehindNATStaysOnItsFlow(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		raw := "INVITE sip:bob@sbc.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1:5060;rport;branch=z9hG4bKnat\r\nMax-Forwards: 70\r\n" +
			"From: <sip:alice@10.1.1.1>;tag=1\r\nTo: <sip:bob@sbc.example>\r\nCall-ID: nat\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@10.1.1.1:5060>\r\nContent-Length: 0\r\n\r\n"
		r.check(r.alice.SendRaw([]byte(raw), sbc))
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		ack := r.alice.In(r.alice.Dialog(mustParse(r.T, raw), ok.Message, false), "ACK", 1)
		_, err := r.alice.SendACK(ack, sbc)
		r.check(err)
		r.wait(r.bob, "ACK")
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.wait(r.bob, "200 BYE")
	})
}

func mustParse(t *testing.T, raw string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestACallToATCPPhoneComesOverItsConnectionWhileThatLasts(t *testing.T) {
	play(t, toAOR(bobAOR), func(r *rig) {
		r.withRegistrar(nil)
		phone, err := simnet.NewAgent(r.network, "tcp", "192.0.2.77:5099")
		r.check(err)
		contact := "<sip:bob@192.0.2.77:6000;transport=tcp>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"" // nobody listens there
		r.registers(phone, bobAOR, contact, nil)
		r.wait(phone, "200 REGISTER")
		r.dial(sdpOffer)
		r.wait(phone, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
		phone.Close()
		time.Sleep(time.Second)
		r.dial(sdpOffer)
		r.wait(r.alice, "480")
	})
}

func TestAContactElsewhereIsNotCalledOverTheFlow(t *testing.T) {
	play(t, toAOR(bobAOR), func(r *rig) { // bob's voicemail is carol's
		r.withRegistrar(nil)
		r.registers(r.bob, bobAOR, "<sip:mail@192.0.2.3:5060>", nil)
		r.wait(r.bob, "200 REGISTER")
		r.dial(sdpOffer)
		r.wait(r.carol, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestARegistrationSurvivesABadNetwork(t *testing.T) {
	for seed := range uint64(20) {
		faults := simnet.Faults{Seed: seed, Lose: 0.15, Double: 0.2, Reorder: 0.2, Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}
		playOn(t, faults, &fixed{}, func(r *rig) {
			r.withUsers(nil)
			r.withRegistrar(nil)
			for _, contact := range []string{"<sip:alice@192.0.2.1:5060>", "<sip:alice@192.0.2.1:5060>;expires=0"} {
				req := r.registers(r.alice, aliceAOR, contact, nil)
				r.client(r.alice, "alice", "wonder").again(req, r.wait(r.alice, "401 REGISTER"))
				r.wait(r.alice, "200 REGISTER")
			}
		})
	}
}
