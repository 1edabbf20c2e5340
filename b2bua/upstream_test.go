package b2bua

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

const accountAOR = "sip:acct@carrier.example"

// account is a trunk that wants us to register: at bob's address, then carol's.
func account(edit func(*trunk.Trunk)) trunk.Trunk {
	t := trunk.Trunk{
		Name: "carrier", Register: &trunk.Register{AOR: accountAOR, Expires: 5 * time.Minute},
		Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}, {URI: "sip:192.0.2.3:5060", Priority: 1}},
	}
	if edit != nil {
		edit(&t)
	}
	return t
}

// apply puts trunks to work, beside the one of alice's phone.
func (r *rig) apply(trunks ...trunk.Trunk) {
	r.Helper()
	table, err := trunk.NewTable(append(trunks, trunk.Trunk{Name: "phones", Match: []string{"192.0.2.1"}}), nil)
	r.check(err)
	settings := *r.server.settings()
	settings.Trunks = table
	r.check(r.server.Apply(settings))
}

// registering plays f on a rig that registers with the carrier.
func registering(t *testing.T, edit func(*trunk.Trunk), f func(r *rig)) {
	t.Helper()
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.apply(account(edit))
		r.server.Attend()
		f(r)
		for _, a := range []*simnet.Agent{r.bob, r.carol} {
			a.Hear(func(in *simnet.Incoming) {
				if in.Message.Method == "REGISTER" {
					in.Reply(200, nil)
				}
			})
		}
		r.apply()
	})
}

// registration is how far the carrier's has come.
func (r *rig) registration() trunk.Registration {
	r.Helper()
	for _, s := range r.server.Trunks().Stats() {
		if s.Name == "carrier" && s.Registration != nil {
			return *s.Registration
		}
	}
	return trunk.Registration{}
}

// within is wait with a limit of its own.
func (r *rig) within(limit time.Duration, a *simnet.Agent, wants ...string) *simnet.Incoming {
	r.Helper()
	in, err := a.Next(limit, wants...)
	r.check(err)
	return in
}

// keeps answers a REGISTER as a registrar does: with its contact.
func keeps(in *simnet.Incoming, expires string, edit func(*message.Message)) {
	in.Reply(200, func(res *message.Message) {
		res.Set("Contact", in.Get("Contact")+";expires="+expires)
		if edit != nil {
			edit(res)
		}
	})
}

func TestATrunkIsRegisteredWithAndRefreshedInTime(t *testing.T) {
	registering(t, nil, func(r *rig) {
		first := r.wait(r.bob, "REGISTER")
		if first.URI != "sip:carrier.example" || first.Get("To") != "<"+accountAOR+">" || first.Get("Expires") != "300" ||
			!strings.HasPrefix(first.Get("Contact"), "<sip:acct@"+sbc+";line=") || first.Get("Supported") != "path" {
			t.Errorf("%s", first.Bytes())
		}
		keeps(first, "120", nil)
		began := time.Now()
		time.Sleep(time.Second)
		if got := r.registration(); !got.Bound() || got.Target != "sip:192.0.2.2:5060" || got.Until.Sub(began) != 2*time.Minute {
			t.Errorf("%+v", got)
		}
		again := r.within(2*time.Minute, r.bob, "REGISTER")
		if pause := time.Since(began); pause < 90*time.Second || pause > 108*time.Second {
			t.Errorf("refreshed after %s", pause)
		}
		if n, _, _ := again.CSeq(); n != 2 || again.CallID() != first.CallID() || again.Get("Contact") != first.Get("Contact") {
			t.Errorf("%s", again.Bytes())
		}
		keeps(again, "3600", nil)
	})
}

func withPassword(password string) func(*trunk.Trunk) {
	return func(t *trunk.Trunk) { t.Auth = &trunk.Auth{User: "acct", Password: password} }
}

// checks is a registrar's digest.
type checks struct {
	*digest.Server
	t    *testing.T
	role digest.Role
}

func checking(t *testing.T, role digest.Role) checks {
	t.Helper()
	s, err := digest.NewServer(digest.Config{Secret: []byte("0123456789abcdef0123456789abcdef"), Algorithms: []digest.Algorithm{digest.MD5}})
	if err != nil {
		t.Fatal(err)
	}
	return checks{s, t, role}
}

