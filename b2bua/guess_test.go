package b2bua

import (
	"context"
	"testing"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
)

// club is a script with users of its own, of whom dave is one.
func club(then Decision) *fixed {
	own := func(user string) (digest.Secret, bool) { return digest.Secret{Password: "other"}, user == "dave" }
	decide := func(_ context.Context, v View) Decided {
		if v.Source.Account == "" {
			return Decided{Decision: Challenge{Realm: "club", Users: own}}
		}
		return Decided{Decision: then}
	}
	return &fixed{invite: decide, outside: decide}
}

func TestGuessingAtTheUsersOfAScriptIsSlow(t *testing.T) {
	play(t, club(Reply{Code: 200}), func(r *rig) {
		try := func(user, password, want string) time.Duration {
			t.Helper()
			req := r.ask(r.alice, "MESSAGE", nil)
			c, challenge := r.client(r.alice, user, password), r.wait(r.alice, "401 MESSAGE")
			at := time.Now()
			c.again(req, challenge)
			r.wait(r.alice, want)
			return time.Since(at)
		}
		for _, user := range []string{"dave", "nobody"} {
			var took []time.Duration
			for range 9 {
				took = append(took, try(user, "guess", "401 MESSAGE"))
			}
			if took[5] != 0 || took[6] != 500*time.Millisecond || took[7] != time.Second || took[8] != 2*time.Second {
				t.Errorf("%s: answers took %s", user, took)
			}
		}
		if took := try("dave", "other", "200 MESSAGE"); took != 4*time.Second {
			t.Errorf("the right one took %s", took)
		}
		if took := try("dave", "other", "200 MESSAGE"); took != 0 {
			t.Errorf("dave, who has proved to be there, waits for %s", took)
		}
	})
}

func TestACallWhoseProofWaitsCanBeCancelled(t *testing.T) {
	play(t, club(routeTo("192.0.2.2:5060").Decision), func(r *rig) {
		for range 12 {
			r.server.door.Guessed("dave")
		}
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		c := r.client(r.alice, "dave", "other")
		headers, err := c.digest.Answer(r.wait(r.alice, "401").Message, req, func(string) (digest.Credentials, bool) { return c.who, true })
		r.check(err)
		again := req.Clone()
		again.Headers = append(again.Headers, headers...)
		again.Set("CSeq", "2 INVITE")
		again.Headers = append([]message.Header{{Name: "Via", Value: "SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bKwaits"}}, again.Headers...)
		r.check(r.alice.SendRaw(again.Bytes(), sbc))
		time.Sleep(time.Second)
		cancel := again.Clone()
		cancel.Method, cancel.Body = "CANCEL", nil
		cancel.Set("CSeq", "2 CANCEL")
		cancel.Del("Authorization")
		r.check(r.alice.SendRaw(cancel.Bytes(), sbc))
		r.wait(r.alice, "200 CANCEL")
		r.wait(r.alice, "487")
		time.Sleep(10 * time.Second)
		r.never(r.bob, "INVITE")
	})
}

func TestACallWhoseProofHasWaitedGoesOn(t *testing.T) {
	play(t, club(routeTo("192.0.2.2:5060").Decision), func(r *rig) {
		for range 12 {
			r.server.door.Guessed("dave")
		}
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		challenge, at := r.wait(r.alice, "401"), time.Now()
		r.client(r.alice, "dave", "other").again(req, challenge)
		in := r.wait(r.bob, "INVITE")
		if took := time.Since(at); took != 4*time.Second {
			t.Errorf("it took %s", took)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}
