package b2bua

import (
	"context"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

func TestAByeBehindAReferThatIsBeingDecidedEndsTheCall(t *testing.T) {
	hook := func(ctx context.Context, _ View, _ Leg, _ *message.Message) Decided {
		<-ctx.Done()
		return Decided{}
	}
	play(t, &fixed{invite: byUser, refer: hook}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.refer(r.alice, call.alice, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.alice, "491 REFER")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "487 REFER")
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestAReferBehindAByeGets481(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "BYE", nil)
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "481 REFER")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestATransferWaitsForAReInviteOfTheSurvivor(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		fresh := r.wait(r.carol, "INVITE")
		r.say(r.alice, call.alice, "INVITE", func(m *message.Message) { putSDP(m, []byte(sdpAt("192.0.2.77"))) })
		in := r.wait(r.bob, "INVITE")
		sent := fresh.Reply(200, answerAt("192.0.2.3"))
		r.wait(r.carol, "ACK")
		in.Reply(200, withSDP)
		r.wait(r.alice, "200")
		r.ack(call.alice, call.alice.LocalSeq, "")
		r.wait(r.bob, "ACK")
		r.takesOver(r.alice, "192.0.2.77")
		again := r.wait(r.carol, "INVITE") // who was offered alice's old place
		again.Reply(200, answerAt("192.0.2.3"))
		if !strings.Contains(string(again.Body), "c=IN IP4 192.0.2.77") {
			r.Errorf("the target was offered %s", again.Body)
		}
		r.notified(r.bob, "200")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.carol, r.carol.Dialog(fresh.Message, sent, true), r.alice)
	})
}

func TestATransferRepeatsAReInviteThatMetAnother(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.carol, "INVITE").Reply(200, answerAt("192.0.2.3"))
		in := r.wait(r.alice, "INVITE")
		r.say(r.alice, call.alice, "INVITE", func(m *message.Message) { putSDP(m, []byte(sdpAt("192.0.2.1"))) })
		r.wait(r.alice, "491")
		in.Reply(491, nil)
		r.takesOver(r.alice, "192.0.2.1")
		r.notified(r.bob, "200")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.alice, call.alice, r.carol)
	})
}

func TestAnOperatorHangsUpDuringATransfer(t *testing.T) {
	for _, answered := range []bool{false, true} {
		play(t, &fixed{invite: byUser}, func(r *rig) {
			call := r.answered()
			r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
			in := r.wait(r.carol, "INVITE")
			if answered {
				in.Reply(200, answerAt("192.0.2.3"))
				r.wait(r.alice, "INVITE").Reply(487, nil)
			} else {
				in.Reply(180, nil)
				r.notified(r.bob, "180")
			}
			r.server.HangUp(r.server.Calls()[0].ID, "admin")
			if answered {
				r.wait(r.carol, "BYE").Reply(200, nil)
			} else {
				r.wait(r.carol, "CANCEL")
				in.Reply(487, nil)
			}
			r.wait(r.alice, "BYE").Reply(200, nil)
			r.wait(r.bob, "BYE").Reply(200, nil)
			if rec := r.record(); rec.HungUpBy != "admin" {
				r.Errorf("record %+v", rec)
			}
		})
	}
}

func TestAReferrerThatHearsNothingDoesNotStopTheTransfer(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.network.OnPath(func(p simnet.Packet) bool { return !strings.HasPrefix(string(p.Bytes), "NOTIFY ") })
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		in.Reply(180, nil)
		time.Sleep(40 * time.Second) // the NOTIFY has no answer
		sent := in.Reply(200, answerAt("192.0.2.3"))
		r.takesOver(r.alice, "192.0.2.1")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.carol, r.carol.Dialog(in.Message, sent, true), r.alice)
	})
}

func TestWhatTheReferrerOwesTheSurvivorIsBrokenOff(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "INFO", nil)
		r.wait(r.bob, "INFO") // and never answered
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		sent := in.Reply(200, answerAt("192.0.2.3"))
		r.takesOver(r.alice, "192.0.2.1")
		r.wait(r.alice, "487 INFO")
		r.wait(r.bob, "BYE").Reply(200, nil)
		time.Sleep(time.Minute)
		r.hangUp(r.carol, r.carol.Dialog(in.Message, sent, true), r.alice)
	})
}

func TestAReferrerMayAskToHearNoMore(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.notified(r.bob, "100")
		in := r.wait(r.carol, "INVITE")
		subscribe := func(expires string) *message.Message {
			r.say(r.bob, call.bob, "SUBSCRIBE", func(m *message.Message) {
				m.Set("Event", "refer")
				m.Set("Expires", expires)
			})
			return r.wait(r.bob, "200 SUBSCRIBE").Message
		}
		if res := subscribe("60"); res.Get("Expires") == "0" || r.notified(r.bob, "100").Get("Event") != "refer" {
			r.Errorf("refreshed: %s", res)
		}
		subscribe("0")
		if n := r.notified(r.bob, "100"); !strings.HasPrefix(n.Get("Subscription-State"), "terminated") {
			r.Errorf("last NOTIFY: %s", n)
		}
		in.Reply(180, nil)
		in.Reply(486, nil)
		if _, err := r.bob.Next(time.Minute, "NOTIFY"); err == nil {
			r.Error("told once more")
		}
		call.hangUpByAlice()
	})
}

