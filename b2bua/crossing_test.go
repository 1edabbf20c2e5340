package b2bua

import (
	"strconv"
	"testing"
	"time"

	"legwork/b2bua/message"
)

// All that can cross is in testdata/crossings.txt, which crossing_table_test.go
// plays; here is what a reader may want to see step by step. Reloads of scripts
// are tested in script and cmd/legwork.

func TestByeEndsAnOpenReInvite(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "INVITE", nil)
		in := r.wait(r.bob, "INVITE")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.wait(r.alice, "487")
		r.wait(r.alice, "BYE").Reply(200, nil)
		in.Reply(487, nil)
	})
}

func TestReInviteBehindByeGets481(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.bob, call.bob, "BYE", nil)
		r.say(r.alice, call.alice, "INVITE", nil)
		r.wait(r.alice, "481")
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestReInvitesThatCrossGet491(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "INVITE", nil)
		in := r.wait(r.bob, "INVITE")
		r.say(r.bob, call.bob, "INVITE", nil)
		r.wait(r.bob, "491")
		in.Reply(200, withSDP)
		r.wait(r.alice, "200")
		r.ack(call.alice, call.alice.LocalSeq, sdpOffer)
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
	})
}

func TestAnswerBehindTryIsHungUp(t *testing.T) {
	play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
		r.dial(sdpOffer)
		late := r.wait(r.bob, "INVITE")
		in := r.wait(r.carol, "INVITE")
		late.Reply(200, withSDP)
		r.wait(r.bob, "ACK")
		r.wait(r.bob, "BYE").Reply(200, nil)
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestAnswerBehindRingIsHungUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		time.Sleep(61 * time.Second)
		in.Reply(200, withSDP)
		r.wait(r.alice, "480")
		r.wait(r.bob, "ACK")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestByeBreaksOffAnInfo(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "INFO", nil)
		in := r.wait(r.bob, "INFO")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.alice, "487 INFO")
		r.wait(r.alice, "BYE").Reply(200, nil)
		in.Reply(200, nil)
	})
}

func TestHangUpBehindAReInviteOfTheCalleeReachesBoth(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.bob, call.bob, "INVITE", func(m *message.Message) { withSDP(m) })
		r.wait(r.alice, "INVITE").Reply(200, withSDP)
		r.wait(r.bob, "200")
		r.server.HangUp(r.server.Calls()[0].ID, "admin")
		r.wait(r.alice, "BYE").Reply(200, nil)
		_, err := r.bob.SendACK(r.bob.In(call.bob, "ACK", call.bob.LocalSeq), sbc)
		r.check(err)
		r.wait(r.bob, "BYE").Reply(200, nil)
		if _, err := r.alice.Next(time.Second, "BYE"); err == nil {
			r.Error("a second BYE to the caller")
		}
	})
}

func TestOperatorHangsUpWhileItRings(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		r.server.HangUp(r.server.Calls()[0].ID, "admin")
		in.Reply(200, withSDP)
		r.wait(r.alice, "480")
		r.wait(r.bob, "ACK")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestScriptsSeeTheFailureOfAHangUpWhileItRings(t *testing.T) {
	final := func(_ View, res *message.Message, _ Origin) { res.Status, res.Reason = 404, "Gone" }
	play(t, &fixed{invite: toBob, final: final}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		r.server.HangUp(r.server.Calls()[0].ID, "admin")
		r.wait(r.alice, "404")
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
	})
}

func TestAFailedReInviteLeavesTheCallUp(t *testing.T) {
	for _, code := range []int{488, 491, 500} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			call := r.answered()
			r.say(r.bob, call.bob, "INVITE", func(m *message.Message) { withSDP(m) })
			r.wait(r.alice, "INVITE").Reply(code, nil)
			r.wait(r.bob, strconv.Itoa(code))
			call.hangUpByAlice()
		})
	}
}

func TestAReInviteThatNobodyAnswersDoesNotKeepTheCall(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "INVITE", withSDP)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		r.say(r.alice, call.alice, "BYE", nil)
		r.wait(r.alice, "487")
		r.wait(r.bob, "CANCEL")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestARefreshThatNobodyAnswersDoesNotKeepTheCall(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.refresh(func(*message.Message) phase { return nil })
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		time.Sleep(time.Second)
		r.say(r.alice, call.alice, "BYE", nil)
		r.wait(r.bob, "CANCEL")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestARefusedUpdateLeavesARingingCallToItsInvite(t *testing.T) {
	for _, code := range []int{481, 408} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			d := r.dial(sdpOffer)
			in := r.wait(r.bob, "INVITE")
			sent := in.Reply(180, nil)
			r.wait(r.alice, "180")
			r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "UPDATE", nil)
			r.wait(r.alice, "UPDATE").Reply(code, nil)
			time.Sleep(time.Second)
			in.Reply(200, withSDP)
			ok := r.wait(r.alice, "200")
			dlg := r.alice.Dialog(d.req, ok.Message, false)
			r.ack(dlg, 1, "")
			r.say(r.alice, dlg, "BYE", nil)
			r.wait(r.bob, "BYE").Reply(200, nil)
		})
	}
}

func TestAnUpdateNeedNotWaitForTheFirstACK(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		r.wait(r.bob, "ACK")
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "UPDATE", withSDP)
		r.wait(r.alice, "UPDATE").Reply(200, withSDP)
		r.wait(r.bob, "200 UPDATE")
		dlg := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(dlg, 1, "")
		r.say(r.alice, dlg, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestAPrackThatIsLateIsTakenBehindTheACK(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith(sdpOffer, can100rel)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, reliably("1"))
		ringing := r.wait(r.alice, "180")
		in.Reply(200, withSDP)
		r.wait(r.alice, "200")
		dlg := r.alice.Dialog(d.req, ringing.Message, false)
		r.ack(dlg, 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.alice, dlg, "PRACK", func(m *message.Message) { m.Set("RAck", ringing.Get("RSeq")+" 1 INVITE") })
		r.wait(r.bob, "PRACK").Reply(200, nil)
		r.wait(r.alice, "200 PRACK")
		r.say(r.alice, dlg, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}
