package b2bua

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// out builds a request of an agent's outside any dialog.
func out(a *simnet.Agent, method string, edit func(*message.Message)) *message.Message {
	m := a.Invite("sip:bob@"+sbc, "")
	m.Method = method
	m.Set("CSeq", "1 "+method)
	if !refreshesTarget(method) && method != "REGISTER" {
		m.Del("Contact")
	}
	if edit != nil {
		edit(m)
	}
	return m
}

// ask sends a request outside any dialog.
func (r *rig) ask(a *simnet.Agent, method string, edit func(*message.Message)) *message.Message {
	r.Helper()
	req := out(a, method, edit)
	_, err := a.Send(req, sbc)
	r.check(err)
	return req
}

func decideOutside(d Decision) *fixed {
	return &fixed{outside: func(context.Context, View) Decided { return Decided{Decision: d} }}
}

func relayTo(hosts ...string) *fixed { return decideOutside(routeTo(hosts...).Decision) }

func TestRequestsOutsideDialogsHaveDefaults(t *testing.T) {
	for method, want := range map[string]int{
		"OPTIONS": 200, "MESSAGE": 405, "PUBLISH": 405, "SUBSCRIBE": 405, "REGISTER": 405, "SERVICE": 405, "REFER": 405,
		"BYE": 481, "CANCEL": 481, "PRACK": 481, "UPDATE": 481, "INFO": 481, "NOTIFY": 481, "BENOTIFY": 481, "FROBNICATE": 501,
	} {
		play(t, &fixed{}, func(r *rig) {
			r.ask(r.alice, method, nil)
			res := r.wait(r.alice, fmt.Sprint(want, " ", method))
			if allow := res.Get("Allow"); (want == 200 || want == 405 || want == 501) && !strings.Contains(allow, "INVITE") {
				t.Errorf("%s: Allow is %q", method, allow)
			}
			if res.ToTag() == "" {
				t.Errorf("%s: no To tag", method)
			}
		})
	}
}

func TestOptionsAreRefusedWhileDraining(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.server.Drain(context.Background())
		r.ask(r.alice, "OPTIONS", nil)
		if res := r.wait(r.alice, "503 OPTIONS"); res.RetryAfter() == 0 {
			t.Error("no Retry-After")
		}
	})
}

func TestAHookIsAskedAboutEveryMethodThatCanStandAlone(t *testing.T) {
	for _, method := range []string{"OPTIONS", "MESSAGE", "PUBLISH", "SUBSCRIBE", "REGISTER", "SERVICE", "REFER", "INFO", "NOTIFY", "BENOTIFY", "FROBNICATE"} {
		p := decideOutside(Reply{Code: 202, Reason: "Fine", Headers: []message.Header{{Name: "X-Here", Value: "1"}}, Body: []byte("yes")})
		play(t, p, func(r *rig) {
			r.ask(r.alice, method, nil)
			res := r.wait(r.alice, "202 "+method)
			if res.Reason != "Fine" || res.Get("X-Here") != "1" || string(res.Body) != "yes" {
				t.Errorf("%s: %s", method, res)
			}
		})
	}
}

func TestAHookSeesTheRequestAndItsSource(t *testing.T) {
	var seen View
	p := &fixed{outside: func(_ context.Context, v View) Decided {
		seen = v
		return Decided{Decision: Reject{Code: 480, Reason: "Not now"}}
	}}
	play(t, p, func(r *rig) {
		r.ask(r.alice, "MESSAGE", func(m *message.Message) { m.Body = []byte("hello") })
		r.wait(r.alice, "480 MESSAGE")
		if seen.Request.Method != "MESSAGE" || string(seen.Request.Body) != "hello" || seen.Source.Trunk != "phones" || seen.A.Remote != "192.0.2.1:5060" {
			t.Errorf("%+v", seen)
		}
	})
}

func TestADecisionThatMeansNothingHereIs500(t *testing.T) {
	for _, d := range []Decision{Suppress{}, Accept{}, Pass{}, Failed{fmt.Errorf("main.lua:1")}} {
		play(t, decideOutside(d), func(r *rig) {
			r.ask(r.alice, "MESSAGE", nil)
			r.wait(r.alice, "500 MESSAGE")
		})
	}
}

func TestAHookMayWait(t *testing.T) {
	p := &fixed{outside: func(ctx context.Context, _ View) Decided {
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
		}
		return Decided{Decision: Reply{Code: 200}}
	}}
	play(t, p, func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "100 MESSAGE") // RFC 4320 section 4.1
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestAHookIsAbandonedWhenTheServerCloses(t *testing.T) {
	abandoned := make(chan struct{})
	p := &fixed{outside: func(ctx context.Context, _ View) Decided {
		<-ctx.Done()
		close(abandoned)
		return Decided{}
	}}
	play(t, p, func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		time.Sleep(time.Second)
		r.server.Close()
		<-abandoned
	})
}

