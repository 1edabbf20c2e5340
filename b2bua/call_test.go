package b2bua

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
)

func TestBasicCallHasItsOwnDialogOnEachLeg(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		if in.CallID() == d.req.CallID() || in.FromTag() == d.req.FromTag() {
			r.Error("Call-ID or From tag crossed")
		}
		if vias := in.List("Via"); len(vias) != 1 || !strings.Contains(vias[0], sbc) {
			r.Errorf("Via %q is not ours alone", vias)
		}
		if got := in.Get("Max-Forwards"); got != "69" {
			r.Errorf("Max-Forwards %s, want 69", got)
		}
		if got := in.Get("Contact"); got != "<sip:"+sbc+">" {
			r.Errorf("Contact %s is not ours", got)
		}
		if string(in.Body) != sdpOffer || in.Get("Content-Type") != "application/sdp" {
			r.Error("the offer did not cross unchanged")
		}
		in.Reply(180, nil)
		ringing := r.wait(r.alice, "180")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		if ok.ToTag() == sent.ToTag() || ok.ToTag() != ringing.ToTag() || ok.ToTag() == "" {
			r.Errorf("To tags: callee %s, ringing %s, answer %s", sent.ToTag(), ringing.ToTag(), ok.ToTag())
		}
		if string(ok.Body) != string(sent.Body) {
			r.Error("the answer did not cross unchanged")
		}
		call := d.talk(r.bob, in, sent, ok)
		r.ack(call.alice, 1, "")
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
		rec := r.record()
		if rec.Code != 200 || rec.HungUpBy != "caller" || len(rec.Attempts) != 1 || rec.Attempts[0].Code != 200 {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestCalleeHangsUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.bob, call.bob, "BYE", func(m *message.Message) { m.Set("Reason", `Q.850;cause=16`) })
		r.wait(r.bob, "200 BYE")
		bye := r.wait(r.alice, "BYE")
		bye.Reply(200, nil)
		if bye.Get("Reason") != `Q.850;cause=16` {
			r.Errorf("Reason %q did not cross", bye.Get("Reason"))
		}
		if rec := r.record(); rec.HungUpBy != "callee" {
			r.Errorf("hung up by %s", rec.HungUpBy)
		}
	})
}

func TestEarlyMediaCrossesWithADialogForEachTag(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(183, withSDP)
		first := r.wait(r.alice, "183")
		if len(first.Body) == 0 {
			r.Error("early SDP did not cross")
		}
		in.Reply(180, func(m *message.Message) { m.Set("To", message.WithTag(m.Get("To"), "forked")) })
		second := r.wait(r.alice, "180")
		if first.ToTag() == second.ToTag() || second.ToTag() == "forked" {
			r.Errorf("early dialogs %s and %s", first.ToTag(), second.ToTag())
		}
		sent := in.Reply(200, func(m *message.Message) {
			withSDP(m)
			m.Set("To", message.WithTag(m.Get("To"), "forked"))
		})
		ok := r.wait(r.alice, "200")
		if ok.ToTag() != second.ToTag() {
			r.Errorf("answered with tag %s, want that of the 180, %s", ok.ToTag(), second.ToTag())
		}
		call := d.talk(r.bob, in, sent, ok)
		r.ack(call.alice, 1, "")
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
	})
}

func TestFailuresOfTheCalleeCross(t *testing.T) {
	for _, code := range []int{302, 400, 404, 410, 480, 486, 488, 499, 501, 580, 600, 603} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			r.dial(sdpOffer)
			r.wait(r.bob, "INVITE").Reply(code, func(m *message.Message) { m.Reason = "As It Was" })
			res := r.wait(r.alice, strconv.Itoa(code))
			if res.Reason != "As It Was" {
				r.Errorf("%d: reason %q", code, res.Reason)
			}
			if rec := r.record(); rec.Code != code || rec.HungUpBy != "callee" {
				r.Errorf("record %+v", rec)
			}
		})
	}
}

func TestNoAnswerIsCancelledAndTheCallerGets480(t *testing.T) {
	play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		time.Sleep(61 * time.Second)
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "480")
		r.never(r.carol, "INVITE")
	})
}

func TestASilentTargetIsLeftAfterTry(t *testing.T) {
	play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
		begin := time.Now()
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE")
		in := r.wait(r.carol, "INVITE")
		if took := time.Since(begin); took != 5*time.Second {
			r.Errorf("moved on after %s, want try", took)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestTheNextTargetIsTriedAfterAFailureInTheRetrySet(t *testing.T) {
	for _, code := range []int{408, 500, 502, 503, 504} {
		play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
			r.dial(sdpOffer)
			r.wait(r.bob, "INVITE").Reply(code, nil)
			r.wait(r.carol, "INVITE").Reply(404, nil)
			r.wait(r.alice, "404")
			if rec := r.record(); len(rec.Attempts) != 2 || rec.Attempts[0].Code != code {
				r.Errorf("attempts %+v", rec.Attempts)
			}
		})
	}
}

