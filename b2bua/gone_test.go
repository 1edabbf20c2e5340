package b2bua

import (
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

const atPage = "sip:u1@q7df.invalid;transport=ws"

// callsBob is a browser's call that bob has answered.
func (b *browser) callsBob() (in *simnet.Incoming, atBob, atBrowser *message.Message) {
	b.Helper()
	invite := b.alice.Invite("sip:bob@sbc.example", sdpOffer)
	invite.Set("Contact", "<"+atPage+">")
	b.say(invite)
	in = b.wait(b.bob, "INVITE")
	atBob = in.Reply(200, withSDP)
	atBrowser = b.hear()
	b.say(b.alice.In(b.alice.Dialog(invite, atBrowser, false), "ACK", 1))
	b.wait(b.bob, "ACK")
	return in, atBob, atBrowser
}

// isCalled answers alice's call to a browser that has registered.
func (b *browser) isCalled() (d *dialled, ok *message.Message) {
	b.Helper()
	d = b.dial(sdpOffer)
	invite := b.hear()
	res := invite.Respond(200, "", "b")
	res.Set("Contact", "<"+atPage+";ob>")
	withSDP(res)
	b.write(res)
	ok = b.wait(b.alice, "200").Message
	b.ack(b.alice.Dialog(d.req, ok, false), 1, "")
	if ack := b.hear(); ack.Method != "ACK" {
		b.Fatalf("%s", ack)
	}
	return d, ok
}

func (b *browser) gone() {
	b.Helper()
	b.check(b.Close())
}

// endsAfter waits for an agent's BYE, and checks when it comes and why.
func (r *rig) endsAfter(a *simnet.Agent, from time.Time, want time.Duration) {
	r.Helper()
	bye := r.wait(a, "BYE")
	bye.Reply(200, nil)
	if after := time.Since(from); after != want || bye.Get("Reason") != flowFailed {
		r.Errorf("after %s, not %s:\n%s", after, want, bye)
	}
}

func TestACallEndsWhenItsBrowserDoesNotComeBack(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		b := r.browse()
		b.callsBob()
		b.gone()
		r.endsAfter(r.bob, time.Now(), comeBack)
		if got := r.record(); got.HungUpBy != "caller" || got.Code != 200 {
			t.Errorf("%+v", got)
		}
	})
	play(t, toAOR(aliceAOR), func(r *rig) {
		r.withRegistrar(nil)
		b := r.browse()
		b.registers(aliceAOR, atPage)
		b.isCalled()
		b.gone()
		gone := time.Now()
		b = r.browseAgain() // the page was loaded anew
		b.registers(aliceAOR, "sip:u2@x9ab.invalid;transport=ws")
		r.endsAfter(r.alice, gone, comeBack)
		if got := r.record(); got.HungUpBy != "callee" {
			t.Errorf("%+v", got)
		}
		b.gone()
	})
}

func TestABrowserThatIsGoneWhileACalleeRingsHasGivenUp(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		b := r.browse()
		b.say(b.alice.Invite("sip:bob@sbc.example", sdpOffer))
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		if res := b.hear(); res.Status != 180 {
			t.Fatalf("%s", res)
		}
		b.gone()
		if cancel := r.wait(r.bob, "CANCEL"); cancel.Get("Reason") != flowFailed {
			t.Errorf("%s", cancel)
		}
		in.Reply(487, nil)
		if got := r.record(); got.Code != 487 || got.HungUpBy != "caller" {
			t.Errorf("%+v", got)
		}
	})
}

func TestABrowserThatIsGoneWhileItRingsIsNotWaitedFor(t *testing.T) {
	play(t, toAOR(aliceAOR), func(r *rig) {
		r.withRegistrar(nil)
		b := r.browse()
		b.registers(aliceAOR, atPage)
		r.dial(sdpOffer)
		b.write(b.hear().Respond(180, "", "b"))
		r.wait(r.alice, "180")
		b.gone()
		gone := time.Now()
		r.wait(r.alice, "480")
		if after := time.Since(gone); after > time.Second {
			t.Errorf("after %s", after)
		}
	})
}

func TestABrowserComesBackIntoItsCall(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		b := r.browse()
		in, atBob, ok := b.callsBob()
		b.gone()
		time.Sleep(10 * time.Second)
		b = r.browseAgain()
		invite := b.alice.Invite("sip:bob@sbc.example", sdpOffer)
		invite.Set("Call-ID", ok.CallID())
		invite.Set("From", ok.Get("From"))
		d := b.alice.Dialog(invite, ok, false)
		d.Next()
		info := b.alice.In(d, "INFO", d.Next())
		b.say(info)
		r.wait(r.bob, "INFO").Reply(200, nil)
		if res := b.hear(); res.Status != 200 {
			t.Fatalf("%s", res)
		}
		if bye, err := r.bob.Next(comeBack, "BYE"); err == nil {
			t.Errorf("%s", bye)
		}
		r.say(r.bob, r.bob.Dialog(in.Message, atBob, true), "BYE", nil)
		if bye := b.hear(); bye.Method != "BYE" {
			t.Errorf("%s", bye)
		} else {
			b.write(bye.Respond(200, "", ""))
		}
		b.gone()
	})
}

func TestABrowserComesBackByItsRegistration(t *testing.T) {
	for name, pause := range map[string]time.Duration{"asked for at once": time.Second, "asked for later": comeBack + 10*time.Second} {
		t.Run(name, func(t *testing.T) {
			play(t, toAOR(aliceAOR), func(r *rig) {
				r.withRegistrar(nil)
				b := r.browse()
				b.registers(aliceAOR, atPage)
				d, ok := b.isCalled()
				b.gone()
				b = r.browseAgain()
				b.registers(aliceAOR, atPage)
				time.Sleep(pause)
				r.say(r.alice, r.alice.Dialog(d.req, ok, false), "BYE", nil)
				bye := b.hear()
				if bye.Method != "BYE" || !strings.HasPrefix(bye.URI, "sip:u1@q7df.invalid") {
					t.Errorf("%s", bye)
				}
				b.write(bye.Respond(200, "", ""))
				b.gone()
			})
		})
	}
}

func TestWhatIsSaidToABrowserThatIsGoneHasNowhereToGo(t *testing.T) {
	play(t, toAOR(aliceAOR), func(r *rig) {
		r.withRegistrar(nil)
		b := r.browse()
		b.registers(aliceAOR, atPage)
		d, ok := b.isCalled()
		b.gone()
		r.say(r.alice, r.alice.Dialog(d.req, ok, false), "INFO", nil)
		r.wait(r.alice, "503 INFO")
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}
