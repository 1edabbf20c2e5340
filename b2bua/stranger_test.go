package b2bua

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/door"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// guarded gives the rig's server users and the usual bans.
func (r *rig) guarded() {
	r.Helper()
	r.withUsers(func(s *Settings) { s.Door = door.Rules{After: 20, Window: time.Minute, For: time.Hour} })
}

const strange = "198.51.100.7:5060"

// stranger is an agent of no trunk.
func (r *rig) stranger(network string) *simnet.Agent {
	r.Helper()
	a, err := simnet.NewAgent(r.network, network, strange)
	r.check(err)
	return a
}

// bans are those that hold, as reasons.
func (r *rig) bans() string {
	var list []string
	for _, b := range r.server.Bans() {
		list = append(list, fmt.Sprintf("%s %s %v", b.Source, b.Reason, b.Proven))
	}
	return strings.Join(list, ", ")
}

// silent fails when anything is answered within a second.
func (r *rig) silent(a *simnet.Agent) {
	r.Helper()
	time.Sleep(time.Second)
	if got := a.Waiting(); got != "" {
		r.Fatalf("unexpected %s", got)
	}
}

// raw sends a request without a transaction: nobody repeats it.
func (r *rig) raw(a *simnet.Agent, req *message.Message) {
	r.Helper()
	req = req.Clone()
	req.Headers = append([]message.Header{{Name: "Via", Value: "SIP/2.0/UDP " + a.Addr.String() + ";rport;branch=z9hG4bK" + randomHex(8)}}, req.Headers...)
	r.check(a.SendRaw(req.Bytes(), sbc))
}

func TestAScannerHearsNothingAndGoodCallsGoOn(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.guarded()
		c := r.answered()
		scanner := r.stranger("udp")
		defer scanner.Close()
		for range 3 {
			r.raw(scanner, out(scanner, "OPTIONS", func(m *message.Message) { m.Set("User-Agent", "friendly-scanner") }))
		}
		r.raw(scanner, out(scanner, "OPTIONS", nil))
		r.silent(scanner)
		if got := r.bans(); got != "198.51.100.7/32 scanner false" {
			t.Errorf("bans: %s", got)
		}
		if n := r.server.Door().Messages["ban"]; n != 3 {
			t.Errorf("%d were dropped", n)
		}
		r.crosses(r.alice, c.alice, r.bob)
		c.hangUpByAlice()
		if !slices.Contains(r.changes, "source.banned") {
			t.Errorf("told %q", r.changes)
		}
		if !r.server.Unban(netip.MustParseAddr("198.51.100.7"), "admin") || r.bans() != "" {
			t.Error("not unbanned")
		}
	})
}

func TestWhatStrangersHearTellsThemNothing(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.guarded()
		a := r.stranger("udp")
		defer a.Close()
		for _, method := range []string{"REGISTER", "INVITE", "OPTIONS", "BYE"} {
			var heard []string
			for _, user := range []string{"alice", "carol", "nobody"} {
				r.raw(a, out(a, method, func(m *message.Message) {
					m.URI = "sip:" + user + "@" + sbc
					m.Set("To", "<"+m.URI+">")
					if method == "BYE" {
						m.Set("To", "<"+m.URI+">;tag=1")
					}
				}))
				res := r.wait(a, "401 "+method, "481 "+method)
				if res.Get("Server")+res.Get("Allow")+res.Get("Contact") != "" {
					t.Errorf("%s tells who we are:\n%s", method, res.Message)
				}
				var names []string
				for _, h := range res.Headers {
					names = append(names, h.Name)
				}
				heard = append(heard, res.Name()+strings.Join(names, " "))
			}
			if heard[0] != heard[1] || heard[0] != heard[2] {
				t.Errorf("%s: %q", method, heard)
			}
		}
	})
}

