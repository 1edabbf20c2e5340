package b2bua

import (
	"context"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// reliably makes a 1xx reliable; withSDP may follow.
func reliably(rseq string, more ...func(*message.Message)) func(*message.Message) {
	return func(m *message.Message) {
		m.Set("Require", "100rel")
		m.Set("RSeq", rseq)
		for _, f := range more {
			f(m)
		}
	}
}

// pracked routes to bob with that mode.
func pracked(mode trunk.PRACK) func(context.Context, View) Decided {
	return func(context.Context, View) Decided {
		r := routeTo("192.0.2.2:5060").Decision.(Route)
		r.PRACK = mode
		return Decided{Decision: r}
	}
}

func can100rel(m *message.Message)   { m.Set("Supported", "100rel") }
func wants100rel(m *message.Message) { m.Set("Require", "100rel") }

// prack acknowledges a 1xx of alice's call.
func (r *rig) prack(d *dialled, in *simnet.Incoming, edit func(*message.Message)) *dialog.Dialog {
	r.Helper()
	dlg := r.alice.Dialog(d.req, in.Message, false)
	r.say(r.alice, dlg, "PRACK", func(m *message.Message) {
		m.Set("RAck", in.Get("RSeq")+" 1 INVITE")
		if edit != nil {
			edit(m)
		}
	})
	return dlg
}

func TestReliableProgressCrossesWhenBothLegsCan(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith(sdpOffer, can100rel)
		in := r.wait(r.bob, "INVITE")
		if !in.HasToken("Supported", "100rel") || in.HasToken("Require", "100rel") {
			t.Errorf("Supported %q, Require %q", in.Get("Supported"), in.Get("Require"))
		}
		in.Reply(183, reliably("7", withSDP))
		at := r.wait(r.alice, "183")
		if !at.HasToken("Require", "100rel") || at.Get("RSeq") == "" || at.Get("RSeq") == "7" || len(at.Body) == 0 {
			t.Errorf("183 with Require %q, RSeq %q", at.Get("Require"), at.Get("RSeq"))
		}
		dlg := r.prack(d, at, nil)
		p := r.wait(r.bob, "PRACK")
		if p.Get("RAck") != "7 1 INVITE" {
			t.Errorf("RAck is %q", p.Get("RAck"))
		}
		p.Reply(200, nil)
		r.wait(r.alice, "200 PRACK")
		in.Reply(180, reliably("8"))
		at = r.wait(r.alice, "180")
		r.say(r.alice, dlg, "PRACK", func(m *message.Message) { m.Set("RAck", at.Get("RSeq")+" 1 INVITE") })
		r.wait(r.bob, "PRACK").Reply(200, nil)
		r.wait(r.alice, "200 PRACK")
		in.Reply(200, nil)
		ok := r.wait(r.alice, "200")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		alice.LocalSeq = dlg.LocalSeq
		r.ack(alice, 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestReliableProgressEndsHereWhenTheCallerCannot(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(183, reliably("1", withSDP))
		r.wait(r.bob, "PRACK").Reply(200, nil)
		at := r.wait(r.alice, "183")
		if at.Get("RSeq") != "" || at.Get("Require") != "" || len(at.Body) == 0 {
			t.Errorf("183 with Require %q, RSeq %q", at.Get("Require"), at.Get("RSeq"))
		}
		in.Reply(180, reliably("3")) // out of order: waits for 2
		in.Reply(180, reliably("2"))
		r.wait(r.bob, "PRACK").Reply(200, nil)
		r.wait(r.alice, "180")
		in.Reply(200, nil) // its answer was in the 183
		ok := r.wait(r.alice, "200")
		if !strings.Contains(string(ok.Body), "192.0.2.2") {
			t.Errorf("the caller never got the answer: %q", ok.Body)
		}
		alice := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(alice, 1, "")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestProgressIsMadeReliableForACallerWhoRequiresIt(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith(sdpOffer, wants100rel)
		in := r.wait(r.bob, "INVITE")
		if in.HasToken("Require", "100rel") {
			t.Error("Require crossed")
		}
		in.Reply(180, nil)
		in.Reply(183, withSDP)
		at := r.wait(r.alice, "180")
		if again := r.wait(r.alice, "180"); again.Get("RSeq") != at.Get("RSeq") {
			t.Errorf("RSeq %q repeated as %q", at.Get("RSeq"), again.Get("RSeq"))
		}
		if in, err := r.alice.Next(0, "183"); err == nil {
			t.Errorf("%s overtook the PRACK", in.Name())
		}
		dlg := r.prack(d, at, nil)
		r.wait(r.alice, "200 PRACK")
		if in, err := r.bob.Next(time.Second, "PRACK"); err == nil {
			t.Errorf("%s went out", in.Name())
		}
		second := r.wait(r.alice, "183")
		in.Reply(200, withSDP)
		if in, err := r.alice.Next(0, "200"); err == nil {
			t.Errorf("%s overtook the PRACK of its session", in.Name())
		}
		r.say(r.alice, dlg, "PRACK", func(m *message.Message) { m.Set("RAck", second.Get("RSeq")+" 1 INVITE") })
		r.wait(r.alice, "200 PRACK")
		ok := r.wait(r.alice, "200")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		alice.LocalSeq = dlg.LocalSeq
		r.ack(alice, 1, "")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestCallerWhoNeverAcknowledgesProgressIsGivenUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dialWith(sdpOffer, wants100rel)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		n := 0
		for {
			in := r.wait(r.alice, "180", "504")
			if in.Status == 504 {
				break
			}
			n++
		}
		if n < 6 || n > 8 {
			t.Errorf("the 180 was sent %d times", n)
		}
		r.wait(r.bob, "CANCEL")
	})
}

func TestCancelWhileA2xxWaitsForPRACK(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith(sdpOffer, wants100rel)
		in := r.wait(r.bob, "INVITE")
		in.Reply(183, withSDP)
		r.wait(r.alice, "183")
		in.Reply(200, withSDP)
		time.Sleep(time.Second)
		d.cancel("")
		r.wait(r.alice, "487")
		r.wait(r.bob, "ACK")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestPRACKThatMatchesNothingGets481(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith(sdpOffer, wants100rel)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		at := r.wait(r.alice, "180")
		dlg := r.alice.Dialog(d.req, at.Message, false)
		for _, rack := range []string{"", "1 1 INVITE", at.Get("RSeq") + " 2 INVITE", at.Get("RSeq") + " 1 BYE", "x y z", at.Get("RSeq") + " 1"} {
			r.say(r.alice, dlg, "PRACK", func(m *message.Message) { m.Set("RAck", rack) })
			r.wait(r.alice, "481 PRACK")
		}
		r.say(r.alice, dlg, "PRACK", func(m *message.Message) { m.Set("RAck", "0"+at.Get("RSeq")+" 01 INVITE") })
		r.wait(r.alice, "200 PRACK")
		r.say(r.alice, dlg, "PRACK", func(m *message.Message) { m.Set("RAck", at.Get("RSeq")+" 1 INVITE") })
		r.wait(r.alice, "481 PRACK")
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestLateOfferIsAnsweredInPRACK(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith("", can100rel)
		in := r.wait(r.bob, "INVITE")
		in.Reply(183, reliably("1", withSDP))
		at := r.wait(r.alice, "183")
		if in, err := r.bob.Next(time.Second, "PRACK"); err == nil {
			t.Errorf("%s went out", in.Name())
		}
		dlg := r.prack(d, at, func(m *message.Message) {
			m.Set("Content-Type", "application/sdp")
			m.Body = []byte(sdpOffer)
		})
		p := r.wait(r.bob, "PRACK")
		if !strings.Contains(string(p.Body), "192.0.2.1") {
			t.Errorf("answer in PRACK is %q", p.Body)
		}
		p.Reply(200, nil)
		r.wait(r.alice, "200 PRACK")
		in.Reply(200, nil)
		ok := r.wait(r.alice, "200")
		if ack := r.wait(r.bob, "ACK"); len(ack.Body) > 0 {
			t.Error("the ACK repeats the answer")
		}
		alice := r.alice.Dialog(d.req, ok.Message, false)
		alice.LocalSeq = dlg.LocalSeq
		r.ack(alice, 1, "")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestLateOfferWithoutACallerWhoCanOffersNo100rel(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial("")
		in := r.wait(r.bob, "INVITE")
		if in.HasToken("Supported", "100rel") {
			t.Error("100rel is offered to a callee whose offer nobody could answer")
		}
		d.cancel("")
		in.Reply(180, nil)
		r.wait(r.alice, "487")
	})
}

func TestPRACKOff(t *testing.T) {
	play(t, &fixed{invite: pracked(trunk.NoPRACK)}, func(r *rig) {
		r.dialWith(sdpOffer, wants100rel)
		if in := r.wait(r.alice, "420"); in.Get("Unsupported") != "100rel" {
			t.Errorf("Unsupported is %q", in.Get("Unsupported"))
		}
		r.never(r.bob, "INVITE")
	})
	play(t, &fixed{invite: pracked(trunk.NoPRACK)}, func(r *rig) {
		r.dialWith(sdpOffer, can100rel)
		in := r.wait(r.bob, "INVITE")
		if in.HasToken("Supported", "100rel") {
			t.Error("100rel is offered")
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestPRACKPassed(t *testing.T) {
	play(t, &fixed{invite: pracked(trunk.PassPRACK)}, func(r *rig) {
		r.dialWith(sdpOffer, wants100rel)
		in := r.wait(r.bob, "INVITE")
		if !in.HasToken("Require", "100rel") {
			t.Error("Require did not pass")
		}
		in.Reply(420, func(m *message.Message) { m.Set("Unsupported", "100rel") })
		if in := r.wait(r.alice, "421"); in.Get("Require") != "100rel" {
			t.Errorf("421 requires %q", in.Get("Require"))
		}
	})
	play(t, &fixed{invite: pracked(trunk.PassPRACK)}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		if in.HasToken("Supported", "100rel") {
			t.Error("100rel is offered for a caller who can't")
		}
		in.Reply(421, func(m *message.Message) { m.Set("Require", "100rel") })
		r.wait(r.alice, "421")
	})
}

func TestEarlyGates(t *testing.T) {
	gate := func(e Early) func(context.Context, View) Decided {
		return func(context.Context, View) Decided {
			r := together(context.Background(), View{}).Decision.(Route)
			r.Early = e
			return Decided{Decision: r}
		}
	}
	for _, tt := range []struct {
		early Early
		want  string
	}{{EarlyPass, "bob carol"}, {EarlyFirst, "bob"}, {EarlySuppress, ""}} {
		play(t, &fixed{invite: gate(tt.early)}, func(r *rig) {
			r.dial(sdpOffer)
			atBob, atCarol := r.wait(r.bob, "INVITE"), r.wait(r.carol, "INVITE")
			atBob.Reply(180, func(m *message.Message) { m.Set("Subject", "bob") })
			time.Sleep(time.Second)
			atCarol.Reply(180, reliably("1", func(m *message.Message) { m.Set("Subject", "carol") }))
			r.wait(r.carol, "PRACK").Reply(200, nil)
			var seen []string
			for {
				in, err := r.alice.Next(time.Second, "180")
				if err != nil {
					break
				}
				seen = append(seen, in.Get("Subject"))
			}
			if got := strings.Join(seen, " "); got != tt.want {
				t.Errorf("early %d: the caller heard %q, want %q", tt.early, got, tt.want)
			}
			atBob.Reply(486, nil)
			atCarol.Reply(486, nil)
			r.wait(r.alice, "486")
		})
	}
}
