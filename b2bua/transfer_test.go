package b2bua

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// byUser routes to whom the Request-URI names and obeys REFER here.
func byUser(_ context.Context, v View) Decided {
	u, _ := message.ParseURI(v.Request.URI)
	hosts := map[string]string{"alice": "192.0.2.1:5060", "bob": "192.0.2.2:5060", "carol": "192.0.2.3:5060"}
	host := hosts[u.User]
	if host == "" {
		return Decided{Decision: Reject{Code: 404}}
	}
	return Decided{Decision: Route{Targets: []Target{{URI: "sip:" + u.User + "@" + host}}, Refer: LocalRefer}}
}

// sdpAt is an SDP of its own for a host.
func sdpAt(host string) string {
	return strings.ReplaceAll(strings.ReplaceAll(sdpOffer, "192.0.2.1", host), "o=- 1 1", "o=- 7"+host[len(host)-1:]+" 5")
}

func answerAt(host string) func(*message.Message) {
	return func(m *message.Message) { putSDP(m, []byte(sdpAt(host))) }
}

// refer asks for a transfer.
func (r *rig) refer(a *simnet.Agent, d *dialog.Dialog, to string, edit func(*message.Message)) *message.Message {
	r.Helper()
	return r.say(a, d, "REFER", func(m *message.Message) {
		m.Set("Refer-To", to)
		if edit != nil {
			edit(m)
		}
	})
}

// notified takes NOTIFYs until one tells a code.
func (r *rig) notified(a *simnet.Agent, code string) *message.Message {
	r.Helper()
	for {
		in := r.wait(a, "NOTIFY")
		in.Reply(200, nil)
		if strings.HasPrefix(string(in.Body), "SIP/2.0 "+code+" ") {
			return in.Message
		}
	}
}

// takesOver plays what follows the 2xx of somebody fresh: the survivor is
// re-INVITEd. It returns that re-INVITE.
func (r *rig) takesOver(survivor *simnet.Agent, host string) *message.Message {
	r.Helper()
	in := r.wait(survivor, "INVITE")
	in.Reply(200, answerAt(host))
	r.wait(survivor, "ACK")
	return in.Message
}

// origin is the o= line of an SDP.
func origin(m *message.Message) string {
	_, rest, _ := strings.Cut(string(m.Body), "o=")
	line, _, _ := strings.Cut(rest, "\r\n")
	return line
}