func TestARequestIsRelayedAsAPairOfTransactions(t *testing.T) {
	for _, method := range []string{"MESSAGE", "PUBLISH", "SERVICE", "BENOTIFY", "OPTIONS", "REFER", "NOTIFY", "FROBNICATE"} {
		play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
			req := r.ask(r.alice, method, func(m *message.Message) {
				m.Set("Content-Type", "text/plain")
				m.Set("Event", "presence")
				m.Set("Expires", "60")
				m.Set("SIP-If-Match", "e1")
				m.Set("X-Private", "1")
				m.Set("Max-Forwards", "17")
				m.Body = []byte("hello")
			})
			in := r.wait(r.bob, method)
			if in.URI != "sip:bob@192.0.2.2:5060" || in.Get("Max-Forwards") != "16" || string(in.Body) != "hello" {
				t.Errorf("%s", in.Message)
			}
			if in.CallID() == req.CallID() || in.FromTag() == req.FromTag() || in.ToTag() != "" || len(in.List("Via")) != 1 {
				t.Errorf("%s is not our own: %s", method, in.Message)
			}
			if _, has := in.Lookup("Contact"); has != refreshesTarget(method) || strings.Contains(in.Get("Contact"), "192.0.2.1:") {
				t.Errorf("%s: Contact %q", method, in.Get("Contact"))
			}
			if in.Get("Event") != "presence" || in.Get("Expires") != "60" || in.Get("SIP-If-Match") != "e1" || in.Get("X-Private") != "" {
				t.Errorf("%s", in.Message)
			}
			in.Reply(200, func(m *message.Message) {
				m.Set("SIP-ETag", "e2")
				m.Set("Expires", "30")
				m.Set("Content-Type", "text/plain")
				m.Body = []byte("thanks")
				m.Del("Contact")
			})
			res := r.wait(r.alice, "200 "+method)
			if res.Get("SIP-ETag") != "e2" || res.Get("Expires") != "30" || string(res.Body) != "thanks" || res.ToTag() == "" || res.CallID() != req.CallID() {
				t.Errorf("%s", res.Message)
			}
		})
	}
}

func TestWhatARequestIsAboutCrossesEvenWithPresetNone(t *testing.T) {
	route := routeTo("192.0.2.2:5060").Decision.(Route)
	route.Headers.Preset = trunk.None
	play(t, decideOutside(route), func(r *rig) {
		r.ask(r.alice, "PUBLISH", func(m *message.Message) { m.Set("Event", "presence"); m.Set("Subject", "x") })
		in := r.wait(r.bob, "PUBLISH")
		if in.Get("Event") != "presence" || in.Get("Subject") != "" {
			t.Errorf("%s", in.Message)
		}
		in.Reply(412, nil)
		r.wait(r.alice, "412 PUBLISH")
	})
}

func TestTheRoutesHeadersAndCallIDHold(t *testing.T) {
	route := routeTo("192.0.2.2:5060").Decision.(Route)
	route.KeepCallID = true
	route.Headers = trunk.Headers{Pass: []string{"X-A"}, Drop: []string{"Subject"}, Set: []message.Header{{Name: "X-B", Value: "2"}}}
	route.Targets[0].Headers = []message.Header{{Name: "X-C", Value: "3"}}
	play(t, decideOutside(route), func(r *rig) {
		req := r.ask(r.alice, "MESSAGE", func(m *message.Message) { m.Set("X-A", "1"); m.Set("Subject", "x") })
		in := r.wait(r.bob, "MESSAGE")
		if in.Get("X-A") != "1" || in.Get("X-B") != "2" || in.Get("X-C") != "3" || in.Get("Subject") != "" || in.CallID() != req.CallID() {
			t.Errorf("%s", in.Message)
		}
		in.Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestFailuresCrossWithTheirWords(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "PUBLISH", nil)
		r.wait(r.bob, "PUBLISH").Reply(423, func(m *message.Message) { m.Reason = "Too Short"; m.Set("Min-Expires", "90") })
		if res := r.wait(r.alice, "423 PUBLISH"); res.Reason != "Too Short" || res.Get("Min-Expires") != "90" {
			t.Errorf("%s", res)
		}
	})
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(405, func(m *message.Message) { m.Set("Allow", "INVITE, ACK") })
		if res := r.wait(r.alice, "405 MESSAGE"); res.Get("Allow") != "INVITE, ACK" {
			t.Errorf("%s", res)
		}
	})
}