func TestHeadersOfAFailureGoAlongToWhoIsNext(t *testing.T) {
	p := &fixed{invite: toBobThenCarol, failure: func(_ context.Context, _ View, _ Leg, res *message.Message, _ Origin) Decided {
		return Decided{Decision: Next{Headers: []message.Header{{Name: "Identity", Value: res.Get("Identity")}}}}
	}}
	play(t, p, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(480, func(m *message.Message) { m.Add("Identity", "abc") })
		in := r.wait(r.carol, "INVITE")
		if got := in.Message.Get("Identity"); got != "abc" {
			r.Errorf("Identity: %q", got)
		}
		in.Reply(200, withSDP)
		r.wait(r.alice, "200")
	})
}

func TestAPersonIsNotRungTwice(t *testing.T) {
	play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		in.Reply(503, nil)
		r.wait(r.alice, "503")
		r.never(r.carol, "INVITE")
	})
}

func TestDeadTargetsGiveA503(t *testing.T) {
	route := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:x@192.0.2.99"}, {URI: "sip:x@nowhere.example"}}}}
	}
	play(t, &fixed{invite: route}, func(r *rig) {
		r.dial(sdpOffer)
		if res := r.wait(r.alice, "503"); res.Get("Retry-After") == "" {
			r.Error("503 without Retry-After")
		}
		rec := r.record()
		if len(rec.Attempts) != 2 || rec.Attempts[0].Origin != OriginTransport || rec.Attempts[1].Origin != OriginDNS {
			r.Errorf("attempts %+v", rec.Attempts)
		}
	})
}

func TestBudgetEndsTheSearch(t *testing.T) {
	route := func(context.Context, View) Decided {
		d := routeTo("192.0.2.2:5060", "192.0.2.3:5060").Decision.(Route)
		d.Budget = 3 * time.Second
		return Decided{Decision: d}
	}
	play(t, &fixed{invite: route}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE")
		r.wait(r.alice, "503")
		r.never(r.carol, "INVITE")
	})
}

func TestLateOfferCrossesInItsPlaces(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial("")
		in := r.wait(r.bob, "INVITE")
		if len(in.Body) != 0 {
			r.Error("an offer appeared from nowhere")
		}
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		if len(ok.Body) == 0 {
			r.Error("the offer in the 200 did not cross")
		}
		if _, err := r.bob.Next(400*time.Millisecond, "ACK"); err == nil {
			r.Error("acknowledged before the caller's answer was there")
		}
		call := d.talk(r.bob, in, sent, ok)
		r.ack(call.alice, 1, sdpOffer)
		if ack := r.wait(r.bob, "ACK"); string(ack.Body) != sdpOffer {
			r.Errorf("the answer in the ACK did not cross: %q", ack.Body)
		}
		call.hangUpByAlice()
	})
}

func TestLostACKRepeatsThe200AndThenHangsUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(200, withSDP)
		first := time.Now()
		for range 11 {
			r.wait(r.alice, "200")
		}
		if took := time.Since(first); took < 20*time.Second || took > 32*time.Second {
			r.Errorf("eleven 200s within %s", took)
		}
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		if rec := r.record(); rec.HungUpBy != "timer" {
			r.Errorf("hung up by %s", rec.HungUpBy)
		}
	})
}

func TestDoubled200GetsTheSameACKAndDoesNotCross(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		call.atBob.Again()
		r.wait(r.bob, "ACK")
		if _, err := r.alice.Next(time.Second, "200"); err == nil {
			r.Error("the doubled 200 crossed")
		}
		call.hangUpByAlice()
	})
}

func TestSecondForkIsAcknowledgedAndHungUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		second := func(m *message.Message) { m.Set("To", message.WithTag(m.Get("To"), "fork2")) }
		res := call.atBob.Respond(200, "", "")
		second(res)
		res.Set("Contact", r.bob.Contact())
		r.check(r.bob.SendRaw(res.Bytes(), sbc))
		if ack := r.wait(r.bob, "ACK"); ack.ToTag() != "fork2" {
			r.Errorf("ACK to %s", ack.ToTag())
		}
		bye := r.wait(r.bob, "BYE")
		bye.Reply(200, nil)
		if bye.ToTag() != "fork2" {
			r.Errorf("BYE to %s", bye.ToTag())
		}
		call.hangUpByAlice()
	})
}

func TestMergedInviteIsRefused(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		if _, err := r.alice.Send(d.req, sbc); err != nil {
			r.Fatal(err)
		}
		r.wait(r.alice, "482")
		in.Reply(486, nil)
		r.wait(r.alice, "486")
		r.never(r.bob, "INVITE")
	})
}

func TestHopsAreCountedDown(t *testing.T) {
	for _, hops := range []string{"0", "00"} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
			req.Set("Max-Forwards", hops)
			_, err := r.alice.Send(req, sbc)
			r.check(err)
			r.wait(r.alice, "483")
		})
	}
}