func TestBlindTransferIsDoneHere(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", func(m *message.Message) { m.Set("Referred-By", "<sip:bob@b.example>") })
		r.wait(r.bob, "202 REFER")
		first := r.wait(r.bob, "NOTIFY")
		first.Reply(200, nil)
		if string(first.Body) != "SIP/2.0 100 Trying\r\n" || first.Get("Event") != "refer" ||
			!strings.HasPrefix(first.Get("Subscription-State"), "active;expires=") || first.Get("Contact") == "" {
			r.Errorf("first NOTIFY: %s", first)
		}
		in := r.wait(r.carol, "INVITE")
		if in.Get("Referred-By") != "<sip:bob@b.example>" || message.URIOf(in.Get("From")) != "sip:alice@192.0.2.1:5060" || string(in.Body) != sdpOffer {
			r.Errorf("INVITE to the target: %s", in)
		}
		in.Reply(180, nil)
		r.notified(r.bob, "180")
		sent := in.Reply(200, answerAt("192.0.2.3"))
		r.wait(r.carol, "ACK")
		again := r.takesOver(r.alice, "192.0.2.1")
		if !strings.Contains(string(again.Body), "c=IN IP4 192.0.2.3") || origin(again) != "- 1 2 IN IP4 192.0.2.2" {
			r.Errorf("the survivor was offered %s", again.Body)
		}
		last := r.notified(r.bob, "200")
		if last.Get("Subscription-State") != "terminated;reason=noresource" {
			r.Errorf("last NOTIFY: %s", last)
		}
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		carol := r.carol.Dialog(in.Message, sent, true)
		r.say(r.alice, call.alice, "INFO", nil)
		r.wait(r.carol, "INFO").Reply(200, nil)
		r.wait(r.alice, "200 INFO")
		r.say(r.carol, carol, "BYE", nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
		rec := r.record()
		if rec.Target != "sip:carol@192.0.2.3:5060" || len(rec.Attempts) != 2 || rec.HungUpBy != "callee" || len(rec.Notes) == 0 {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestTheCallerTransfersItsCallee(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.alice, call.alice, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.alice, "202 REFER")
		in := r.wait(r.carol, "INVITE")
		if message.URIOf(in.Get("Referred-By")) != "sip:alice@192.0.2.1:5060" || !strings.Contains(string(in.Body), "c=IN IP4 192.0.2.2") {
			r.Errorf("INVITE to the target: %s", in)
		}
		sent := in.Reply(200, answerAt("192.0.2.3"))
		carol := r.carol.Dialog(in.Message, sent, true)
		r.takesOver(r.bob, "192.0.2.2")
		r.notified(r.alice, "200")
		bye := r.wait(r.alice, "BYE") // since alice does not hang up
		bye.Reply(200, nil)
		r.say(r.bob, call.bob, "INVITE", answerAt("192.0.2.78"))
		again := r.wait(r.carol, "INVITE")
		again.Reply(200, answerAt("192.0.2.3"))
		ok := r.wait(r.bob, "200")
		if origin(again.Message) != "- 1 2 IN IP4 192.0.2.2" || origin(ok.Message) != "- 1 2 IN IP4 192.0.2.1" {
			r.Errorf("carol was offered %s, bob was answered %s", again.Body, ok.Body)
		}
		_, err := r.bob.SendACK(r.bob.In(call.bob, "ACK", call.bob.LocalSeq), sbc)
		r.check(err)
		r.wait(r.carol, "ACK")
		r.say(r.carol, carol, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		if rec := r.record(); rec.Target != "sip:carol@192.0.2.3:5060" || rec.HungUpBy != "caller" {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestABusyTargetLeavesTheCallAsItWas(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.carol, "INVITE").Reply(486, nil)
		last := r.notified(r.bob, "486")
		if !strings.HasPrefix(last.Get("Subscription-State"), "terminated") {
			r.Errorf("last NOTIFY: %s", last)
		}
		r.say(r.bob, call.bob, "INFO", nil)
		r.wait(r.alice, "INFO").Reply(200, nil)
		r.refer(r.bob, call.bob, "<sip:nobody@192.0.2.10>", nil)
		last = r.notified(r.bob, "404")
		if last.Get("Event") == "refer" {
			r.Error("the second subscription has no id")
		}
		call.hangUpByAlice()
		if rec := r.record(); rec.Target != "sip:bob@192.0.2.2:5060" || len(rec.Attempts) != 2 || rec.Attempts[1].Code != 486 {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestASilentTargetIsGivenUp(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.carol, "INVITE")
		r.notified(r.bob, "503")
		call.hangUpByAlice()
	})
}

func TestAReferrerThatHangsUpAtOnceLeavesTheSurvivorWaiting(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "202 REFER")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.wait(r.bob, "NOTIFY").Reply(481, nil)
		in := r.wait(r.carol, "INVITE")
		in.Reply(180, nil)
		r.say(r.alice, call.alice, "INVITE", func(m *message.Message) { withSDP(m) })
		r.wait(r.alice, "491")
		r.say(r.alice, call.alice, "INFO", nil)
		r.wait(r.alice, "480 INFO")
		sent := in.Reply(200, answerAt("192.0.2.3"))
		r.takesOver(r.alice, "192.0.2.1")
		r.say(r.carol, r.carol.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
		if _, err := r.bob.Next(time.Minute, "BYE", "NOTIFY"); err == nil {
			r.Error("the referrer was told once more")
		}
	})
}

func TestASurvivorWithoutReferrerIsHungUpWhenTheTargetFails(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "202 REFER")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.wait(r.carol, "INVITE").Reply(486, nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.notified(r.bob, "486")
		if rec := r.record(); rec.HungUpBy != "callee" {
			r.Errorf("record %+v", rec)
		}
	})
}

func TestASurvivorThatHangsUpEndsTheTransfer(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		in.Reply(180, nil)
		r.notified(r.bob, "180")
		r.say(r.alice, call.alice, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.carol, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.notified(r.bob, "487")
	})
}

