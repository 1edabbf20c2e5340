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

// watching is alice's subscription at bob, seen from both.
type watching struct {
	*rig
	req      *message.Message // alice's
	atBob    *simnet.Incoming
	watcher  *dialog.Dialog
	notifier *dialog.Dialog
	sent     *message.Message // bob's answer
}

func subscribe(m *message.Message) {
	m.Set("Event", "presence")
	m.Set("Expires", "600")
	m.Set("Accept", "application/pidf+xml")
}

// watches plays a SUBSCRIBE up to its 2xx.
func (r *rig) watches(expires string) *watching {
	r.Helper()
	w := &watching{rig: r, req: r.ask(r.alice, "SUBSCRIBE", subscribe)}
	w.atBob = r.wait(r.bob, "SUBSCRIBE")
	w.sent = w.atBob.Reply(200, func(m *message.Message) { m.Set("Expires", expires) })
	ok := r.wait(r.alice, "200 SUBSCRIBE")
	w.watcher = r.alice.Dialog(w.req, ok.Message, false)
	w.notifier = r.bob.Dialog(w.atBob.Message, w.sent, true)
	return w
}

// notifies sends a NOTIFY of bob's and gives it as alice gets it.
func (w *watching) notifies(state string) *simnet.Incoming {
	w.Helper()
	w.say(w.bob, w.notifier, "NOTIFY", func(m *message.Message) {
		m.Set("Event", "presence")
		m.Set("Subscription-State", state)
		m.Set("Content-Type", "application/pidf+xml")
		m.Body = []byte("<open/>")
	})
	return w.wait(w.alice, "NOTIFY")
}

// ends finishes a subscription as the notifier does.
func (w *watching) ends() {
	w.Helper()
	w.notifies("terminated;reason=timeout").Reply(200, nil)
	w.wait(w.bob, "200 NOTIFY")
}

func TestASubscriptionIsAPairOfDialogs(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		in := w.atBob
		if in.Get("Event") != "presence" || in.Get("Expires") != "600" || in.Get("Accept") == "" || in.CallID() == w.req.CallID() ||
			in.FromTag() == w.req.FromTag() || strings.Contains(in.Get("Contact"), "192.0.2.1:") {
			t.Errorf("%s", in.Message)
		}
		if w.watcher.Target != "sip:"+sbc || w.watcher.Remote == w.notifier.Local {
			t.Errorf("the watcher's dialog is %+v", w.watcher)
		}
		n := w.notifies("active;expires=600")
		if n.CallID() != w.req.CallID() || n.ToTag() != w.watcher.Local || n.FromTag() != w.watcher.Remote || string(n.Body) != "<open/>" ||
			n.Get("Event") != "presence" || n.Get("Subscription-State") != "active;expires=600" {
			t.Errorf("%s", n.Message)
		}
		n.Reply(200, nil)
		w.wait(r.bob, "200 NOTIFY")
		w.ends()
		w.say(r.bob, w.notifier, "NOTIFY", nil)
		w.wait(r.bob, "481 NOTIFY")
	})
}

func TestARefreshAndALeaveCross(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		for _, expires := range []string{"300", "0"} {
			w.say(r.alice, w.watcher, "SUBSCRIBE", func(m *message.Message) { m.Set("Event", "presence"); m.Set("Expires", expires) })
			in := w.wait(r.bob, "SUBSCRIBE")
			if in.Get("Expires") != expires || in.CallID() != w.notifier.CallID || in.FromTag() != w.notifier.Remote || in.ToTag() != w.notifier.Local {
				t.Errorf("%s", in.Message)
			}
			in.Reply(200, func(m *message.Message) { m.Set("Expires", expires) })
			if res := w.wait(r.alice, "200 SUBSCRIBE"); res.Get("Expires") != expires {
				t.Errorf("%s", res)
			}
		}
		w.ends()
	})
}

func TestASubscriptionEndsWithItsTimeUnlessItIsRefreshed(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		time.Sleep(500 * time.Second)
		w.say(r.alice, w.watcher, "SUBSCRIBE", nil)
		w.wait(r.bob, "SUBSCRIBE").Reply(200, func(m *message.Message) { m.Set("Expires", "600") })
		w.wait(r.alice, "200 SUBSCRIBE")
		time.Sleep(500 * time.Second)
		w.notifies("active;expires=900").Reply(200, nil)
		w.wait(r.bob, "200 NOTIFY")
		time.Sleep(850 * time.Second)
		if n := r.server.subscribed.Load(); n != 1 {
			t.Errorf("%d subscriptions before their time", n)
		}
		time.Sleep(100 * time.Second)
		if n := r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d subscriptions after their time", n)
		}
	})
}

