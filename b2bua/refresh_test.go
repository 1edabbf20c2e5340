package b2bua

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// hungUp expects that both are hung up because of the session timer.
func (r *rig) hungUp(limit time.Duration, reason string) {
	r.Helper()
	for _, a := range []*simnet.Agent{r.alice, r.bob} {
		bye, err := a.Next(limit, "BYE")
		r.check(err)
		if got := bye.Get("Reason"); got != reason {
			r.Errorf("Reason is %q, want %q", got, reason)
		}
		bye.Reply(200, nil)
	}
	if rec := r.record(); rec.HungUpBy != "timer" || rec.Code != 200 {
		r.Errorf("record says %d, hung up by %s", rec.Code, rec.HungUpBy)
	}
}

func TestACalleeThatAllowsUpdateIsRefreshedByIt(t *testing.T) {
	play(t, routed(wanted), func(r *rig) {
		call := r.timedCall(nil, []string{"Allow: INVITE, UPDATE", "Require: timer", "Session-Expires: 900;refresher=uac"})
		answered := time.Now()
		for i := range 3 {
			in := r.soon(r.bob, "UPDATE")
			if after := time.Since(answered); after != time.Duration(i+1)*450*time.Second || len(in.Body) > 0 {
				t.Errorf("refresh %d came after %s with %d bytes", i, after, len(in.Body))
			}
			r.says(in.Message, "Session-Expires", "900;refresher=uac")
			in.Reply(200, func(m *message.Message) { lines(m, []string{"Session-Expires: 900;refresher=uac"}) })
			r.refreshAlice()
		}
		call.hangUpByAlice()
	})
}

// refreshAlice accepts the re-INVITE of a caller that knows no session timers.
func (r *rig) refreshAlice() {
	r.Helper()
	r.soon(r.alice, "INVITE").Reply(200, func(m *message.Message) {
		m.Set("Content-Type", "application/sdp")
		m.Body = []byte(sdpOffer)
	})
	r.wait(r.alice, "ACK")
}

func TestACalleeThatDoesNotIsRefreshedByReInviteWithTheLastSDP(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Allow: INVITE", "Session-Expires: 900;refresher=uac"})
		for range 3 {
			in := r.soon(r.bob, "INVITE")
			if !bytes.Equal(in.Body, call.atBob.Body) {
				t.Errorf("the offer is\n%s", in.Body)
			}
			r.says(in.Message, "Session-Expires", "900;refresher=uac")
			in.Reply(200, func(m *message.Message) {
				withSDP(m)
				lines(m, []string{"Session-Expires: 900;refresher=uac"})
			})
			r.wait(r.bob, "ACK")
		}
		call.hangUpByAlice()
	})
}

func TestWhatAPeerChangesInItsAnswerToARefreshIsHandedOn(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Session-Expires: 900;refresher=uac"})
		for _, address := range []string{"192.0.2.2", "192.0.2.22"} {
			r.soon(r.bob, "INVITE").Reply(200, func(m *message.Message) {
				m.Set("Content-Type", "application/sdp")
				m.Body = []byte(strings.ReplaceAll(strings.ReplaceAll(sdpOffer, "192.0.2.1", address), "- 1 1 IN", "- 1 2 IN"))
				lines(m, []string{"Session-Expires: 900;refresher=uac"})
			})
			r.wait(r.bob, "ACK")
		}
		in := r.wait(r.alice, "INVITE")
		if !strings.Contains(string(in.Body), "c=IN IP4 192.0.2.22\r\n") {
			t.Errorf("alice is offered\n%s", in.Body)
		}
		in.Reply(200, func(m *message.Message) {
			m.Set("Content-Type", "application/sdp")
			m.Body = []byte(sdpOffer)
		})
		r.wait(r.alice, "ACK")
		call.hangUpByAlice()
	})
}

func TestACallerIsRefreshedWhenItSaysSo(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Allow: UPDATE", "Session-Expires: 600;refresher=uas"}, nil)
		r.says(call.ok.Message, "Session-Expires", "600;refresher=uas")
		in := r.soon(r.alice, "UPDATE")
		r.says(in.Message, "Session-Expires", "600;refresher=uac")
		in.Reply(200, nil)
		time.Sleep(time.Hour) // she has left the timer
		call.hangUpByAlice()
	})
}

