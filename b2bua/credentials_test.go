package b2bua

import (
	"context"
	"testing"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// guard is a callee who wants to know who calls.
type guard struct {
	*rig
	server *digest.Server
	role   digest.Role
}

func (r *rig) guard(role digest.Role, algorithms ...digest.Algorithm) *guard {
	r.Helper()
	s, err := digest.NewServer(digest.Config{Algorithms: algorithms})
	r.check(err)
	return &guard{r, s, role}
}

// lets challenges a request until it holds the right password, and returns that
// request unanswered.
func (g *guard) lets(method string) *simnet.Incoming {
	g.Helper()
	for range 3 {
		in := g.wait(g.bob, method)
		_, out := g.server.Verify(in.Message, "bob.example", g.role, func(string) (digest.Secret, bool) {
			return digest.Secret{Password: "secret"}, true
		})
		if out == digest.OK {
			return in
		}
		in.Reply(g.role.Code(), func(m *message.Message) {
			m.Headers = append(m.Headers, g.server.Challenge("bob.example", g.role, out)...)
		})
	}
	g.Fatalf("no %s came through", method)
	return nil
}

// toAccount routes to bob with a password.
func toAccount(password string) func(context.Context, View) Decided {
	return func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@192.0.2.2:5060", Auth: &trunk.Auth{User: "legwork", Password: password}}}}}
	}
}

func TestCalleesChallengesAreAnswered(t *testing.T) {
	for _, role := range []digest.Role{digest.UAS, digest.Proxy} {
		for _, algorithm := range []digest.Algorithm{digest.MD5, digest.SHA256, digest.SHA512t256} {
			play(t, &fixed{invite: toAccount("secret")}, func(r *rig) {
				g := r.guard(role, algorithm)
				d := r.dial(sdpOffer)
				in := g.lets("INVITE")
				in.Reply(180, nil)
				sent := in.Reply(200, withSDP)
				ok := r.wait(r.alice, "200")
				alice, bob := r.alice.Dialog(d.req, ok.Message, false), r.bob.Dialog(in.Message, sent, true)
				r.ack(alice, 1, "")
				ack := r.wait(r.bob, "ACK")
				if ack.Get("Authorization") == "" && ack.Get("Proxy-Authorization") == "" {
					t.Error("the ACK has no credentials")
				}
				if n, _, _ := ack.CSeq(); n != 2 {
					t.Errorf("the ACK is number %d", n)
				}
				r.say(r.alice, alice, "INVITE", withSDP)
				g.lets("INVITE").Reply(200, withSDP)
				r.wait(r.alice, "200")
				r.ack(alice, alice.LocalSeq, "")
				r.wait(r.bob, "ACK")
				r.say(r.alice, alice, "INFO", nil)
				g.lets("INFO").Reply(200, nil)
				r.wait(r.alice, "200 INFO")
				r.say(r.bob, bob, "INFO", nil)
				r.wait(r.alice, "INFO").Reply(200, nil)
				r.say(r.alice, alice, "BYE", nil)
				g.lets("BYE").Reply(200, nil)
				if in, err := r.alice.Next(0, "401", "407"); err == nil {
					t.Errorf("the caller saw %s", in.Name())
				}
			})
		}
	}
}

// TestEveryRequestMayBeChallengedAnew has a callee that takes no nonce twice.
func TestEveryRequestMayBeChallengedAnew(t *testing.T) {
	play(t, &fixed{invite: toAccount("secret")}, func(r *rig) {
		g := r.guard(digest.UAS)
		d := r.dial(sdpOffer)
		in := g.lets("INVITE")
		in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(alice, 1, "")
		r.wait(r.bob, "ACK")
		g = r.guard(digest.UAS)
		r.say(r.alice, alice, "INVITE", withSDP)
		g.lets("INVITE").Reply(200, withSDP)
		r.wait(r.alice, "200")
		r.ack(alice, alice.LocalSeq, "")
		r.wait(r.bob, "ACK")
		g = r.guard(digest.UAS)
		r.say(r.alice, alice, "BYE", nil)
		g.lets("BYE").Reply(200, nil)
	})
}

func TestRefusedCredentialsCrossAs503(t *testing.T) {
	play(t, &fixed{invite: toAccount("wrong")}, func(r *rig) {
		g := r.guard(digest.Proxy)
		r.dial(sdpOffer)
		n := 0
		for {
			in, err := r.bob.Next(0, "INVITE")
			if err != nil {
				if in, err = r.bob.Next(1e9, "INVITE"); err != nil {
					break
				}
			}
			n++
			in.Reply(407, func(m *message.Message) {
				m.Headers = append(m.Headers, g.server.Challenge("bob.example", g.role, digest.Wrong)...)
			})
		}
		if n != 2 {
			t.Errorf("%d INVITEs", n)
		}
		r.wait(r.alice, "503")
	})
}

func TestCredentialsDoNotFollowARedirectionToAStranger(t *testing.T) {
	play(t, &fixed{invite: toAccount("secret")}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) { m.Add("Contact", "<sip:bob@192.0.2.3:5060>") })
		g := r.guard(digest.UAS)
		r.wait(r.carol, "INVITE").Reply(401, func(m *message.Message) {
			m.Headers = append(m.Headers, g.server.Challenge("bob.example", g.role, digest.Absent)...)
		})
		r.never(r.carol, "INVITE")
		r.wait(r.alice, "503")
	})
	play(t, &fixed{invite: toAccount("secret")}, func(r *rig) {
		r.dial(sdpOffer)
		g := r.guard(digest.UAS)
		r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) { m.Add("Contact", "<sip:other@192.0.2.2:5060>") })
		g.lets("INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
	})
}