func TestANotifyMayComeBeforeThe2xx(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		req := r.ask(r.alice, "SUBSCRIBE", subscribe)
		in := r.wait(r.bob, "SUBSCRIBE")
		early := in.Respond(200, "", "bobs") // not sent yet
		early.Set("Contact", r.bob.Contact())
		d := r.bob.Dialog(in.Message, early, true)
		r.say(r.bob, d, "NOTIFY", func(m *message.Message) { m.Set("Event", "presence"); m.Set("Subscription-State", "pending") })
		n := r.wait(r.alice, "NOTIFY")
		n.Reply(200, nil)
		r.wait(r.bob, "200 NOTIFY")
		in.Reply(202, func(m *message.Message) {
			m.Set("To", early.Get("To"))
			m.Set("Expires", "60")
		})
		ok := r.wait(r.alice, "202 SUBSCRIBE")
		if ok.ToTag() != n.FromTag() || ok.CallID() != n.CallID() {
			t.Errorf("the NOTIFY and the 2xx are of different dialogs: %s %s", n.Message, ok.Message)
		}
		w := &watching{rig: r, req: req, watcher: r.alice.Dialog(req, ok.Message, false), notifier: d}
		w.ends()
	})
}

func TestOfAForkedSubscribeTheFirstDialogStays(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		fork := *w.notifier
		fork.Local = "another"
		r.say(r.bob, &fork, "NOTIFY", nil)
		r.wait(r.bob, "481 NOTIFY")
		w.ends()
	})
}

func TestANotifyOfAStrangerChangesNothing(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		stranger := r.agent("198.51.100.7:5060")
		defer stranger.Close()
		spoofed := *w.notifier
		r.say(stranger, &spoofed, "NOTIFY", func(m *message.Message) { m.Set("Subscription-State", "terminated") })
		r.wait(stranger, "481 NOTIFY")
		w.ends()
	})
}

func TestWhatIsNoSubscriptionRequestIs405(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		r.say(r.alice, w.watcher, "NOTIFY", nil)
		r.wait(r.alice, "405 NOTIFY")
		r.say(r.bob, w.notifier, "SUBSCRIBE", nil)
		r.wait(r.bob, "405 SUBSCRIBE")
		r.say(r.alice, w.watcher, "BYE", nil)
		r.wait(r.alice, "405 BYE")
		w.ends()
	})
}

func TestAFailureThatEndsTheDialogEndsThePair(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		w.say(r.alice, w.watcher, "SUBSCRIBE", nil)
		w.wait(r.bob, "SUBSCRIBE").Reply(500, nil)
		w.wait(r.alice, "500 SUBSCRIBE")
		w.say(r.alice, w.watcher, "SUBSCRIBE", nil)
		w.wait(r.bob, "SUBSCRIBE").Reply(481, nil)
		w.wait(r.alice, "481 SUBSCRIBE")
		if n := r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d subscriptions", n)
		}
	})
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		w.notifies("active").Reply(481, nil)
		w.wait(r.bob, "481 NOTIFY")
		if n := r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d subscriptions", n)
		}
	})
}

func TestASilentWatcherIsUnsubscribed(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		w.notifies("active") // no answer
		bye := w.wait(r.bob, "SUBSCRIBE")
		if bye.Get("Expires") != "0" || bye.Get("Event") != "presence" || bye.ToTag() != w.notifier.Local {
			t.Errorf("%s", bye.Message)
		}
		bye.Reply(200, func(m *message.Message) { m.Set("Expires", "0") })
	})
}

func TestASilentNotifierEndsThePair(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		w.say(r.alice, w.watcher, "SUBSCRIBE", nil)
		w.wait(r.bob, "SUBSCRIBE") // no answer
		time.Sleep(time.Minute)
		if n := r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d subscriptions", n)
		}
	})
}

func TestAtShutdownBothEndsAreTold(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		done := make(chan struct{})
		go func() {
			r.server.Drain(context.Background())
			close(done)
		}()
		n := w.wait(r.alice, "NOTIFY")
		if n.Get("Subscription-State") != "terminated;reason=deactivated" || n.Get("Event") != "presence" {
			t.Errorf("%s", n.Message)
		}
		n.Reply(200, nil)
		bye := w.wait(r.bob, "SUBSCRIBE")
		if bye.Get("Expires") != "0" {
			t.Errorf("%s", bye.Message)
		}
		r.say(r.bob, w.notifier, "NOTIFY", func(m *message.Message) { m.Set("Subscription-State", "terminated") })
		r.wait(r.bob, "200 NOTIFY")
		bye.Reply(200, nil)
		<-done
		if n := r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d subscriptions", n)
		}
	})
}

