package b2bua

import (
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
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