func TestHopsAreCountedDownInTheDialogToo(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		left := func(n string) func(*message.Message) {
			return func(m *message.Message) { m.Set("Max-Forwards", n) }
		}
		r.say(r.alice, call.alice, "INFO", left("5"))
		in := r.wait(r.bob, "INFO")
		if got := in.Get("Max-Forwards"); got != "4" {
			r.Errorf("INFO crossed with Max-Forwards %s, want 4", got)
		}
		in.Reply(200, nil)
		r.wait(r.alice, "200 INFO")
		r.say(r.alice, call.alice, "INFO", left("00"))
		r.wait(r.alice, "483 INFO")
		r.say(r.bob, call.bob, "BYE", left("0"))
		r.wait(r.bob, "200 BYE")
		bye := r.wait(r.alice, "BYE")
		if got := bye.Get("Max-Forwards"); got != "70" {
			r.Errorf("a BYE of ours has Max-Forwards %s, want 70", got)
		}
		bye.Reply(200, nil)
	})
}

func TestFailuresSayWhoMadeThem(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		if got := r.wait(r.alice, "486").Get("Server"); got != "legwork" {
			r.Errorf("Server is %q", got)
		}
	})
}

func TestOurOwnCallComingBackIsALoop(t *testing.T) {
	loop := func(context.Context, View) Decided { return routeTo(sbc) }
	play(t, &fixed{invite: loop}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.alice, "482")
	})
}

func TestByesCross(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.alice, call.alice, "BYE", nil)
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.bob, "200 BYE")
		r.record()
	})
}

func TestByeBeforeACKWaitsForIt(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.bob, "200 BYE")
		if _, err := r.alice.Next(3*time.Second, "BYE"); err == nil {
			r.Fatal("BYE to the caller before its ACK")
		}
		r.ack(r.alice.Dialog(d.req, ok.Message, false), 1, "")
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestACallerWithoutContactHearsTheBye(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		req.Del("Contact")
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		r.ack(r.alice.Dialog(req, r.wait(r.alice, "200").Message, false), 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestByeOnAnEarlyDialogEndsTheInvite(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		ringing := r.wait(r.alice, "180")
		r.say(r.alice, r.alice.Dialog(d.req, ringing.Message, false), "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.alice, "487")
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
	})
}

func TestMaxDurationHangsUpBothWithAReason(t *testing.T) {
	route := func(context.Context, View) Decided {
		d := routeTo("192.0.2.2:5060").Decision.(Route)
		d.MaxDuration = 20 * time.Second
		return Decided{Decision: d}
	}
	play(t, &fixed{invite: route}, func(r *rig) {
		r.answered()
		for _, a := range []string{"alice", "bob"} {
			agent := r.alice
			if a == "bob" {
				agent = r.bob
			}
			bye := r.wait(agent, "BYE")
			bye.Reply(200, nil)
			if !strings.Contains(bye.Get("Reason"), "cause=16") {
				r.Errorf("%s: Reason %q", a, bye.Get("Reason"))
			}
		}
	})
}

func TestOperatorHangsUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.answered()
		states := r.server.Calls()
		if len(states) != 1 || states[0].Phase != "talking" || !r.server.HangUp(states[0].ID, "admin") {
			r.Fatalf("calls %+v", states)
		}
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		if rec := r.record(); rec.HungUpBy != "admin" {
			r.Errorf("hung up by %s", rec.HungUpBy)
		}
	})
}

func TestDrainRefusesNewCallsAndHangsUpTheRest(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.answered()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() { r.server.Drain(ctx); close(done) }()
		time.Sleep(time.Second)
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
		r.check(err)
		r.wait(r.alice, "503")
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		<-done
	})
}

func TestByeGoesToTheRefreshedTarget(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		r.say(r.bob, call.bob, "INVITE", func(m *message.Message) {
			withSDP(m)
			m.Set("Contact", "<sip:bob@192.0.2.3:5060>")
		})
		in := r.wait(r.alice, "INVITE")
		in.Reply(200, withSDP)
		r.wait(r.bob, "200")
		_, err := r.bob.SendACK(r.bob.In(call.bob, "ACK", call.bob.LocalSeq), sbc)
		r.check(err)
		r.wait(r.alice, "ACK")
		r.say(r.alice, call.alice, "BYE", nil)
		bye := r.wait(r.carol, "BYE")
		bye.Reply(200, nil)
		if bye.URI != "sip:bob@192.0.2.3:5060" {
			r.Errorf("BYE to %s", bye.URI)
		}
	})
}

func TestSchemesWeCantHonourGet416(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		for _, uri := range []string{"urn:service:sos", "isbn:2983792873"} {
			req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
			req.URI = uri
			_, err := r.alice.Send(req, sbc)
			r.check(err)
			r.wait(r.alice, "416")
		}
	})
}