func TestFailuresInAPhonesNameDoNotLockItOut(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.guarded()
		phone := r.stranger("udp")
		defer phone.Close()
		forge := func() {
			for range 40 {
				r.raw(phone, out(phone, "FOO BAR", nil)) // somebody else, who writes the phone's address
			}
			synctest.Wait()
		}
		forge()
		if got := r.bans(); got != "198.51.100.7/32 malformed false" {
			t.Fatalf("bans: %s", got)
		}
		for strings.Contains(phone.Waiting(), "400") {
			r.wait(phone, "400 FOO", "400 FOO BAR", "400")
		}
		c := r.client(phone, "alice", "wonder")
		req := r.ask(phone, "MESSAGE", nil) // its repeats find the slit
		res := r.wait(phone, "401 MESSAGE")
		at := time.Now()
		c.again(req, res)
		r.wait(phone, "200 MESSAGE")
		if took := time.Since(at); took != 0 {
			t.Errorf("what it proves itself with waits for %s", took)
		}
		if got := r.bans(); got != "" {
			t.Errorf("it has proved itself, and is banned: %s", got)
		}
		forge()
		if got := r.bans(); got != "" {
			t.Errorf("it is known, and banned: %s", got)
		}
	})
}

func TestWrongPasswordsBanWhoHasSentThem(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			play(t, &fixed{}, func(r *rig) {
				r.guarded()
				a := r.stranger(network)
				defer a.Close()
				for i := 0; r.bans() == "" && i < 100; i++ {
					req := r.ask(a, "REGISTER", nil)
					r.client(a, fmt.Sprint("user", i), "guess").again(req, r.wait(a, "401 REGISTER"))
					r.wait(a, "401 REGISTER")
				}
				if got := r.bans(); got != "198.51.100.7/32 credentials true" {
					t.Errorf("bans: %s", got)
				}
				req := out(a, "REGISTER", nil)
				_, _ = a.Send(req, sbc)
				r.silent(a)
			})
		})
	}
}

func TestANonceIsNoPassForWhoDoesNotAnswerIt(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.guarded()
		a := r.stranger("udp")
		defer a.Close()
		r.raw(a, out(a, "REGISTER", nil))
		_, nonce, _ := strings.Cut(r.wait(a, "401 REGISTER").Get("WWW-Authenticate"), `nonce="`)
		nonce, _, _ = strings.Cut(nonce, `"`)
		for range 101 {
			r.raw(a, out(a, "REGISTER", func(m *message.Message) { m.Set("X-Pass", `nonce="`+nonce+`"`) }))
		}
		synctest.Wait()
		if got := r.bans(); got != "198.51.100.7/32 challenged true" {
			t.Errorf("bans: %s", got)
		}
	})
}

func TestATrunkIsNeverBanned(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.guarded()
		for range 200 {
			r.raw(r.carol, out(r.carol, "OPTIONS", func(m *message.Message) { m.Set("User-Agent", "friendly-scanner") }))
			r.raw(r.carol, out(r.carol, "FOO BAR", nil))
			r.raw(r.carol, out(r.carol, "MESSAGE", func(m *message.Message) {
				m.Add("Authorization", `Digest username="alice", realm="legwork", nonce="x", uri="sip:bob@192.0.2.10", response="0123456789abcdef0123456789abcdef"`)
			}))
		}
		if got := r.bans(); got != "" {
			t.Errorf("bans: %s", got)
		}
		r.answered().hangUpByAlice()
	})
}

func TestANonceFromElsewhereProvesNothing(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.guarded()
		here := r.stranger("udp")
		defer here.Close()
		there := r.agent("198.51.100.8:5060")
		defer there.Close()
		req := r.ask(here, "MESSAGE", nil)
		challenge := r.wait(here, "401 MESSAGE")
		c := r.client(there, "alice", "wonder")
		c.again(req, challenge)
		stale := r.wait(there, "401 MESSAGE")
		if !strings.Contains(stale.Get("WWW-Authenticate"), "stale=true") {
			t.Error(stale.Get("WWW-Authenticate"))
		}
		c.again(req, stale)
		r.wait(there, "200 MESSAGE")
	})
}

// besieged is a server where somebody guesses alice's password, until answers
// wait for as long as they ever do.
func (r *rig) besieged() {
	r.Helper()
	r.guarded()
	for range 12 {
		r.server.door.Guessed("alice")
	}
}

func TestGuessingIsSlowAndTheRealUserIsNotLockedOut(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.guarded()
		home := r.stranger("udp")
		defer home.Close()
		c := r.client(home, "alice", "wonder")
		c.again(r.ask(home, "MESSAGE", nil), r.wait(home, "401 MESSAGE"))
		r.wait(home, "200 MESSAGE")
		r.besieged()
		at := time.Now()
		c.again(r.ask(home, "MESSAGE", nil), r.wait(home, "401 MESSAGE"))
		r.wait(home, "200 MESSAGE")
		if took := time.Since(at); took != 0 {
			t.Errorf("at home alice waits for %s", took)
		}
	})
}