func TestARefreshOfThePeersIsAnsweredHere(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 90;refresher=uac"}, nil)
		for range 5 {
			time.Sleep(45 * time.Second)
			r.say(r.alice, call.alice, "UPDATE", func(m *message.Message) {
				lines(m, []string{"Supported: timer", "Session-Expires: 90;refresher=uac"})
			})
			ok := r.wait(r.alice, "200 UPDATE")
			r.says(ok.Message, "Session-Expires", "90;refresher=uac")
			r.says(ok.Message, "Require", "timer")
			if ok.Get("Contact") == "" {
				t.Error("the 200 has no Contact")
			}
		}
		r.never(r.bob, "UPDATE")
	})
}

func TestAnUpdateThatAsksForNoTimerCrosses(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Allow: UPDATE"})
		r.say(r.alice, call.alice, "UPDATE", nil)
		r.wait(r.bob, "UPDATE").Reply(200, nil)
		r.wait(r.alice, "200 UPDATE")
		call.hangUpByAlice()
	})
}

func TestAScriptMayAnswerARefreshItself(t *testing.T) {
	p := &fixed{invite: toBob, request: func(View, Leg, *message.Message) Decided {
		return Decided{Decision: Reply{Code: 603}}
	}}
	play(t, p, func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 900;refresher=uac"}, nil)
		r.say(r.alice, call.alice, "UPDATE", func(m *message.Message) { lines(m, []string{"Session-Expires: 900"}) })
		r.wait(r.alice, "603 UPDATE")
		call.hangUpByAlice()
	})
}

func TestALostRefreshOfTheCallersHangsUpBoth(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.timedCall([]string{"Supported: timer", "Session-Expires: 90;refresher=uac"}, nil)
		time.Sleep(59 * time.Second)
		r.hungUp(2*time.Second, sessionExpired)
	})
}

func TestALostRefreshOfTheCalleesHangsUpBoth(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.timedCall(nil, []string{"Session-Expires: 1800;refresher=uas"})
		time.Sleep(1767 * time.Second)
		r.hungUp(2*time.Second, sessionExpired)
	})
}

func TestARefreshThatNobodyAnswersHangsUpBoth(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
		r.soon(r.bob, "UPDATE")
		r.hungUp(40*time.Second, reasonHeader(408))
	})
}

func TestARefreshOfADialogThatIsGoneHangsUpBoth(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
		r.soon(r.bob, "UPDATE").Reply(481, nil)
		r.hungUp(time.Second, reasonHeader(481))
	})
}

func TestARefusedRefreshIsTriedAgainBeforeTheEnd(t *testing.T) {
	for _, refusal := range []int{500, 491, 503, 403} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			call := r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
			r.soon(r.bob, "UPDATE").Reply(refusal, func(m *message.Message) { lines(m, []string{"Retry-After: 5"}) })
			again, err := r.bob.Next(6*time.Second, "UPDATE")
			r.check(err)
			again.Reply(200, func(m *message.Message) { lines(m, []string{"Session-Expires: 600;refresher=uac"}) })
			r.soon(r.bob, "UPDATE").Reply(200, nil)
			call.hangUpByAlice()
		})
	}
}

func TestARefreshThatIsAlwaysRefusedEndsTheCall(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
		refused := 0
		r.bob.Hear(func(in *simnet.Incoming) {
			switch in.Name() {
			case "UPDATE":
				refused++
				in.Reply(403, nil)
			case "BYE":
				in.Reply(200, nil)
			}
		})
		bye := r.soon(r.alice, "BYE")
		r.says(bye.Message, "Reason", sessionExpired)
		bye.Reply(200, nil)
		if refused < 2 || refused > 12 {
			t.Errorf("%d refreshes", refused)
		}
	})
}

func TestAPeerThatTakesNoPartIsThereWhateverItAnswers(t *testing.T) {
	play(t, routed(wanted), func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 36000;refresher=uac"}, []string{"Allow: INVITE"})
		r.says(call.ok.Message, "Session-Expires", "900;refresher=uac")
		answered := time.Now()
		for i := range 3 {
			r.soon(r.bob, "INVITE").Reply(488, nil)
			if after := time.Since(answered); after != time.Duration(i+1)*450*time.Second {
				t.Errorf("refresh %d came after %s", i, after)
			}
			r.say(r.alice, call.alice, "UPDATE", func(m *message.Message) {
				lines(m, []string{"Supported: timer", "Session-Expires: 900;refresher=uac"})
			})
		}
		call.hangUpByAlice()
	})
}

func TestAnUpdateThatIsNotKnownAfterAllBecomesAReInvite(t *testing.T) {
	for _, refusal := range []int{405, 501} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			call := r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
			r.soon(r.bob, "UPDATE").Reply(refusal, nil)
			for range 2 {
				r.soon(r.bob, "INVITE").Reply(200, func(m *message.Message) {
					withSDP(m)
					lines(m, []string{"Session-Expires: 600;refresher=uac"})
				})
				r.wait(r.bob, "ACK")
			}
			call.hangUpByAlice()
		})
	}
}

