package b2bua

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// aliceAndCarol are the users of these tests.
func aliceAndCarol(user string) (digest.Secret, bool) {
	secret, known := map[string]digest.Secret{
		"alice": {Password: "wonder"},
		"carol": {HA1: "7d92d1ab3f4e8a0c3f0e5b4d2d3f6a11"},
	}[user]
	return secret, known
}

// withUsers gives the rig's server users.
func (r *rig) withUsers(edit func(*Settings)) {
	r.Helper()
	settings := *r.server.settings()
	settings.Users, settings.Realm = aliceAndCarol, "legwork"
	if edit != nil {
		edit(&settings)
	}
	r.check(r.server.Apply(settings))
}

// client is a phone that answers challenges.
type client struct {
	*rig
	agent  *simnet.Agent
	digest digest.Client
	who    digest.Credentials
}

func (r *rig) client(a *simnet.Agent, user, password string) *client {
	return &client{rig: r, agent: a, who: digest.Credentials{User: user, Password: password}}
}

// again sends a request once more with credentials for its 401 or 407.
func (c *client) again(req *message.Message, challenge *simnet.Incoming) *message.Message {
	c.Helper()
	headers, err := c.digest.Answer(challenge.Message, req, func(string) (digest.Credentials, bool) { return c.who, true })
	c.check(err)
	next := req.Clone()
	next.Del("Authorization")
	next.Del("Proxy-Authorization")
	next.Headers = append(next.Headers, headers...)
	n, _, _ := next.CSeq()
	next.Set("CSeq", strconv.Itoa(int(n)+1)+" "+next.Method)
	_, err = c.agent.Send(next, sbc)
	c.check(err)
	return next
}

func challengeThen(d Decision) *fixed {
	decide := func(_ context.Context, v View) Decided {
		if v.Source.Account == "" {
			return Decided{Decision: Challenge{}, Where: "main.lua:1"}
		}
		return Decided{Decision: d}
	}
	return &fixed{invite: decide, outside: decide}
}