func TestAFaultBehindAPauseEndsTheRequestAlone(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.besieged()
		away := r.stranger("udp")
		defer away.Close()
		r.policy.broken = true
		r.client(away, "alice", "wonder").again(r.ask(away, "MESSAGE", nil), r.wait(away, "401 MESSAGE"))
		r.wait(away, "500 MESSAGE")
		if n := r.server.faults.Swap(0); n != 1 {
			t.Errorf("%d faults", n)
		}
	})
}

func TestRightAndWrongAnswersWaitAlikeAndFewWait(t *testing.T) {
	play(t, challengeThen(Reply{Code: 200}), func(r *rig) {
		r.besieged()
		var away []*simnet.Agent
		for i := range 6 {
			a := r.agent(fmt.Sprintf("198.51.100.%d:5060", 10+i))
			defer a.Close()
			away = append(away, a)
			password := "guess"
			if i == 0 {
				password = "wonder"
			}
			req := r.ask(a, "MESSAGE", nil)
			r.client(a, "alice", password).again(req, r.wait(a, "401 MESSAGE"))
		}
		for i, want := range []string{"200 MESSAGE", "401 MESSAGE", "401 MESSAGE", "401 MESSAGE", "503 MESSAGE", "503 MESSAGE"} {
			r.wait(away[i], want)
		}
		if n := r.server.Refused()["too_many_guesses"]; n != 2 {
			t.Errorf("%d were refused", n)
		}
	})
}

func TestACallThatWaitsCanBeCancelled(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.besieged()
		a := r.stranger("udp")
		defer a.Close()
		c := r.client(a, "alice", "wonder")
		req := a.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := a.Send(req, sbc)
		r.check(err)
		headers, err := c.digest.Answer(r.wait(a, "401").Message, req, func(string) (digest.Credentials, bool) { return c.who, true })
		r.check(err)
		again := req.Clone()
		again.Headers = append(again.Headers, headers...)
		again.Set("CSeq", "2 INVITE")
		again.Headers = append([]message.Header{{Name: "Via", Value: "SIP/2.0/UDP " + strange + ";rport;branch=z9hG4bKheld"}}, again.Headers...)
		r.check(a.SendRaw(again.Bytes(), sbc))
		time.Sleep(time.Second)
		cancel := again.Clone()
		cancel.Method, cancel.Body = "CANCEL", nil
		cancel.Set("CSeq", "2 CANCEL")
		cancel.Del("Authorization")
		r.check(a.SendRaw(cancel.Bytes(), sbc))
		r.wait(a, "200 CANCEL")
		r.wait(a, "487")
		r.never(r.bob, "INVITE")
	})
}

func TestAStrangerIsAnsweredSoOftenASecond(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		settings := *r.server.settings()
		settings.Limits.PerSourceCPS = 5
		r.check(r.server.Apply(settings))
		a := r.stranger("udp")
		defer a.Close()
		for i := range 20 {
			r.raw(a, out(a, "OPTIONS", func(m *message.Message) {
				if i%2 == 0 {
					m.Set("To", "<sip:bob@"+sbc+">;tag=1")
				}
			}))
		}
		time.Sleep(time.Second)
		n := strings.Count(a.Waiting(), "OPTIONS")
		if n != 5 {
			t.Errorf("%d answers", n)
		}
	})
}

func TestAnAddressThatIsShutOutIsNotHeard(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		acl, err := door.NewACL(nil, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")})
		r.check(err)
		settings := *r.server.settings()
		settings.Door.Listeners = map[string]*door.ACL{"udp": acl}
		r.check(r.server.Apply(settings))
		udp, tcp := r.stranger("udp"), r.stranger("tcp")
		defer udp.Close()
		defer tcp.Close()
		r.raw(udp, out(udp, "OPTIONS", nil))
		r.silent(udp)
		_, err = tcp.Send(out(tcp, "OPTIONS", nil), sbc)
		r.check(err)
		r.wait(tcp, "403 OPTIONS")
		settings.Door.ACL = acl
		r.check(r.server.Apply(settings))
		_, _ = tcp.Send(out(tcp, "OPTIONS", nil), sbc)
		r.silent(tcp)
	})
}