func TestARefusedSubscribeLeavesNothing(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "SUBSCRIBE", subscribe)
		in := r.wait(r.bob, "SUBSCRIBE")
		in.Reply(489, func(m *message.Message) { m.Set("Allow-Events", "dialog") })
		if res := r.wait(r.alice, "489 SUBSCRIBE"); res.Get("Allow-Events") != "dialog" {
			t.Errorf("%s", res)
		}
		d := r.bob.Dialog(in.Message, in.Respond(200, "", "late"), true)
		r.say(r.bob, d, "NOTIFY", nil)
		r.wait(r.bob, "481 NOTIFY")
	})
}

func TestTheNumberOfSubscriptionsIsBounded(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.server.subscribed.Add(maxSubscriptions)
		r.ask(r.alice, "SUBSCRIBE", subscribe)
		r.wait(r.alice, "503 SUBSCRIBE")
		r.server.subscribed.Add(-maxSubscriptions)
	})
}

func TestASubscriptionFollowsBothRouteSetsAndNewContacts(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		req := r.ask(r.alice, "SUBSCRIBE", func(m *message.Message) {
			subscribe(m)
			m.Set("Record-Route", "<sip:192.0.2.3:5060;lr;a>")
		})
		in := r.wait(r.bob, "SUBSCRIBE")
		if in.Get("Record-Route")+in.Get("Route") != "" {
			t.Errorf("%s", in.Message)
		}
		sent := in.Reply(200, func(m *message.Message) { m.Set("Expires", "60"); m.Set("Record-Route", "<sip:192.0.2.3:5060;lr;b>") })
		ok := r.wait(r.alice, "200 SUBSCRIBE")
		if ok.Get("Record-Route") != "<sip:192.0.2.3:5060;lr;a>" {
			t.Errorf("%s", ok.Message)
		}
		d := r.bob.Dialog(in.Message, sent, true)
		d.Routes = nil
		r.say(r.bob, d, "NOTIFY", func(m *message.Message) { m.Set("Subscription-State", "active") })
		n := r.wait(r.carol, "NOTIFY")
		if n.Get("Route") != "<sip:192.0.2.3:5060;lr;a>" || n.URI != "sip:192.0.2.1:5060" {
			t.Errorf("%s", n.Message)
		}
		n.Reply(200, nil)
		r.wait(r.bob, "200 NOTIFY")
		watcher := r.alice.Dialog(req, ok.Message, false)
		watcher.Routes = nil
		r.say(r.alice, watcher, "SUBSCRIBE", func(m *message.Message) { m.Set("Expires", "0") })
		again := r.wait(r.carol, "SUBSCRIBE")
		if again.Get("Route") != "<sip:192.0.2.3:5060;lr;b>" || again.URI != "sip:192.0.2.2:5060" {
			t.Errorf("%s", again.Message)
		}
		again.Reply(481, nil)
		r.wait(r.alice, "481 SUBSCRIBE")
	})
}

func TestAReferOutsideDialogsBringsItsNotifiesBack(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		req := r.ask(r.alice, "REFER", func(m *message.Message) { m.Set("Refer-To", "<sip:carol@192.0.2.3>") })
		in := r.wait(r.bob, "REFER")
		if in.Get("Refer-To") == "" {
			t.Errorf("%s", in.Message)
		}
		sent := in.Reply(202, nil)
		ok := r.wait(r.alice, "202 REFER")
		w := &watching{rig: r, req: req, watcher: r.alice.Dialog(req, ok.Message, false), notifier: r.bob.Dialog(in.Message, sent, true)}
		w.ends()
	})
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "REFER", func(m *message.Message) { m.Set("Refer-To", "<sip:carol@192.0.2.3>"); m.Set("Refer-Sub", "false") })
		r.wait(r.bob, "REFER").Reply(202, func(m *message.Message) { m.Set("Refer-Sub", "false") })
		r.wait(r.alice, "202 REFER")
		if n := r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d subscriptions", n)
		}
	})
}