func TestATransferIsTransferredOn(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		r.refer(r.bob, call.callee, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		carol := r.carol.Dialog(in.Message, in.Reply(200, answerAt("192.0.2.3")), true)
		r.takesOver(r.alice, "192.0.2.1")
		r.notified(r.bob, "200")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.refer(r.carol, carol, "<sip:bob@192.0.2.10>", nil)
		in = r.wait(r.bob, "INVITE")
		bob := r.bob.Dialog(in.Message, in.Reply(200, answerAt("192.0.2.2")), true)
		again := r.takesOver(r.alice, "192.0.2.1")
		if !strings.HasPrefix(origin(again), "- 72 7 ") {
			r.Errorf("alice was offered %s", again.Body)
		}
		r.notified(r.carol, "200")
		r.wait(r.carol, "BYE").Reply(200, nil)
		r.hangUp(r.bob, bob, r.alice)
		if rec := r.record(); len(rec.Attempts) != 3 || rec.Target != "sip:bob@192.0.2.2:5060" {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestACallerThatRefersAndHangsUpHearsNoMoreOfTheCall(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.alice, call.alice, "<sip:carol@192.0.2.10>", func(m *message.Message) { m.Set("Refer-Sub", "false") })
		r.wait(r.alice, "202 REFER")
		r.say(r.alice, call.alice, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.carol, "INVITE").Reply(486, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.never(r.alice, "BYE", "NOTIFY")
	})
}

func TestWhatComesForALegThatWasGivenAwayFollowsIt(t *testing.T) {
	to := &Call{}
	to.running = true // nobody empties its box
	old := &leg{heir: &leg{call: to}}
	for _, ev := range []event{request{leg: old}, acked{leg: old}} {
		if !new(Call).amongCalls(ev) {
			t.Errorf("%T stayed", ev)
		}
	}
	if len(to.queue) != 2 || to.queue[0].(request).leg != old.heir || to.queue[1].(acked).leg != old.heir {
		t.Errorf("%v followed", to.queue)
	}
}

func TestACallWhoseTimeIsOverDuringATransferEnds(t *testing.T) {
	short := func(ctx context.Context, v View) Decided {
		d := byUser(ctx, v)
		route := d.Decision.(Route)
		route.MaxDuration = 20 * time.Second
		return Decided{Decision: route}
	}
	play(t, &fixed{invite: short}, func(r *rig) {
		call := r.answered()
		time.Sleep(15 * time.Second)
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		in.Reply(180, nil)
		r.wait(r.carol, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.notified(r.bob, "487")
		if rec := r.record(); rec.HungUpBy != "timer" {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestAReferWhileItRingsCrossesOrWaits(t *testing.T) {
	for _, policy := range []func(context.Context, View) Decided{passing, byUser} {
		play(t, &fixed{invite: policy}, func(r *rig) {
			r.dial(sdpOffer)
			in := r.wait(r.bob, "INVITE")
			ringing := in.Reply(180, nil)
			r.wait(r.alice, "180")
			r.refer(r.bob, r.bob.Dialog(in.Message, ringing, true), "<sip:carol@192.0.2.10>", nil)
			if crossed, err := r.alice.Next(time.Second, "REFER"); err == nil {
				crossed.Reply(603, nil)
				r.wait(r.bob, "603 REFER")
			} else {
				r.wait(r.bob, "491 REFER")
			}
			in.Reply(486, nil)
			r.wait(r.alice, "486")
		})
	}
}

func TestALoserOfAForkThatStillTalksDoesNotHarmTheCall(t *testing.T) {
	both := func(context.Context, View) Decided {
		d := routeTo("192.0.2.2:5060", "192.0.2.3:5060").Decision.(Route)
		d.Strategy = Parallel
		return Decided{Decision: d}
	}
	play(t, &fixed{invite: both}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		loser := r.wait(r.carol, "INVITE")
		ringing := loser.Reply(180, nil)
		r.wait(r.alice, "180")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		call := d.talk(r.bob, in, sent, ok)
		r.ack(call.alice, 1, "")
		r.wait(r.carol, "CANCEL")
		r.say(r.carol, r.carol.Dialog(loser.Message, ringing, true), "INFO", nil)
		r.wait(r.carol, "481 INFO")
		loser.Reply(487, nil)
		call.hangUpByAlice()
	})
}
