package b2bua

import (
	"context"
	"testing"
	"time"

	"legwork/b2bua/message"
)

// Each test is a row of the table in hangup.go.

func TestCancelWhileTheRouterIsAskedAbandonsTheQuestion(t *testing.T) {
	var asked, abandoned chan struct{} // made in the bubble
	wait := func(ctx context.Context, _ View) Decided {
		close(asked)
		<-ctx.Done()
		close(abandoned)
		return routeTo("192.0.2.2:5060")
	}
	play(t, &fixed{invite: wait}, func(r *rig) {
		asked, abandoned = make(chan struct{}), make(chan struct{})
		d := r.dial(sdpOffer)
		<-asked
		d.cancel("")
		r.wait(r.alice, "200 CANCEL", "487")
		<-abandoned
		r.never(r.bob, "INVITE")
		if rec := r.record(); rec.Code != 487 || rec.HungUpBy != "caller" {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestCancelWaitsForTheFirst1xxOfTheCallee(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		d.cancel("")
		r.wait(r.alice, "487")
		if _, err := r.bob.Next(time.Second, "CANCEL"); err == nil {
			r.Fatal("CANCEL before any 1xx")
		}
		in.Reply(100, nil)
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
	})
}

func TestCancelOfASilentCalleeLeavesNoGhost(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		r.wait(r.bob, "INVITE")
		d.cancel("")
		r.wait(r.alice, "487")
		r.never(r.bob, "CANCEL")
	})
}

func TestCancelAfter100IsSentAtOnce(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(100, nil)
		time.Sleep(time.Second)
		d.cancel("")
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "487")
	})
}

func TestCancelWhileRingingCarriesItsReason(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		d.cancel(`SIP;cause=200;text="Call completed elsewhere"`)
		cancel := r.wait(r.bob, "CANCEL")
		if got := cancel.Get("Reason"); got != `SIP;cause=200;text="Call completed elsewhere"` {
			r.Errorf("Reason %q", got)
		}
		in.Reply(487, nil)
		r.wait(r.alice, "487")
	})
}

func TestLateOKAfterCancelIsHungUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		d.cancel("")
		r.wait(r.bob, "CANCEL")
		in.Reply(200, withSDP)
		r.wait(r.bob, "ACK")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.wait(r.alice, "487")
		if _, err := r.alice.Next(time.Second, "200"); err == nil {
			r.Error("the late 200 crossed")
		}
	})
}

func TestFailureThatCrossesACancelIsDropped(t *testing.T) {
	play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		d.cancel("")
		r.wait(r.bob, "CANCEL")
		in.Reply(503, nil)
		r.wait(r.alice, "487")
		r.never(r.carol, "INVITE")
	})
}

func TestCancelWhileOnFailureIsAskedTriesNoFurtherTarget(t *testing.T) {
	slow := func(ctx context.Context, _ View, _ Leg, _ *message.Message, _ Origin) Decided {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
		return Decided{Decision: Next{}}
	}
	play(t, &fixed{invite: toBobThenCarol, failure: slow}, func(r *rig) {
		d := r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(503, nil)
		time.Sleep(time.Second)
		d.cancel("")
		r.wait(r.alice, "487")
		r.never(r.carol, "INVITE")
	})
}

func TestCancelBetweenTwoTargetsGivesUpTheSecond(t *testing.T) {
	play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
		d := r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(503, nil)
		in := r.wait(r.carol, "INVITE")
		in.Reply(180, nil)
		time.Sleep(time.Second)
		d.cancel("")
		r.wait(r.carol, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "487")
	})
}

func TestCancelOfAReInviteCrosses(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		req := r.alice.In(call.alice, "INVITE", call.alice.Next())
		client, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		client.Cancel("")
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "487")
		call.hangUpByAlice()
	})
}

func TestCancelThatMatchesNothingGets481(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dialWith("", func(m *message.Message) {
			m.Method = "CANCEL"
			m.Set("CSeq", "1 CANCEL")
		})
		r.wait(r.alice, "481 CANCEL")
	})
}

// lateCancel sends a CANCEL for an INVITE that has its final response: a
// client that obeys section 9.1 would not.
func (r *rig) lateCancel(sent []byte) {
	r.Helper()
	m, err := message.Parse(sent)
	r.check(err)
	m.Method, m.Body = "CANCEL", nil
	m.Set("CSeq", "1 CANCEL")
	m.Del("Content-Type")
	r.check(r.alice.SendRaw(m.Bytes(), sbc))
	r.wait(r.alice, "200 CANCEL")
}

func TestCancelAfterTheAnswerChangesNothing(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		invite := d.client.Sent()
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		r.lateCancel(invite)
		call := d.talk(r.bob, in, sent, ok)
		r.ack(call.alice, 1, "")
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
	})
}

func TestCancelAfterAFailureChangesNothing(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		invite := r.dial(sdpOffer).client.Sent()
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
		r.lateCancel(invite)
		if rec := r.record(); rec.Code != 486 {
			r.Errorf("record %+v", rec)
		}
	})
}
