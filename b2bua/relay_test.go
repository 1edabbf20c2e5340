package b2bua

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

func TestHoldCrossesAndTheCallGoesOn(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		hold := strings.Replace(sdpOffer, "t=0 0\r\n", "t=0 0\r\na=sendonly\r\n", 1)
		r.say(r.alice, call.alice, "INVITE", func(m *message.Message) {
			m.Set("Content-Type", "application/sdp")
			m.Body = []byte(hold)
		})
		in := r.wait(r.bob, "INVITE")
		if string(in.Body) != hold || in.ToTag() == "" {
			r.Error("the hold did not cross in the dialog")
		}
		in.Reply(200, withSDP)
		r.wait(r.alice, "200")
		r.ack(call.alice, call.alice.LocalSeq, "")
		r.wait(r.bob, "ACK")
		r.say(r.alice, call.alice, "INVITE", func(m *message.Message) { m.Body = nil })
		again := r.wait(r.bob, "INVITE")
		again.Reply(488, nil)
		r.wait(r.alice, "488")
		call.hangUpByAlice()
	})
}

func TestRequestsInTheDialogCrossWithTheirBodies(t *testing.T) {
	for _, method := range []string{"INFO", "MESSAGE", "OPTIONS", "NOTIFY", "UPDATE", "FROBNICATE"} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			call := r.answered()
			r.say(r.alice, call.alice, method, func(m *message.Message) {
				m.Set("Content-Type", "text/plain")
				m.Body = []byte("hello")
			})
			in := r.wait(r.bob, method)
			if string(in.Body) != "hello" || in.CallID() != call.bob.CallID {
				r.Errorf("%s: %s", method, in)
			}
			in.Reply(200, func(m *message.Message) {
				m.Set("Content-Type", "text/plain")
				m.Body = []byte("hi")
			})
			if res := r.wait(r.alice, "200 "+method); string(res.Body) != "hi" {
				r.Errorf("%s: answer %s", method, res)
			}
			r.say(r.bob, call.bob, method, nil)
			r.wait(r.alice, method).Reply(415, nil)
			r.wait(r.bob, "415 "+method)
			call.hangUpByAlice()
		})
	}
}

func TestUnknownDialogsGet481(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		wrong := *call.alice
		wrong.Local = "spoofed"
		r.say(r.alice, &wrong, "BYE", nil)
		r.wait(r.alice, "481 BYE")
		wrong = *call.alice
		wrong.Remote = "nobody"
		r.say(r.alice, &wrong, "INFO", nil)
		r.wait(r.alice, "481 INFO")
		call.hangUpByAlice()
	})
}

func TestHooksSeeHeadersThatDoNotCross(t *testing.T) {
	var seen string
	hook := func(_ View, _ Leg, res *message.Message) Decided {
		seen = res.Get("X-Carrier")
		res.Set("X-Ours", "yes")
		return Decided{}
	}
	play(t, &fixed{invite: toBob, answer: hook}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(200, func(m *message.Message) {
			withSDP(m)
			m.Set("X-Carrier", "42")
		})
		ok := r.wait(r.alice, "200")
		if seen != "42" || ok.Get("X-Carrier") != "" || ok.Get("X-Ours") != "yes" {
			r.Errorf("seen %q, crossed %q and %q", seen, ok.Get("X-Carrier"), ok.Get("X-Ours"))
		}
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestWhatOnFailureWritesCrosses(t *testing.T) {
	hook := func(_ context.Context, _ View, _ Leg, res *message.Message, _ Origin) Decided {
		res.Set("X-Ours", "yes")
		res.Status, res.Reason = 404, "Not here"
		return Decided{}
	}
	play(t, &fixed{invite: toBob, failure: hook}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, func(m *message.Message) { m.Set("X-Carrier", "42") })
		res := r.wait(r.alice, "404")
		if res.Reason != "Not here" || res.Get("X-Carrier") != "" || res.Get("X-Ours") != "yes" {
			r.Errorf("crossed: %s", res)
		}
	})
}

func TestWhatOnFailureMakesOfASilentTargetIsTheAnswer(t *testing.T) {
	hook := func(_ context.Context, _ View, _ Leg, res *message.Message, _ Origin) Decided {
		res.Status, res.Reason = 404, "Nobody there"
		return Decided{}
	}
	play(t, &fixed{invite: toBob, failure: hook}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE")
		if res := r.wait(r.alice, "404"); res.Reason != "Nobody there" {
			r.Errorf("crossed: %s", res)
		}
	})
}

func TestDecisionsSetSeveralHeadersOfOneName(t *testing.T) {
	two := []message.Header{{Name: "X-Two", Value: "1"}, {Name: "X-Two", Value: "2"}}
	invite := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@192.0.2.2:5060", Headers: two}}}}
	}
	failure := func(context.Context, View, Leg, *message.Message, Origin) Decided {
		return Decided{Decision: Reject{Code: 480, Headers: two}}
	}
	play(t, &fixed{invite: invite, failure: failure}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(486, nil)
		if res := r.wait(r.alice, "480"); len(in.All("X-Two")) != 2 || len(res.All("X-Two")) != 2 {
			r.Errorf("INVITE %q, 480 %q", in.All("X-Two"), res.All("X-Two"))
		}
	})
}

// RFC 5057 section 5.1: the subscription of a REFER is not the call.
func TestALostSubscriptionLeavesTheCallUp(t *testing.T) {
	for _, answer := range []int{481, 408, 0} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			call := r.answered()
			r.say(r.alice, call.alice, "REFER", func(m *message.Message) { m.Set("Refer-To", "<sip:carol@192.0.2.3>") })
			r.wait(r.bob, "REFER").Reply(202, nil)
			r.wait(r.alice, "202 REFER")
			r.say(r.bob, call.bob, "NOTIFY", func(m *message.Message) {
				m.Set("Event", "refer")
				m.Set("Subscription-State", "active;expires=60")
				m.Set("Content-Type", "message/sipfrag")
				m.Body = []byte("SIP/2.0 100 Trying\r\n")
			})
			if in := r.wait(r.alice, "NOTIFY"); answer != 0 {
				in.Reply(answer, nil)
			}
			r.never(r.bob, "BYE")
			r.say(r.alice, call.alice, "INFO", nil)
			r.wait(r.bob, "INFO").Reply(200, nil)
			r.wait(r.alice, "200 INFO")
			call.hangUpByAlice()
		})
	}
}