func TestARefreshThatMeetsAByeIsForgotten(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
		in := r.soon(r.bob, "UPDATE")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		in.Reply(481, nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
		if rec := r.record(); rec.HungUpBy != "callee" {
			t.Errorf("hung up by %s", rec.HungUpBy)
		}
	})
}

func TestARefreshThatMeetsAReInviteIsRepeated(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Session-Expires: 600;refresher=uac"})
		ours := r.soon(r.bob, "INVITE")
		r.say(r.bob, call.bob, "INVITE", func(m *message.Message) { withSDP(m) })
		r.wait(r.bob, "491")
		ours.Reply(491, nil)
		again := r.wait(r.bob, "INVITE")
		again.Reply(200, func(m *message.Message) {
			withSDP(m)
			lines(m, []string{"Session-Expires: 600;refresher=uac"})
		})
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
	})
}

// slowReInvite is a re-INVITE of alice's that bob takes ten seconds to answer, over
// the moment of his refresh.
func (call *conversation) slowReInvite() {
	r := call.rig
	r.Helper()
	time.Sleep(295 * time.Second)
	r.say(r.alice, call.alice, "INVITE", func(m *message.Message) { withSDP(m) })
	in := r.wait(r.bob, "INVITE")
	time.Sleep(10 * time.Second)
	in.Reply(200, func(m *message.Message) {
		withSDP(m)
		lines(m, []string{"Session-Expires: 600;refresher=uac"})
	})
	r.wait(r.alice, "200")
	r.ack(call.alice, call.alice.LocalSeq, "")
	r.wait(r.bob, "ACK")
}

func TestARefreshByReInviteWaitsForTheOneThatCrosses(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Session-Expires: 600;refresher=uac"})
		call.slowReInvite()
		in := r.wait(r.bob, "INVITE")
		if !strings.Contains(string(in.Body), "192.0.2.2") {
			t.Error("it does not carry what crossed last")
		}
		in.Reply(200, withSDP)
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
	})
}

func TestARefreshByUpdateWaitsForNothing(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 600;refresher=uac"})
		call.slowReInvite()
		in, err := r.bob.Next(0, "UPDATE")
		r.check(err)
		in.Reply(200, nil)
		call.hangUpByAlice()
	})
}

// Two hours of ninety seconds: a hundred and sixty refreshes of each leg, while
// something happens to every fifth packet.
func TestALongCallOfShortTimersOutlivesABadNetwork(t *testing.T) {
	for name, befalls := range map[string]func(*rig, simnet.Packet) bool{
		"lost": func(*rig, simnet.Packet) bool { return false },
		"doubled": func(r *rig, p simnet.Packet) bool {
			go r.network.Inject(p, 200*time.Millisecond)
			return true
		},
		"late": func(r *rig, p simnet.Packet) bool {
			go r.network.Inject(p, 700*time.Millisecond)
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, routed(trunk.Timer{Expires: 90 * time.Second}), func(r *rig) { r.twoHours(befalls) })
		})
	}
}

func (r *rig) twoHours(befalls func(*rig, simnet.Packet) bool) {
	r.Helper()
	ours := []string{"Session-Expires: 90;refresher=uac"}
	call := r.timedCall([]string{"Supported: timer", "Allow: UPDATE", ours[0]}, []string{"Allow: UPDATE", ours[0]})
	packets := 0
	var updates atomic.Int64
	r.network.OnPath(func(p simnet.Packet) bool {
		packets++
		return packets%5 != 0 || befalls(r, p)
	})
	r.bob.Hear(func(in *simnet.Incoming) {
		switch in.Name() {
		case "UPDATE":
			updates.Add(1)
			in.Reply(200, func(m *message.Message) { lines(m, ours) })
		case "BYE":
			in.Reply(200, nil)
		}
	})
	for range 160 {
		time.Sleep(40 * time.Second)
		r.say(r.alice, call.alice, "UPDATE", func(m *message.Message) { lines(m, append(ours, "Supported: timer")) })
		r.wait(r.alice, "200 UPDATE")
		time.Sleep(5 * time.Second)
	}
	r.say(r.alice, call.alice, "BYE", nil)
	r.wait(r.alice, "200 BYE")
	if rec := r.record(); rec.HungUpBy != "caller" || rec.Duration < 7200 || updates.Load() < 155 {
		r.Errorf("hung up by %s after %.0f s and %d refreshes", rec.HungUpBy, rec.Duration, updates.Load())
	}
}
