package b2bua

import (
	"strings"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

func TestUpdateCrossesAsReinviteToAPeerThatDoesNotAllowIt(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answeredWith(func(res *message.Message) { res.Set("Allow", "INVITE, ACK, BYE, CANCEL") })
		r.say(r.alice, call.alice, "UPDATE", withSDP)
		in := r.wait(r.bob, "INVITE")
		if len(in.Body) == 0 {
			t.Error("the offer did not cross")
		}
		in.Reply(180, nil)
		in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200 UPDATE")
		if len(ok.Body) == 0 {
			t.Error("the answer did not cross")
		}
		r.wait(r.bob, "ACK")
		if in, err := r.alice.Next(time.Second, "180 UPDATE"); err == nil {
			t.Errorf("%s crossed", in.Name())
		}
		call.hangUpByAlice()
	})
}

// Many tell of no methods at all; then the refusal tells.
func TestUpdateCrossesAsReinviteOnceThePeerHasRefusedIt(t *testing.T) {
	for _, code := range []int{405, 501} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			call := r.answeredWith(func(res *message.Message) { res.Del("Allow") })
			r.say(r.alice, call.alice, "UPDATE", withSDP)
			r.wait(r.bob, "UPDATE").Reply(code, nil)
			in := r.wait(r.bob, "INVITE")
			if len(in.Body) == 0 {
				t.Error("the offer did not cross")
			}
			in.Reply(200, withSDP)
			if ok := r.wait(r.alice, "200 UPDATE"); len(ok.Body) == 0 {
				t.Error("the answer did not cross")
			}
			r.wait(r.bob, "ACK")
			r.say(r.alice, call.alice, "UPDATE", withSDP)
			r.wait(r.bob, "INVITE").Reply(488, nil)
			r.wait(r.alice, "488 UPDATE")
			call.hangUpByAlice()
		})
	}
}

func TestUpdateWithoutOfferIsAnsweredForAPeerThatDoesNotAllowIt(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answeredWith(func(res *message.Message) { res.Set("Allow", "INVITE, ACK, BYE, CANCEL") })
		r.say(r.alice, call.alice, "UPDATE", nil)
		if ok := r.wait(r.alice, "200 UPDATE"); ok.Get("Contact") == "" {
			t.Error("no Contact in the answer")
		}
		r.never(r.bob, "UPDATE", "INVITE")
		call.hangUpByAlice()
	})
}

// refresh sends a re-INVITE of ours to bob.
func (r *rig) refresh(done func(*message.Message) phase) {
	r.Helper()
	c := r.server.index.all()[0]
	c.post(reached{then: func(transport.Flow, error) {
		c.errand(c.b, "INVITE", func(m *message.Message) {
			m.Set("Content-Type", "application/sdp")
			m.Body = c.b.ours
		}, done)
	}})
}

func TestErrandIsRepeatedAfterGlare(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		codes := make(chan int, 1)
		r.refresh(func(res *message.Message) phase { codes <- res.Status; return nil })
		in := r.wait(r.bob, "INVITE")
		if !strings.Contains(string(in.Body), "192.0.2.1") {
			t.Errorf("offer is %q", in.Body)
		}
		r.say(r.bob, call.bob, "INVITE", withSDP)
		r.wait(r.bob, "491")
		in.Reply(491, nil)
		began := time.Now()
		in = r.wait(r.bob, "INVITE")
		if pause := time.Since(began); pause < 2100*time.Millisecond || pause > 4100*time.Millisecond {
			t.Errorf("repeated after %s", pause)
		}
		in.Reply(200, withSDP)
		r.wait(r.bob, "ACK")
		in.Again()
		r.wait(r.bob, "ACK")
		if code := <-codes; code != 200 {
			t.Errorf("errand ended with %d", code)
		}
		r.never(r.alice, "INVITE")
		call.hangUpByAlice()
	})
}

func TestErrandGivesUpAgainstAPeerThatIsAlwaysBusy(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		codes := make(chan int, 1)
		r.refresh(func(res *message.Message) phase { codes <- res.Status; return nil })
		for range maxTries {
			r.wait(r.bob, "INVITE").Reply(491, nil)
		}
		if code := <-codes; code != 491 {
			t.Errorf("errand ended with %d", code)
		}
		call.hangUpByAlice()
	})
}

// early plays a call up to a reliable 183 with an answer that both legs have
// acknowledged.
func (r *rig) early(edit func(*message.Message)) (d *dialled, in *simnet.Incoming, alice, bob *dialog.Dialog) {
	r.Helper()
	d = r.dialWith(sdpOffer, can100rel)
	in = r.wait(r.bob, "INVITE")
	sent := in.Reply(183, reliably("1", withSDP, edit))
	at := r.wait(r.alice, "183")
	alice = r.prack(d, at, nil)
	r.wait(r.bob, "PRACK").Reply(200, nil)
	r.wait(r.alice, "200 PRACK")
	return d, in, alice, r.bob.Dialog(in.Message, sent, true)
}

func allowing(methods string) func(*message.Message) {
	return func(m *message.Message) { m.Set("Allow", methods) }
}

// end gives an early call its end.
func (r *rig) end(in *simnet.Incoming) {
	r.Helper()
	in.Reply(486, nil)
	r.wait(r.alice, "486")
}

func TestUpdateBeforeTheAnswerCrossesBothWays(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		_, in, alice, bob := r.early(allowing("INVITE, UPDATE, PRACK"))
		r.say(r.alice, alice, "UPDATE", withSDP)
		up := r.wait(r.bob, "UPDATE")
		if len(up.Body) == 0 {
			t.Error("the offer did not cross")
		}
		r.say(r.bob, bob, "UPDATE", withSDP)
		r.wait(r.bob, "491 UPDATE")
		up.Reply(200, withSDP)
		if ok := r.wait(r.alice, "200 UPDATE"); len(ok.Body) == 0 {
			t.Error("the answer did not cross")
		}
		r.say(r.bob, bob, "UPDATE", withSDP)
		r.wait(r.alice, "UPDATE").Reply(200, withSDP)
		r.wait(r.bob, "200 UPDATE")
		r.end(in)
	})
}

func TestUpdateBeforeTheAnswerToAPeerThatDoesNotAllowIt(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		_, in, alice, _ := r.early(allowing("INVITE, PRACK"))
		r.say(r.alice, alice, "UPDATE", withSDP)
		r.wait(r.alice, "488 UPDATE")
		r.say(r.alice, alice, "UPDATE", nil)
		r.wait(r.alice, "200 UPDATE")
		if in, err := r.bob.Next(time.Second, "UPDATE", "INVITE"); err == nil {
			t.Errorf("%s crossed", in.Name())
		}
		r.end(in)
	})
}

func TestUpdateWhileTheFirstOfferIsOpenIsForLater(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(183, withSDP)
		at := r.wait(r.alice, "183")
		r.say(r.alice, r.alice.Dialog(d.req, at.Message, false), "UPDATE", withSDP)
		if res := r.wait(r.alice, "500 UPDATE"); res.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		r.end(in)
	})
}

// RFC 3261 section 13.2.2.4: every 2xx is acknowledged.
func TestALateReInviteThatNobodyAcknowledgesGetsItsACKBeforeTheBYE(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "INVITE", nil)
		r.wait(r.bob, "INVITE").Reply(200, withSDP)
		r.wait(r.alice, "200")
		if first := r.wait(r.bob, "ACK", "BYE"); first.Method != "ACK" {
			t.Errorf("%s came first", first.Method)
			first.Reply(200, nil)
		} else {
			r.wait(r.bob, "BYE").Reply(200, nil)
		}
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}
