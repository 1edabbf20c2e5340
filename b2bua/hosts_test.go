package b2bua

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// housed makes pbx.example a machine of alice's, under edge.
func housed(t *trunk.Trunk) {
	t.Headers = trunk.Headers{Preset: trunk.Edge}
	if t.Name == "alice" {
		t.Targets = append(t.Targets, trunk.Endpoint{URI: "sip:pbx.example"})
	}
}

func TestAMachineOfTheOtherSideIsHiddenByItsNameUnderEdge(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.insideOut(trunk.Headers{})
		r.neighbours(housed)
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		req.Set("From", "<sip:alice@pbx.example:5070>;tag="+req.FromTag())
		req.Set("To", "<sip:bob@sbc.inside.example>")
		req.Set("Contact", "<sip:alice@phone7.example>")
		req.Add("Record-Route", "<sip:edge4.example;lr>")
		req.Add("P-Asserted-Identity", "<sip:alice@PHONE7.example>")
		req.Add("Referred-By", "<sip:alice@edge4.example>")
		req.Add("Reply-To", "<sip:alice@people.example>") // a domain
		req.Add("Call-Info", "<http://pbx.example:8080/alice.jpg>;purpose=icon")
		req.Add("Diversion", "<sip:carol@mail.INSIDE.example>;reason=unconditional")
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		for name, want := range map[string]string{
			"From": "<sip:alice@192.0.2.10>", "To": "<sip:bob@192.0.2.2>", "P-Asserted-Identity": "<sip:alice@192.0.2.10>",
			"Referred-By": "<sip:alice@192.0.2.10>", "Reply-To": "<sip:alice@people.example>",
			"Call-Info": "<http://192.0.2.10/alice.jpg>;purpose=icon", "Diversion": "<sip:carol@192.0.2.10>;reason=unconditional",
		} {
			if got := message.WithTag(in.Get(name), ""); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestAReferToThatPointsAtTheOtherSidePointsHereUnderEdge(t *testing.T) {
	for _, c := range []struct{ to, want string }{
		{"<sip:carol@192.0.2.1:5099>", "<sip:carol@192.0.2.10:5060>"},
		{"<sip:carol@10.9.9.9;transport=tcp>", "<sip:carol@192.0.2.10:5060>"},
		{"<sip:carol@pbx.example>", "<sip:carol@192.0.2.10:5060>"},
		{"<sip:carol@192.0.2.1?Replaces=7%40away%3Bto-tag%3D1%3Bfrom-tag%3D2>", "<sip:carol@192.0.2.10:5060?Replaces=7%40away%3Bto-tag%3D1%3Bfrom-tag%3D2>"},
		{"<sip:carol@192.0.2.2:5099>", "<sip:carol@192.0.2.2:5099>"}, // where bob is himself
		{"<sip:carol@192.0.2.10>", "<sip:carol@192.0.2.10>"},         // here already
		{"sip:carol@people.example", "sip:carol@people.example"},     // a domain
	} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.neighbours(housed)
			call := r.answered()
			r.refer(r.alice, call.alice, c.to, nil)
			in := r.wait(r.bob, "REFER")
			if got := in.Get("Refer-To"); got != c.want {
				t.Errorf("%s became %s, want %s", c.to, got, c.want)
			}
			in.Reply(603, nil)
			r.wait(r.alice, "603 REFER")
			call.hangUpByAlice()
		})
	}
}

func TestAReferToThatAScriptWroteStaysUnderEdge(t *testing.T) {
	p := &fixed{invite: toTrunk("bob"), refer: func(_ context.Context, _ View, _ Leg, req *message.Message) Decided {
		req.Set("Refer-To", "<sip:carol@192.0.2.1>")
		return Decided{Decision: Pass{}}
	}}
	play(t, p, func(r *rig) {
		r.neighbours(housed)
		call := r.answered()
		r.refer(r.alice, call.alice, "<sip:carol@people.example>", nil)
		in := r.wait(r.bob, "REFER")
		if got := in.Get("Refer-To"); got != "<sip:carol@192.0.2.1>" {
			t.Errorf("got %s", got)
		}
		in.Reply(603, nil)
		r.wait(r.alice, "603 REFER")
		call.hangUpByAlice()
	})
}

func TestAPassedRedirectToTheOtherSideLeadsHereUnderEdge(t *testing.T) {
	p := &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "bob"}}, Redirects: PassRedirects}}
	}}
	play(t, p, func(r *rig) {
		r.neighbours(housed)
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
		r.check(err)
		r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) {
			m.Set("Contact", `"Carol" <sip:carol@192.0.2.2:5077>;q=0.5`)
			m.Add("Contact", "<sip:carol@people.example>")
		})
		res := r.wait(r.alice, "302")
		if got := strings.Join(res.All("Contact"), " | "); got != `"Carol" <sip:carol@192.0.2.10:5060>;q=0.5 | <sip:carol@people.example>` {
			t.Errorf("got %s", got)
		}
	})
}

func TestAnAttendedTransferThatPassesLeadsHereUnderEdge(t *testing.T) {
	p := &fixed{invite: func(_ context.Context, v View) Decided {
		u, _ := message.ParseURI(v.Request.URI)
		return Decided{Decision: Route{Targets: []Target{{Trunk: u.User}}, Refer: PassRefer}}
	}}
	play(t, p, func(r *rig) {
		r.neighbours(housed)
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.alice, r.carol, "carol")
		r.refer(r.alice, first.caller, referTo(second.caller.Target, second.caller), nil)
		in := r.wait(r.bob, "REFER")
		in.Reply(202, nil)
		r.wait(r.alice, "202 REFER")
		to, err := in.ReferTo()
		r.check(err)
		if to.URI != "sip:carol@192.0.2.10:5060" || to.Replaces == nil || strings.Contains(in.Get("Refer-To"), second.caller.CallID) {
			t.Fatalf("Refer-To %s", to)
		}
		req := r.replace(r.bob, to.URI, to.Replaces.String())
		at := r.wait(r.carol, "INVITE")
		if d := second.callee; at.Get("Replaces") != d.CallID+";to-tag="+d.Local+";from-tag="+d.Remote {
			t.Errorf("carol is to replace %s", at.Get("Replaces"))
		}
		sent := at.Reply(200, answerAt("192.0.2.3"))
		bob := r.bob.Dialog(req, r.wait(r.bob, "200").Message, false)
		_, err = r.bob.SendACK(r.bob.In(bob, "ACK", 1), sbc)
		r.check(err)
		r.wait(r.carol, "ACK")
		r.hangUp(r.carol, second.callee, r.alice)
		r.hangUp(r.alice, first.caller, r.bob)
		r.hangUp(r.carol, r.carol.Dialog(at.Message, sent, true), r.bob)
	})
}
