package b2bua

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOneCallThatWaitsLongIsNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lag
		for i := range 100 {
			wait := time.Millisecond
			if i%10 == 3 {
				wait = time.Second
			}
			l.saw(wait)
			if got := l.now(); got > time.Millisecond {
				t.Fatalf("lag is %s", got)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func TestCallsThatAllWaitLongAreOverloadUntilSomeAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lag
		for range 12 {
			l.saw(300 * time.Millisecond)
			time.Sleep(20 * time.Millisecond)
		}
		if got := l.now(); got != 300*time.Millisecond {
			t.Errorf("lag is %s", got)
		}
		time.Sleep(2 * lagWindow)
		if got := l.now(); got != 0 {
			t.Errorf("lag is %s although nobody has waited lately", got)
		}
	})
}

func TestNewCallsAreRefusedWhileMailboxesLag(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		settings := *r.server.settings()
		settings.Limits.QueueDelay = 200 * time.Millisecond
		r.check(r.server.Apply(settings))
		for range 7 {
			r.server.delay.saw(time.Second)
			time.Sleep(20 * time.Millisecond)
		}
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
		r.check(err)
		if res := r.wait(r.alice, "503"); res.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		time.Sleep(time.Second)
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
	})
}
