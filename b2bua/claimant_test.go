package b2bua

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// sayTrunk answers requests outside calls with the trunk and user they come from.
func sayTrunk() *fixed {
	return &fixed{outside: func(_ context.Context, v View) Decided {
		return Decided{Decision: Reply{Code: 200, Headers: []message.Header{{Name: "X-Who", Value: v.Source.Account + "@" + v.Source.Trunk}}}}
	}}
}

// claimed gives the rig's server users, and trunks of a user, a listener and an
// address.
func (r *rig) claimed() {
	r.Helper()
	table, err := trunk.NewTable([]trunk.Trunk{
		{Name: "carrier", Match: []string{"user:alice"}},
		{Name: "net", Match: []string{"192.0.2.0/24"}},
		{Name: "door", Match: []string{"listener:tcp"}},
	}, nil)
	r.check(err)
	r.withUsers(func(s *Settings) { s.Trunks = table })
}

func TestAUserOfATrunkIsItsTrunkWhereverItComesFrom(t *testing.T) {
	play(t, sayTrunk(), func(r *rig) {
		r.claimed()
		roamer := r.agent("198.51.100.7:5060")
		defer roamer.Close()
		req := r.ask(roamer, "MESSAGE", nil)
		challenge := r.wait(roamer, "401 MESSAGE")
		r.client(roamer, "alice", "wonder").again(req, challenge)
		if res := r.wait(roamer, "200 MESSAGE"); res.Get("X-Who") != "alice@carrier" {
			t.Errorf("a stranger that proves the user is %q", res.Get("X-Who"))
		}
		mine := r.ask(r.alice, "MESSAGE", nil)
		if res := r.wait(r.alice, "200 MESSAGE"); res.Get("X-Who") != "@net" {
			t.Errorf("a neighbour that proves nothing is %q", res.Get("X-Who"))
		}
		r.ask(roamer, "MESSAGE", nil)
		elsewhere := r.wait(roamer, "401 MESSAGE")
		r.client(r.alice, "alice", "wonder").again(mine, elsewhere)
		if res := r.wait(r.alice, "200 MESSAGE"); res.Get("X-Who") != "@net" {
			t.Errorf("an answer to a challenge that went elsewhere makes %q", res.Get("X-Who"))
		}
		own := r.server.digest.Load().At(placeAt(netip.MustParseAddr("192.0.2.1"))).Challenge("legwork", digest.UAS, digest.Absent)
		elsewhere.Set("WWW-Authenticate", own[0].Value)
		r.client(r.alice, "alice", "wonder").again(mine, elsewhere)
		if res := r.wait(r.alice, "200 MESSAGE"); res.Get("X-Who") != "alice@carrier" {
			t.Errorf("a neighbour that proves the user is %q", res.Get("X-Who"))
		}
		r.client(roamer, "alice", "guessed").again(req, challenge)
		r.wait(roamer, "401 MESSAGE")
	})
}

func TestACallOfAUserIsThatOfItsTrunkUntilItEnds(t *testing.T) {
	p := &fixed{invite: toBob}
	play(t, p, func(r *rig) {
		r.claimed()
		roamer, elsewhere := r.agent("198.51.100.7:5060"), r.agent("198.51.100.8:5060")
		defer roamer.Close()
		defer elsewhere.Close()
		c := r.client(roamer, "alice", "wonder")
		req := roamer.Invite("sip:bob@"+sbc, sdpOffer)
		_, err := roamer.Send(req, sbc)
		r.check(err)
		req = c.again(req, r.wait(roamer, "401"))
		r.wait(r.bob, "INVITE").Reply(200, withSDP)
		d := roamer.Dialog(req, r.wait(roamer, "200").Message, false)
		_, err = roamer.SendACK(roamer.In(d, "ACK", 2), sbc)
		r.check(err)
		r.wait(r.bob, "ACK")
		for _, s := range r.server.Trunks().Stats() {
			if want := map[string]int{"carrier": 1}[s.Name]; s.Calls != want {
				t.Errorf("trunk %s has %d calls, want %d", s.Name, s.Calls, want)
			}
		}
		d.LocalSeq = 2
		bye := r.say(elsewhere, d, "BYE", nil)
		c.agent = elsewhere
		c.again(bye, r.wait(elsewhere, "401 BYE"))
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.wait(elsewhere, "200 BYE")
		if got := r.record(); got.Trunk != "carrier" {
			t.Errorf("the record is of trunk %q", got.Trunk)
		}
	})
}

func TestWhatFitsNoTrunkIsThatOfItsListener(t *testing.T) {
	play(t, sayTrunk(), func(r *rig) {
		r.claimed()
		for addr, want := range map[string]string{"198.51.100.7:5060": "@door", "192.0.2.99:5060": "@net"} {
			a, err := simnet.NewAgent(r.network, "tcp", addr)
			r.check(err)
			r.ask(a, "MESSAGE", nil)
			if res := r.wait(a, "200 MESSAGE"); res.Get("X-Who") != want {
				t.Errorf("%s is %q, want %q", addr, res.Get("X-Who"), want)
			}
			a.Close()
		}
	})
}

func TestATrunksOwnListKeepsOutWhoWouldBeItsOtherwise(t *testing.T) {
	play(t, sayTrunk(), func(r *rig) {
		home := func(a netip.Addr) bool { return a == netip.MustParseAddr("198.51.100.8") }
		notAlice := func(a netip.Addr) bool { return a != netip.MustParseAddr("192.0.2.1") }
		table, err := trunk.NewTable([]trunk.Trunk{
			{Name: "carrier", Match: []string{"user:alice"}, Admits: home},
			{Name: "net", Match: []string{"192.0.2.0/24"}, Admits: notAlice},
		}, nil)
		r.check(err)
		r.withUsers(func(s *Settings) { s.Trunks = table })
		for address, want := range map[string]string{"198.51.100.7:5060": "401", "198.51.100.8:5060": "200"} {
			roamer := r.agent(address)
			req := r.ask(roamer, "MESSAGE", nil)
			r.client(roamer, "alice", "wonder").again(req, r.wait(roamer, "401 MESSAGE"))
			r.wait(roamer, want+" MESSAGE")
			roamer.Close()
		}
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.alice, "401 MESSAGE")
		if hits := table.Fits("192.0.2.1"); len(hits) != 1 || !hits[0].Barred {
			t.Errorf("%+v", hits)
		}
	})
}

func TestWhoIsKeptOutDoesNotLearnThatAPasswordIsRight(t *testing.T) {
	play(t, sayTrunk(), func(r *rig) {
		nobody := func(netip.Addr) bool { return false }
		table, err := trunk.NewTable([]trunk.Trunk{{Name: "carrier", Match: []string{"user:alice"}, Admits: nobody}}, nil)
		r.check(err)
		var waited []time.Duration
		for i, password := range []string{"wonder", "guess"} {
			r.besieged()
			r.withUsers(func(s *Settings) { s.Trunks = table })
			a := r.agent(fmt.Sprintf("198.51.100.%d:5060", 10+i))
			req := r.ask(a, "MESSAGE", nil)
			r.client(a, "alice", password).again(req, r.wait(a, "401 MESSAGE"))
			at := time.Now()
			r.wait(a, "401 MESSAGE")
			waited = append(waited, time.Since(at))
			a.Close()
		}
		if waited[0] != waited[1] || waited[0] == 0 {
			t.Errorf("the right answer waits for %s, a wrong one for %s", waited[0], waited[1])
		}
	})
}