// judge answers a REGISTER by its credentials, and tells whether they were good.
func (c checks) judge(in *simnet.Incoming) bool {
	c.t.Helper()
	_, outcome := c.Verify(in.Message, "carrier", c.role, func(user string) (digest.Secret, bool) {
		return digest.Secret{Password: "secret"}, user == "acct"
	})
	if outcome == digest.OK {
		keeps(in, "300", nil)
		return true
	}
	in.Reply(c.role.Code(), func(res *message.Message) {
		res.Headers = append(res.Headers, c.Challenge("carrier", c.role, outcome)...)
	})
	return false
}

func TestARegistrarsChallengeIsAnswered(t *testing.T) {
	for _, role := range []digest.Role{digest.UAS, digest.Proxy} {
		registering(t, withPassword("secret"), func(r *rig) {
			c := checking(t, role)
			if c.judge(r.wait(r.bob, "REGISTER")) || !c.judge(r.wait(r.bob, "REGISTER")) {
				t.Error("want one challenge and one proof")
			}
			time.Sleep(time.Second)
			if got := r.registration(); !got.Bound() {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAWrongPasswordIsTriedAgainSeldomUntilItIsAnother(t *testing.T) {
	registering(t, withPassword("wrong"), func(r *rig) {
		c := checking(t, digest.UAS)
		proofs := 0
		for began := time.Now(); time.Since(began) < 3*time.Hour; {
			in := r.within(31*time.Minute, r.bob, "REGISTER")
			c.judge(in)
			if in.Get("Authorization") != "" {
				proofs++
			}
		}
		if proofs < 7 || proofs > 20 {
			t.Errorf("%d proofs in three hours", proofs)
		}
		time.Sleep(time.Second)
		if got := r.registration(); got.Bound() || got.Code != 401 || !strings.Contains(got.Reason, "rejected") {
			t.Errorf("%+v", got)
		}
		if got := r.carol.Waiting(); got != "" {
			t.Errorf("carol is asked: %s", got)
		}
		r.apply(account(withPassword("secret")))
		for tries := 0; !c.judge(r.wait(r.bob, "REGISTER")); tries++ {
			if tries == 3 {
				t.Fatal("the new password is not used")
			}
		}
	})
}

func TestTheLeastTimeOfARegistrarIsTaken(t *testing.T) {
	registering(t, nil, func(r *rig) {
		r.wait(r.bob, "REGISTER").Reply(423, func(res *message.Message) { res.Set("Min-Expires", "1800") })
		in := r.wait(r.bob, "REGISTER")
		if in.Get("Expires") != "1800" {
			t.Errorf("%s", in.Bytes())
		}
		keeps(in, "1800", nil)
	})
}

func TestARegistrarThatWantsForeverIsLeftAlone(t *testing.T) {
	registering(t, nil, func(r *rig) {
		r.wait(r.bob, "REGISTER").Reply(423, func(res *message.Message) { res.Set("Min-Expires", "4294967295") })
		if in, err := r.bob.Next(29*time.Second, "REGISTER"); err == nil {
			t.Errorf("%s", in.Bytes())
		}
	})
}

func TestADeadRegistrarIsPassedOver(t *testing.T) {
	registering(t, nil, func(r *rig) {
		began := time.Now()
		in := r.wait(r.carol, "REGISTER") // bob stays silent
		if pause := time.Since(began); pause != enlistPatience {
			t.Errorf("carol is asked after %s", pause)
		}
		keeps(in, "60", nil)
		time.Sleep(time.Second)
		if got := r.registration(); got.Target != "sip:192.0.2.3:5060" {
			t.Errorf("%+v", got)
		}
		keeps(r.within(time.Minute, r.carol, "REGISTER"), "600", nil) // who has us is asked first
	})
}

func TestEachAddressOfARegistrarIsAsked(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.network.Host("registrar.carrier.example", netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("192.0.2.3"))
		r.apply(account(func(one *trunk.Trunk) { one.Targets = []trunk.Endpoint{{URI: "sip:registrar.carrier.example:5060"}} }))
		r.server.Attend()
		keeps(r.wait(r.carol, "REGISTER"), "3600", nil)
		time.Sleep(time.Second)
		if got := r.registration(); !got.Bound() || got.Target != "sip:registrar.carrier.example:5060" {
			t.Errorf("%+v", got)
		}
		r.apply()
		if last := r.wait(r.carol, "REGISTER"); last.Get("Expires") != "0" {
			t.Errorf("%s", last.Bytes())
		} else {
			last.Reply(200, nil)
		}
	})
}

func TestARegistrarWithoutServiceIsPassedOverAtOnce(t *testing.T) {
	registering(t, nil, func(r *rig) {
		began := time.Now()
		r.wait(r.bob, "REGISTER").Reply(503, nil)
		keeps(r.wait(r.carol, "REGISTER"), "300", nil)
		if pause := time.Since(began); pause > 0 {
			t.Errorf("carol is asked after %s", pause)
		}
	})
}

func TestARegistrarIsNotPesteredAndItsRetryAfterIsKept(t *testing.T) {
	registering(t, func(one *trunk.Trunk) { one.Targets = one.Targets[:1] }, func(r *rig) {
		r.wait(r.bob, "REGISTER").Reply(503, func(res *message.Message) { res.Set("Retry-After", "600") })
		began := time.Now()
		r.within(time.Hour, r.bob, "REGISTER").Reply(500, nil)
		if pause := time.Since(began); pause < 600*time.Second {
			t.Errorf("asked again after %s", pause)
		}
		began = time.Now()
		in := r.within(time.Hour, r.bob, "REGISTER")
		if pause := time.Since(began); pause < time.Minute || pause > 2*time.Minute {
			t.Errorf("asked again after %s", pause)
		}
		keeps(in, "600", nil)
	})
}

func TestAShortRetryAfterOfARegistrarIsTakenAtItsWord(t *testing.T) {
	registering(t, func(one *trunk.Trunk) { one.Targets = one.Targets[:1] }, func(r *rig) {
		var pauses []string
		in, began := r.wait(r.bob, "REGISTER"), time.Now()
		for range 6 {
			in.Reply(503, func(res *message.Message) { res.Set("Retry-After", "3") })
			in = r.within(time.Hour, r.bob, "REGISTER")
			pauses = append(pauses, strconv.Itoa(int(time.Since(began)/time.Second)))
			began = time.Now()
		}
		// It is not pestered for ever either.
		if got := strings.Join(pauses, " "); got != "3 4 8 16 30 30" {
			t.Errorf("asked again after %s s", got)
		}
		keeps(in, "600", nil)
	})
}

func TestARegistrationThatCanNotBeRefreshedRunsOut(t *testing.T) {
	registering(t, nil, func(r *rig) {
		keeps(r.wait(r.bob, "REGISTER"), "300", nil)
		r.bob.Hear(func(in *simnet.Incoming) {
			if in.Message.Method == "REGISTER" {
				in.Reply(403, nil)
			}
		})
		time.Sleep(290 * time.Second)
		if got := r.registration(); !got.Bound() || got.Code != 403 {
			t.Errorf("before its end: %+v", got)
		}
		time.Sleep(11 * time.Second)
		if got := r.registration(); got.Bound() {
			t.Errorf("behind its end: %+v", got)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		want := []string{"carrier registration.up sip:192.0.2.2:5060", "carrier registration.failed sip:192.0.2.2:5060", "carrier registration.down sip:192.0.2.2:5060"}
		if got := r.changes; len(got) < 3 || !slices.Equal(got[:3], want) {
			t.Errorf("observers hear %q", got)
		}
	})
}

func TestShutdownTakesUsFromTheRegistrar(t *testing.T) {
	registering(t, withPassword("secret"), func(r *rig) {
		c := checking(t, digest.UAS)
		c.judge(r.wait(r.bob, "REGISTER"))
		c.judge(r.wait(r.bob, "REGISTER"))
		time.Sleep(time.Second)
		drained := make(chan struct{})
		go func() {
			r.server.Drain(context.Background())
			close(drained)
		}()
		last := r.wait(r.bob, "REGISTER")
		if last.Get("Expires") != "0" || last.Get("Authorization") == "" {
			t.Errorf("%s", last.Bytes())
		}
		c.judge(last)
		<-drained
		if in, err := r.bob.Next(time.Hour, "REGISTER"); err == nil {
			t.Errorf("%s", in.Bytes())
		}
	})
}

func TestShutdownDoesNotWaitForASilentRegistrar(t *testing.T) {
	registering(t, nil, func(r *rig) {
		keeps(r.wait(r.bob, "REGISTER"), "300", nil)
		time.Sleep(time.Second)
		began := time.Now()
		r.server.Drain(context.Background())
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("drained in %s", took)
		}
	})
}

func TestAnotherAccountTakesThePlaceOfTheOld(t *testing.T) {
	registering(t, nil, func(r *rig) {
		first := r.wait(r.bob, "REGISTER")
		keeps(first, "300", nil)
		time.Sleep(time.Second)
		r.apply(account(func(one *trunk.Trunk) { one.Register.AOR = "sip:other@carrier.example" }))
		for range 2 {
			in := r.wait(r.bob, "REGISTER")
			switch old := in.CallID() == first.CallID(); {
			case old && in.Get("Expires") != "0", !old && in.Get("To") != "<sip:other@carrier.example>":
				t.Errorf("%s", in.Bytes())
			case old:
				in.Reply(200, nil)
			default:
				keeps(in, "300", nil)
			}
		}
		time.Sleep(time.Second)
		if got := r.registration(); got.AOR != "sip:other@carrier.example" || !got.Bound() {
			t.Errorf("%+v", got)
		}
	})
}

func TestAReloadThatChangesNothingRegistersNothing(t *testing.T) {
	registering(t, withPassword("secret"), func(r *rig) {
		keeps(r.wait(r.bob, "REGISTER"), "3600", nil)
		time.Sleep(time.Second)
		r.apply(account(withPassword("secret")))
		r.never(r.bob, "REGISTER")
	})
}

// A call that the carrier sends to our contact is the trunk's wherever it comes
// from; one that knows only the user must come from the registrar.
func TestACallToOurContactIsTheTrunks(t *testing.T) {
	for name, c := range map[string]struct {
		from string
		line bool
		want int
	}{
		"the contact from anywhere":   {"198.51.100.7:5060", true, 486},
		"the user from the registrar": {"192.0.2.2:5070", false, 486},
		"the user from somebody else": {"198.51.100.7:5060", false, 403},
		"both from the registrar":     {"192.0.2.2:5070", true, 486},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan string, 1)
			p := &fixed{invite: func(_ context.Context, v View) Decided {
				seen <- v.Source.Trunk
				return Decided{Decision: Reject{Code: 486}}
			}}
			play(t, p, func(r *rig) {
				r.apply(account(nil))
				r.server.Attend()
				in := r.wait(r.bob, "REGISTER")
				keeps(in, "3600", nil)
				contact, _ := in.Contact()
				uri := contact.URI
				if !c.line {
					uri, _, _ = strings.Cut(uri, ";line=")
				}
				caller := r.agent(c.from)
				defer caller.Close()
				_, err := caller.Send(caller.Invite(uri, sdpOffer), sbc)
				r.check(err)
				got := r.wait(caller, "486", "403")
				if got.Status != c.want || c.want == 486 && <-seen != "carrier" {
					t.Errorf("%d", got.Status)
				}
				r.apply()
				r.wait(r.bob, "REGISTER").Reply(200, nil)
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestCallsTakeTheServiceRoute(t *testing.T) {
	toCarrier := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "carrier", User: "4711"}}}}
	}
	play(t, &fixed{invite: toCarrier}, func(r *rig) {
		r.apply(account(nil))
		r.server.Attend()
		keeps(r.wait(r.bob, "REGISTER"), "3600", func(res *message.Message) {
			res.Add("Service-Route", "<sip:192.0.2.3:5060;lr>, <sip:core.carrier.example;lr>")
		})
		time.Sleep(time.Second)
		r.dial(sdpOffer)
		in := r.wait(r.carol, "INVITE")
		if got := in.List("Route"); len(got) != 2 || got[0] != "<sip:192.0.2.3:5060;lr>" || in.URI != "sip:4711@192.0.2.2:5060" && in.URI != "sip:4711@192.0.2.3:5060" {
			t.Errorf("%s", in.Bytes())
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
		r.apply()
		r.wait(r.bob, "REGISTER").Reply(200, nil)
		time.Sleep(time.Minute)
	})
}