func TestATargetThatAnswersWhileTheSurvivorHangsUpIsHungUp(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		r.say(r.alice, call.alice, "BYE", nil)
		in.Reply(200, answerAt("192.0.2.3"))
		r.wait(r.alice, "200 BYE")
		r.wait(r.carol, "ACK")
		r.wait(r.carol, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestATargetThatHangsUpBeforeItIsPairedFailsTheTransfer(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		sent := in.Reply(200, answerAt("192.0.2.3"))
		again := r.wait(r.alice, "INVITE")
		r.say(r.carol, r.carol.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.carol, "200 BYE")
		again.Reply(200, answerAt("192.0.2.1"))
		r.notified(r.bob, "480")
		back := r.takesOver(r.alice, "192.0.2.1") // her stream goes back to bob
		if !strings.Contains(string(back.Body), "c=IN IP4 192.0.2.2") {
			r.Errorf("offered %s", back.Body)
		}
		call.hangUpByAlice()
	})
}

func TestASurvivorThatRefusesTheNewSessionStaysWithTheReferrer(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.carol, "INVITE").Reply(200, answerAt("192.0.2.3"))
		r.wait(r.alice, "INVITE").Reply(488, nil)
		r.wait(r.carol, "BYE").Reply(200, nil)
		r.notified(r.bob, "488")
		call.hangUpByAlice()
	})
}

func TestASurvivorThatMovesIsToldToTheTarget(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		in.Reply(200, answerAt("192.0.2.3"))
		r.takesOver(r.alice, "192.0.2.77")
		again := r.wait(r.carol, "INVITE")
		again.Reply(200, answerAt("192.0.2.3"))
		if !strings.Contains(string(again.Body), "c=IN IP4 192.0.2.77") || !strings.HasPrefix(origin(again.Message), "- 1 2 ") {
			r.Errorf("the target was offered %s", again.Body)
		}
		r.notified(r.bob, "200")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.say(r.alice, call.alice, "BYE", nil)
		r.wait(r.carol, "BYE").Reply(200, nil)
	})
}

func TestAHeldSurvivorIsOfferedAwake(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		hold := func(direction string) func(*message.Message) {
			return func(m *message.Message) { putSDP(m, []byte(sdpOffer+"a="+direction+"\r\n")) }
		}
		r.say(r.bob, call.bob, "INVITE", hold("sendonly"))
		r.wait(r.alice, "INVITE").Reply(200, hold("recvonly"))
		r.wait(r.bob, "200")
		_, err := r.bob.SendACK(r.bob.In(call.bob, "ACK", call.bob.LocalSeq), sbc)
		r.check(err)
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		in := r.wait(r.carol, "INVITE")
		if !strings.Contains(string(in.Body), "a=sendrecv") {
			r.Errorf("offered %s", in.Body)
		}
		in.Reply(486, nil)
		r.notified(r.bob, "486")
		call.hangUpByAlice()
	})
}

func TestReferSubFalseIsNotNotified(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", func(m *message.Message) { m.Set("Refer-Sub", "false") })
		if res := r.wait(r.bob, "202 REFER"); res.Get("Refer-Sub") != "false" {
			r.Errorf("accepted with %s", res)
		}
		r.wait(r.carol, "INVITE").Reply(486, nil)
		r.never(r.bob, "NOTIFY")
		call.hangUpByAlice()
	})
}

func TestAReferThatCantBeObeyedIsRefused(t *testing.T) {
	for to, code := range map[string]string{
		"carol": "400", "<sip:carol@192.0.2.10>, <sip:x@192.0.2.10>": "400", "<sip:carol@192.0.2.10;method=BYE>": "501",
		"<sip:carol@192.0.2.10?Replaces=nonsense>": "400",
	} {
		play(t, &fixed{invite: byUser}, func(r *rig) {
			call := r.answered()
			r.refer(r.bob, call.bob, to, nil)
			r.wait(r.bob, code+" REFER")
			call.hangUpByAlice()
		})
	}
}

func TestASecondReferMeanwhileGets491(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "202 REFER")
		in := r.wait(r.carol, "INVITE")
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "491 REFER")
		r.refer(r.alice, call.alice, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.alice, "491 REFER")
		in.Reply(486, nil)
		r.notified(r.bob, "486")
		call.hangUpByAlice()
	})
}