func TestARefreshIsProvedToANotifierThatAsks(t *testing.T) {
	route := routeTo("192.0.2.2:5060").Decision.(Route)
	route.Targets[0].Auth = &trunk.Auth{User: "acct", Password: "secret"}
	play(t, decideOutside(route), func(r *rig) {
		d := challenger(t)
		asks := func(m *message.Message) { m.Headers = append(m.Headers, d.Challenge("carrier", 0, 0)...) }
		req := r.ask(r.alice, "SUBSCRIBE", subscribe)
		r.wait(r.bob, "SUBSCRIBE").Reply(401, asks)
		in := r.wait(r.bob, "SUBSCRIBE")
		sent := in.Reply(200, func(m *message.Message) { m.Set("Expires", "60") })
		ok := r.wait(r.alice, "200 SUBSCRIBE")
		w := &watching{rig: r, req: req, watcher: r.alice.Dialog(req, ok.Message, false), notifier: r.bob.Dialog(in.Message, sent, true)}
		w.say(r.alice, w.watcher, "SUBSCRIBE", nil)
		first := w.wait(r.bob, "SUBSCRIBE")
		first.Reply(401, asks)
		again := w.wait(r.bob, "SUBSCRIBE")
		n, _, _ := first.CSeq()
		if m, _, _ := again.CSeq(); m != n+1 || again.Get("Authorization") == "" {
			t.Errorf("%s", again.Message)
		}
		again.Reply(200, func(m *message.Message) { m.Set("Expires", "60") })
		w.wait(r.alice, "200 SUBSCRIBE")
		w.ends()
	})
}

func TestASubscriptionSurvivesABadNetwork(t *testing.T) {
	for seed := range uint64(20) {
		faults := simnet.Faults{Seed: seed, Lose: 0.15, Double: 0.2, Reorder: 0.2, Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}
		playOn(t, faults, relayTo("192.0.2.2:5060"), func(r *rig) {
			w := r.watches("600")
			for range 5 {
				w.notifies("active").Reply(200, nil)
				w.wait(r.bob, "200 NOTIFY")
			}
			w.ends()
		})
	}
}

func TestANewContactOfTheWatcherIsNotifiedThere(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		w := r.watches("600")
		w.say(r.alice, w.watcher, "SUBSCRIBE", func(m *message.Message) { m.Set("Contact", r.carol.Contact()) })
		w.wait(r.bob, "SUBSCRIBE").Reply(200, func(m *message.Message) { m.Set("Expires", "600") })
		w.wait(r.alice, "200 SUBSCRIBE")
		r.say(r.bob, w.notifier, "NOTIFY", func(m *message.Message) { m.Set("Subscription-State", "terminated") })
		r.wait(r.carol, "NOTIFY").Reply(200, nil)
		r.wait(r.bob, "200 NOTIFY")
	})
}

func TestASecureSubscriptionHasASecureContactAndNoWayWithoutTLS(t *testing.T) {
	play(t, relayTo("192.0.2.2:5060"), func(r *rig) {
		r.ask(r.alice, "SUBSCRIBE", func(m *message.Message) { subscribe(m); m.URI = "sips:bob@" + sbc })
		r.wait(r.alice, "480 SUBSCRIBE")
		r.never(r.bob, "SUBSCRIBE")
	})
	play(t, toAOR(bobAOR), func(r *rig) {
		r.withRegistrar(nil)
		ca := r.secure()
		bob := r.secured(ca, "192.0.2.21:5061", "bob.example")
		defer bob.Close()
		alice := r.secured(ca, "192.0.2.20:5061", "alice.example")
		defer alice.Close()
		register := out(bob, "REGISTER", func(m *message.Message) { m.Set("To", "<"+bobAOR+">") })
		_, err := bob.Send(register, securedAt)
		r.check(err)
		r.wait(bob, "200 REGISTER")
		req := out(alice, "SUBSCRIBE", func(m *message.Message) { subscribe(m); m.URI = "sips:bob@" + securedAt })
		_, err = alice.Send(req, securedAt)
		r.check(err)
		in := r.wait(bob, "SUBSCRIBE")
		sent := in.Reply(200, func(m *message.Message) { m.Set("Expires", "60") })
		if ok := r.wait(alice, "200 SUBSCRIBE"); !strings.HasPrefix(contactOf(ok.Message), "sips:") {
			t.Errorf("%s", ok)
		}
		_, err = bob.Send(bob.In(bob.Dialog(in.Message, sent, true), "NOTIFY", 1), securedAt)
		r.check(err)
		n := r.wait(alice, "NOTIFY")
		if !n.Flow().Secure() {
			t.Errorf("NOTIFY over %s", n.Flow().Network())
		}
		n.Reply(481, nil)
		r.wait(bob, "481 NOTIFY")
	})
}