func TestTheNextTargetIsTriedAsTheRouteSays(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060", "192.0.2.3:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(503, nil)
		r.wait(r.carol, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
	play(t, relayTo("192.0.2.2:5060", "192.0.2.3:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(404, nil)
		r.wait(r.alice, "404 MESSAGE")
		r.never(r.carol, "MESSAGE")
	})
	play(t, relayTo("192.0.2.9:5060", "192.0.2.3:5060"), func(r *rig) { // nobody is there
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.carol, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
	play(t, relayTo("nowhere.example", "192.0.2.3:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.carol, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestASilentTargetIsLeftAfterTryAndItsLateAnswerStillCounts(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060", "192.0.2.3:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		in := r.wait(r.bob, "MESSAGE")
		start := time.Now()
		r.wait(r.carol, "MESSAGE")
		if waited := time.Since(start); waited != defaultTry {
			t.Errorf("waited %v", waited)
		}
		in.Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestSilenceOfAllTargetsIsSilence(t *testing.T) { // RFC 4320 section 4.2: no 408
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "100 MESSAGE")
		if in := r.wait(r.alice, "408", "408 MESSAGE"); in.Method != "" {
			t.Errorf("%s, want the caller's own timeout", in.Name())
		}
		r.wait(r.bob, "MESSAGE")
	})
}

func TestTheLastThatSpokeIsHeardWhenTheOthersAreSilent(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060", "192.0.2.3:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(500, nil)
		r.wait(r.carol, "MESSAGE")
		r.wait(r.alice, "500 MESSAGE")
	})
}

func TestATargetThatCannotBeReachedIs503(t *testing.T) {
	for _, host := range []string{"192.0.2.9:5060", "nowhere.example"} {
		play(t, relayTo(host), func(r *rig) {
			r.ask(r.alice, "MESSAGE", nil)
			r.wait(r.alice, "503 MESSAGE")
		})
	}
	play(t, decideOutside(Route{Targets: []Target{{Trunk: "nobody"}}}), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "404 MESSAGE")
	})
}

func TestARedirectedRequestFollows(t *testing.T) {
	move := func(m *message.Message) {
		m.Del("Contact")
		m.Add("Contact", "<sip:bob@192.0.2.2:5060>;q=0.9, <sip:bob@192.0.2.3:5060>;q=0.5")
	}
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) { // itself again is not followed
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(302, move)
		r.wait(r.carol, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
	route := routeTo("192.0.2.2:5060").Decision.(Route)
	route.Redirects = PassRedirects
	play(t, decideOutside(route), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(302, move)
		if res := r.wait(r.alice, "302 MESSAGE"); len(res.List("Contact")) != 2 {
			t.Errorf("%s", res)
		}
	})
}

func TestOurOwnRequestThatComesBackIsALoop(t *testing.T) {
	play(t, relayTo(sbc), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "482 MESSAGE")
	})
}

func TestARequestThatMayGoNoFurtherIs483(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "MESSAGE", func(m *message.Message) { m.Set("Max-Forwards", "0") })
		r.wait(r.alice, "483 MESSAGE")
	})
}

func TestAFloodOfRequestsIsBounded(t *testing.T) {
	play(t, decideOutside(Reply{Code: 200}), func(r *rig) {
		settings := *r.server.settings()
		settings.Limits.PerSourceCPS = 5
		r.check(r.server.Apply(settings))
		for range 20 {
			r.ask(r.alice, "MESSAGE", nil)
		}
		codes := map[int]int{}
		for range 20 {
			codes[r.wait(r.alice, "200 MESSAGE", "503 MESSAGE").Status]++
		}
		if codes[200] != 5 || codes[503] != 15 {
			t.Errorf("%v", codes)
		}
		r.server.waiting.Add(maxWaiting)
		time.Sleep(time.Second)
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "503 MESSAGE")
		r.server.waiting.Add(-maxWaiting)
	})
}

func TestAPairSurvivesABadNetwork(t *testing.T) {
	for seed := range uint64(20) {
		faults := simnet.Faults{Seed: seed, Lose: 0.2, Double: 0.2, Reorder: 0.2, Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}
		playOn(t, faults, relayTo("192.0.2.2:5060"), func(r *rig) {
			r.ask(r.alice, "MESSAGE", nil)
			r.wait(r.bob, "MESSAGE").Reply(200, nil)
			r.wait(r.alice, "200 MESSAGE")
			r.never(r.bob, "MESSAGE")
		})
	}
}

func TestOptionsTellTheTruth(t *testing.T) {
	for _, enabled := range []bool{false, true} {
		play(t, &fixed{}, func(r *rig) {
			if enabled {
				r.withRegistrar(nil)
			}
			r.ask(r.alice, "OPTIONS", nil)
			res := r.wait(r.alice, "200 OPTIONS")
			if res.HasToken("Allow", "REGISTER") != enabled || res.HasToken("Supported", "path") != enabled || !res.HasToken("Accept", "application/sdp") {
				t.Errorf("%s", res)
			}
		})
	}
}

func TestPartOfAnOptionTagIsNone(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.ask(r.alice, "OPTIONS", func(m *message.Message) { m.Set("Require", "er, timer") })
		if res := r.wait(r.alice, "420 OPTIONS"); res.Get("Unsupported") != "er" {
			t.Errorf("%s", res)
		}
	})
}

func TestAFaultBehindAQuestionIs500AndNoMore(t *testing.T) {
	broken := func(context.Context, View) Decided { panic("no such thing") }
	play(t, &fixed{invite: broken, outside: broken}, func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "500 MESSAGE")
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
		r.check(err)
		r.wait(r.alice, "500")
		if n := r.server.faults.Swap(0); n != 2 {
			t.Errorf("%d faults", n)
		}
	})
}