func TestAChallengedCallGoesOnWithTheAccountProved(t *testing.T) {
	play(t, challengeThen(routeTo("192.0.2.2:5060").Decision), func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		res := r.wait(r.alice, "401")
		if n := len(res.All("WWW-Authenticate")); n != 2 { // SHA-256 and MD5, RFC 8760
			t.Errorf("%d challenges", n)
		}
		c.again(req, res)
		in := r.wait(r.bob, "INVITE")
		if in.Get("Authorization") != "" {
			t.Error("the caller's credentials are told to the callee")
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestAUserWhoChangesItsNetworkProvesItself(t *testing.T) {
	play(t, challengeThen(routeTo("192.0.2.2:5060").Decision), func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		req = c.again(req, r.wait(r.alice, "401"))
		r.wait(r.bob, "INVITE").Reply(200, withSDP)
		d := r.alice.Dialog(req, r.wait(r.alice, "200").Message, false)
		r.ack(d, 2, "")
		r.wait(r.bob, "ACK")
		moved := r.agent("198.51.100.7:5060")
		defer moved.Close()
		c.agent = moved
		again := r.say(moved, d, "INVITE", withSDP)
		c.again(again, r.wait(moved, "401"))
		d.LocalSeq++
		in := r.wait(r.bob, "INVITE")
		in.Reply(200, withSDP)
		r.wait(moved, "200")
		ack := moved.In(d, "ACK", d.LocalSeq)
		_, err = moved.SendACK(ack, sbc)
		r.check(err)
		r.wait(r.bob, "ACK")
		stranger := r.agent("198.51.100.8:5060")
		defer stranger.Close()
		r.say(stranger, d, "BYE", nil)
		r.wait(stranger, "401 BYE")
		r.never(r.bob, "BYE")
		r.say(moved, d, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestACredentialOfOursNeverCrosses(t *testing.T) {
	route := routeTo("192.0.2.2:5060").Decision.(Route)
	route.Headers.Preset = trunk.Transparent
	play(t, challengeThen(route), func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		req := r.ask(r.alice, "MESSAGE", nil)
		c.again(req, r.wait(r.alice, "401 MESSAGE"))
		in := r.wait(r.bob, "MESSAGE")
		if in.Get("Authorization") != "" {
			t.Errorf("%s", in.Message)
		}
		in.Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestTheHookSeesTheAccountBeforeItAsksForOne(t *testing.T) {
	asked := 0
	p := challengeThen(Reply{Code: 200})
	first := p.outside
	p.outside = func(ctx context.Context, v View) Decided { asked++; return first(ctx, v) }
	play(t, p, func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		req := r.ask(r.alice, "MESSAGE", nil)
		c.again(req, r.wait(r.alice, "401 MESSAGE"))
		r.wait(r.alice, "200 MESSAGE")
		if asked != 2 {
			t.Errorf("asked %d times, want once for each request", asked)
		}
	})
}

func TestASecondChallengeIsTheDefault(t *testing.T) {
	p := decideOutside(Challenge{Proxy: true, Realm: "elsewhere", Users: aliceAndCarol})
	p.invite = func(context.Context, View) Decided { return Decided{Decision: Challenge{}} }
	play(t, p, func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		req := r.ask(r.alice, "MESSAGE", nil)
		c.again(req, r.wait(r.alice, "407 MESSAGE"))
		r.wait(r.alice, "405 MESSAGE")
		invite := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := r.alice.Send(invite, sbc)
		r.check(err)
		c.again(invite, r.wait(r.alice, "401"))
		r.wait(r.alice, "404")
	})
}

func TestTheAnswerIsTheSameForKnownAndUnknownUsers(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.withUsers(nil)
		shapes := map[string]bool{}
		for _, who := range []string{"alice", "carol", "mallory"} {
			req := r.ask(r.alice, "MESSAGE", nil)
			r.client(r.alice, who, "guess").again(req, r.wait(r.alice, "401 MESSAGE"))
			res := r.wait(r.alice, "401 MESSAGE")
			var names []string
			for _, h := range res.Headers {
				names = append(names, h.Name)
			}
			shapes[strconv.Itoa(res.Status)+res.Reason+strconv.Itoa(len(res.All("WWW-Authenticate")))+strconv.Itoa(len(names))] = true
		}
		if len(shapes) != 1 {
			t.Errorf("answers differ: %v", slices.Collect(maps.Keys(shapes)))
		}
	})
}

func TestAReplayedRequestIsChallengedAnew(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		good := c.again(r.ask(r.alice, "MESSAGE", nil), r.wait(r.alice, "401 MESSAGE"))
		r.wait(r.alice, "200 MESSAGE")
		replay := good.Clone()
		replay.Set("Call-ID", "another")
		_, err := r.carol.Send(replay, sbc)
		r.check(err)
		r.wait(r.carol, "401 MESSAGE")
	})
}

func TestAStaleNonceIsSaidToBeStale(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.withUsers(nil)
		c := r.client(r.alice, "alice", "wonder")
		req := r.ask(r.alice, "MESSAGE", nil)
		old := r.wait(r.alice, "401 MESSAGE")
		time.Sleep(time.Hour)
		next := c.again(req, old)
		c.again(next, r.wait(r.alice, "401 MESSAGE")) // fails unless stale=true
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestAScriptBringsItsOwnUsers(t *testing.T) {
	own := func(user string) (digest.Secret, bool) { return digest.Secret{Password: "other"}, user == "dave" }
	p := &fixed{outside: func(_ context.Context, v View) Decided {
		if v.Source.Account == "" {
			return Decided{Decision: Challenge{Realm: "club", Users: own}}
		}
		return Decided{Decision: Reply{Code: 200, Headers: []message.Header{{Name: "X-Who", Value: v.Source.Account}}}}
	}}
	play(t, p, func(r *rig) {
		req := r.ask(r.alice, "MESSAGE", nil)
		r.client(r.alice, "dave", "other").again(req, r.wait(r.alice, "401 MESSAGE"))
		if res := r.wait(r.alice, "200 MESSAGE"); res.Get("X-Who") != "dave" {
			t.Errorf("%s", res)
		}
		req = r.ask(r.alice, "MESSAGE", nil)
		r.client(r.alice, "alice", "wonder").again(req, r.wait(r.alice, "401 MESSAGE"))
		r.wait(r.alice, "401 MESSAGE")
	})
}

func TestAChallengeWithoutUsersIs500(t *testing.T) {
	play(t, decideOutside(Challenge{}), func(r *rig) {
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "500 MESSAGE")
	})
}

func TestCredentialsThatCannotBeReadAre400(t *testing.T) {
	play(t, decideOutside(Challenge{}), func(r *rig) {
		r.withUsers(nil)
		r.ask(r.alice, "MESSAGE", func(m *message.Message) {
			m.Set("Authorization", `Digest username="alice", realm="legwork", nonce="", uri="", response="x"`)
		})
		r.wait(r.alice, "400 MESSAGE")
	})
}

func TestAnUnknownSourceIsAdmittedWithCredentials(t *testing.T) {
	p := &fixed{invite: toBob, outside: func(_ context.Context, v View) Decided {
		return Decided{Decision: Reply{Code: 200, Headers: []message.Header{{Name: "X-Who", Value: v.Source.Account + "@" + v.Source.Trunk}}}}
	}}
	play(t, p, func(r *rig) {
		r.withUsers(nil)
		roamer := r.agent("198.51.100.7:5060")
		defer roamer.Close()
		c := r.client(roamer, "alice", "wonder")
		req := r.ask(roamer, "MESSAGE", nil)
		challenge := r.wait(roamer, "401 MESSAGE")
		if n := r.server.Counters().Servers; n != 0 {
			t.Errorf("%d transactions are kept for a stranger", n)
		}
		c.again(req, challenge)
		if res := r.wait(roamer, "200 MESSAGE"); res.Get("X-Who") != "alice@" {
			t.Errorf("%s", res)
		}
		invite := roamer.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := roamer.Send(invite, sbc)
		r.check(err)
		c.again(invite, r.wait(roamer, "401"))
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.wait(roamer, "486")
		req = r.ask(roamer, "MESSAGE", nil)
		r.client(roamer, "alice", "wrong").again(req, r.wait(roamer, "401 MESSAGE"))
		r.wait(roamer, "401 MESSAGE")
		r.ask(roamer, "CANCEL", nil)
		r.wait(roamer, "403 CANCEL")
	})
}

func TestADroppedSourceHearsNothingUnlessItHasCredentials(t *testing.T) {
	play(t, decideOutside(Reply{Code: 200}), func(r *rig) {
		r.withUsers(func(s *Settings) { s.UnknownSources = DropUnknown })
		roamer := r.agent("198.51.100.7:5060")
		defer roamer.Close()
		r.ask(roamer, "MESSAGE", nil)
		r.never(roamer, "401 MESSAGE", "403 MESSAGE", "200 MESSAGE")
		r.ask(roamer, "MESSAGE", func(m *message.Message) {
			m.Set("Authorization", `Digest username="alice", realm="legwork", nonce="old", uri="sip:bob@192.0.2.10:5060", response="0123456789abcdef0123456789abcdef"`)
		})
		r.wait(roamer, "401 MESSAGE")
	})
}

func TestAChangeOfAlgorithmsOffersTheNewOnes(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.withUsers(func(s *Settings) { s.Algorithms = []digest.Algorithm{digest.MD5} })
		req := r.ask(r.alice, "MESSAGE", nil)
		res := r.wait(r.alice, "401 MESSAGE")
		if n := len(res.All("WWW-Authenticate")); n != 1 {
			t.Errorf("%d challenges", n)
		}
		r.client(r.alice, "alice", "wonder").again(req, res)
		r.wait(r.alice, "200 MESSAGE")
	})
}