func TestTheScriptDecidesAboutARefer(t *testing.T) {
	decision := Decided{}
	hook := func(_ context.Context, _ View, l Leg, req *message.Message) Decided {
		time.Sleep(time.Second) // it may wait
		if l.Role != RoleB || req.Get("Refer-To") == "" {
			decision = Decided{Decision: Reject{Code: 500}}
		}
		return decision
	}
	play(t, &fixed{invite: byUser, refer: hook}, func(r *rig) {
		call := r.answered()
		decision = Decided{Decision: Reject{Code: 403, Reason: "Not You"}}
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		if res := r.wait(r.bob, "403 REFER"); res.Reason != "Not You" {
			r.Errorf("refused with %s", res)
		}
		decision = Decided{Decision: Pass{}}
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.alice, "REFER").Reply(603, nil)
		r.wait(r.bob, "603 REFER")
		decision = Decided{Decision: Transfer{Targets: []Target{{URI: "sip:other@192.0.2.3:5060"}}}}
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "202 REFER")
		in := r.wait(r.carol, "INVITE")
		if in.URI != "sip:other@192.0.2.3:5060" {
			r.Errorf("sent to %s", in.URI)
		}
		in.Reply(486, nil)
		r.notified(r.bob, "486")
		call.hangUpByAlice()
	})
}

func TestARefusedReferGets603(t *testing.T) {
	reject := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@192.0.2.2:5060"}}, Refer: RejectRefer}}
	}
	play(t, &fixed{invite: reject}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "603 REFER")
		call.hangUpByAlice()
	})
}

func TestAPassedReferCrossesWithItsNotifies(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.answered()
		call.bob.LocalSeq += 40
		req := r.refer(r.bob, call.bob, "<sip:carol@192.0.2.3>", func(m *message.Message) {
			m.Set("Referred-By", "<sip:bob@b.example>")
			m.Set("Refer-Sub", "true")
		})
		in := r.wait(r.alice, "REFER")
		if in.Get("Refer-To") != "<sip:carol@192.0.2.3>" || in.Get("Referred-By") != "<sip:bob@b.example>" || in.Get("Refer-Sub") != "true" {
			r.Errorf("crossed: %s", in)
		}
		in.Reply(202, nil)
		r.wait(r.bob, "202 REFER")
		far, _, _ := in.CSeq()
		near, _, _ := req.CSeq()
		if far == near {
			r.Fatal("the CSeqs are the same by chance: nothing is seen")
		}
		r.say(r.alice, call.alice, "NOTIFY", func(m *message.Message) {
			m.Set("Event", "refer;id="+strings.TrimSuffix(in.Get("CSeq"), " REFER"))
			m.Set("Subscription-State", "active;expires=60")
			m.Set("Content-Type", "message/sipfrag")
			m.Body = []byte("SIP/2.0 100 Trying\r\n")
		})
		n := r.wait(r.bob, "NOTIFY")
		if want := "refer;id=" + strings.TrimSuffix(req.Get("CSeq"), " REFER"); n.Get("Event") != want || string(n.Body) != "SIP/2.0 100 Trying\r\n" {
			r.Errorf("NOTIFY crossed: %s, want Event %s", n, want)
		}
		n.Reply(200, nil)
		r.wait(r.alice, "200 NOTIFY")
		call.hangUpByAlice()
	})
}

// seen keeps which legs the observers were told of.
type seen struct {
	mu    sync.Mutex
	calls map[string]bool
	legs  map[int]string
}

func (s *seen) Observe(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[e.Call] = true
	if e.Kind == EventSent && e.Message.Method == "INVITE" && e.Message.IsRequest() {
		s.legs[e.Leg.Index] = e.Message.URI
	}
}

func TestALadderShowsATransferAsLegsOfItsCall(t *testing.T) {
	s := &seen{calls: map[string]bool{}, legs: map[int]string{}}
	play(t, &fixed{invite: byUser}, func(r *rig) {
		r.server.cfg.Observers = append(r.server.cfg.Observers, s)
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:nobody@192.0.2.10>", nil)
		r.notified(r.bob, "404")
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.carol, "INVITE").Reply(200, answerAt("192.0.2.3"))
		r.takesOver(r.alice, "192.0.2.1")
		r.notified(r.bob, "200")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.alice, call.alice, r.carol)
	})
	if len(s.calls) != 1 || s.legs[0] != "sip:192.0.2.1:5060" || s.legs[1] != "sip:bob@192.0.2.2:5060" || s.legs[2] != "sip:carol@192.0.2.3:5060" {
		t.Errorf("%d calls, INVITEs %v", len(s.calls), s.legs)
	}
}