// registrarOf is what an agent answers as the UAS that challenges.
func challenger(t *testing.T) *digest.Server {
	t.Helper()
	d, err := digest.NewServer(digest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestATargetsChallengeIsAnsweredAndThePeerNeverSeesIt(t *testing.T) {
	for _, role := range []digest.Role{digest.UAS, digest.Proxy} {
		route := routeTo("192.0.2.2:5060").Decision.(Route)
		route.Targets[0].Auth = &trunk.Auth{User: "acct", Password: "secret"}
		play(t, decideOutside(route), func(r *rig) {
			d := challenger(t)
			r.ask(r.alice, "MESSAGE", nil)
			first := r.wait(r.bob, "MESSAGE")
			first.Reply(role.Code(), func(m *message.Message) {
				m.Headers = append(m.Headers, d.Challenge("carrier", role, digest.Absent)...)
			})
			in := r.wait(r.bob, "MESSAGE")
			_, out := d.Verify(in.Message, "carrier", role, func(string) (digest.Secret, bool) { return digest.Secret{Password: "secret"}, true })
			if out != digest.OK || in.CallID() != first.CallID() || in.Get("CSeq") != "2 MESSAGE" || in.FromTag() != first.FromTag() {
				t.Errorf("%v: %s", out, in.Message)
			}
			in.Reply(200, nil)
			r.wait(r.alice, "200 MESSAGE")
		})
	}
}

func TestAWrongPasswordOfOursIs503ForThePeer(t *testing.T) {
	route := routeTo("192.0.2.2:5060").Decision.(Route)
	route.Targets[0].Auth = &trunk.Auth{User: "acct", Password: "wrong"}
	play(t, decideOutside(route), func(r *rig) {
		d := challenger(t)
		r.ask(r.alice, "MESSAGE", nil)
		for range 2 {
			r.wait(r.bob, "MESSAGE").Reply(401, func(m *message.Message) {
				m.Headers = append(m.Headers, d.Challenge("carrier", digest.UAS, digest.Absent)...)
			})
		}
		if res := r.wait(r.alice, "503 MESSAGE"); res.Get("WWW-Authenticate") != "" {
			t.Errorf("%s", res)
		}
		r.never(r.bob, "MESSAGE")
	})
}

func TestThePeerProvesItselfToATargetWithoutAnAccountOfOurs(t *testing.T) {
	play(t, decideOutside(Route{Targets: []Target{{URI: "sip:bob@192.0.2.2:5060"}}}), func(r *rig) {
		d := challenger(t)
		c := r.client(r.alice, "alice", "upstream")
		req := r.ask(r.alice, "PUBLISH", func(m *message.Message) { m.URI = "sip:bob@192.0.2.2:5060" })
		r.wait(r.bob, "PUBLISH").Reply(401, func(m *message.Message) {
			m.Headers = append(m.Headers, d.Challenge("carrier", digest.UAS, digest.Absent)...)
		})
		c.again(req, r.wait(r.alice, "401 PUBLISH"))
		in := r.wait(r.bob, "PUBLISH")
		if user, out := d.Verify(in.Message, "carrier", digest.UAS, func(string) (digest.Secret, bool) { return digest.Secret{Password: "upstream"}, true }); out != digest.OK || user != "alice" {
			t.Errorf("%v: %s", out, in.Message)
		}
		in.Reply(200, nil)
		r.wait(r.alice, "200 PUBLISH")
	})
}
