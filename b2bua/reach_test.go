package b2bua

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/resolve"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// silentAt takes datagrams and says nothing.
func (r *rig) silentAt(addr string) *simnet.Agent {
	r.Helper()
	a := r.agent(addr)
	a.Hear(func(*simnet.Incoming) {})
	r.Cleanup(a.Close)
	return a
}

// named gives b.example addresses.
func (r *rig) named(addrs ...string) {
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	r.network.Host("b.example", list...)
}

// toName routes to the one target b.example.
func toName(context.Context, View) Decided {
	return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@b.example"}}}}
}

// took is how long the last attempt began after the call.
func (r *rig) took() time.Duration {
	record := r.only()
	return record.Attempts[len(record.Attempts)-1].Started.Sub(record.Started)
}

func TestADeadAddressLeadsToTheNextOfItsName(t *testing.T) {
	for what, dead := range map[string]struct {
		prepare func(r *rig)
		within  time.Duration
		origin  Origin
	}{
		"refused by ICMP": {func(*rig) {}, time.Second, OriginTransport},
		"silent":          {func(r *rig) { r.silentAt("192.0.2.77:5060") }, 5 * time.Second, OriginTimeout},
		"503": {func(r *rig) {
			r.silentAt("192.0.2.77:5060").Hear(func(in *simnet.Incoming) {
				if in.Method == "INVITE" {
					in.Reply(503, nil)
				}
			})
		}, time.Second, OriginPeer},
	} {
		t.Run(what, func(t *testing.T) {
			asked := 0
			play(t, &fixed{invite: toName, failure: func(context.Context, View, Leg, *message.Message, Origin) Decided {
				asked++
				return Decided{}
			}}, func(r *rig) {
				dead.prepare(r)
				r.named("192.0.2.77", "192.0.2.2")
				r.dial(sdpOffer)
				r.wait(r.bob, "INVITE").Reply(486, nil)
				r.wait(r.alice, "486")
				if got := r.only().Attempts; len(got) != 2 || got[0].Origin != dead.origin || got[1].Code != 486 {
					t.Errorf("attempts %+v", got)
				}
				if got := r.took(); got > dead.within {
					t.Errorf("the next address was tried after %s", got)
				}
				if asked != 1 {
					t.Errorf("on_failure was asked %d times for one target", asked)
				}
			})
		})
	}
}

func TestARefusedConnectionLeadsToTheNextServer(t *testing.T) {
	play(t, &fixed{invite: toName}, func(r *rig) {
		r.network.Rules("b.example", resolve.NAPTR{Flags: "s", Service: "SIP+D2T", Replacement: "_sip._tcp.b.example"})
		r.network.Service("_sip._tcp.b.example", resolve.SRV{Target: "one.example", Port: 5070, Priority: 1}, resolve.SRV{Target: "two.example", Port: 5080, Priority: 2})
		r.network.Host("one.example", netip.MustParseAddr("192.0.2.77"))
		r.network.Host("two.example", netip.MustParseAddr("192.0.2.78"))
		two, err := simnet.NewAgent(r.network, "tcp", "192.0.2.78:5080")
		r.check(err)
		defer two.Close()
		r.dial(sdpOffer)
		in := r.wait(two, "INVITE")
		if in.URI != "sip:bob@b.example" {
			t.Error("Request-URI", in.URI)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestARefusalOfTheCalleeIsNoDeadEnd(t *testing.T) {
	for _, code := range []int{404, 486, 500, 603} {
		play(t, &fixed{invite: toName}, func(r *rig) {
			r.named("192.0.2.2", "192.0.2.3")
			r.dial(sdpOffer)
			r.wait(r.bob, "INVITE").Reply(code, nil)
			r.wait(r.alice, strconv.Itoa(code))
			r.never(r.carol, "INVITE")
		})
	}
}

func TestACalleeThatRangIsNotLeftForAnotherAddress(t *testing.T) {
	play(t, &fixed{invite: toName}, func(r *rig) {
		r.named("192.0.2.2", "192.0.2.3")
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		in.Reply(503, nil)
		r.wait(r.alice, "503")
		r.never(r.carol, "INVITE")
	})
}

func TestTheNextTargetFollowsTheLastAddress(t *testing.T) {
	play(t, &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@b.example"}, {URI: "sip:bob@192.0.2.3:5060"}}}}
	}}, func(r *rig) {
		r.named("192.0.2.77", "192.0.2.78")
		r.dial(sdpOffer)
		r.wait(r.carol, "INVITE").Reply(486, nil)
		r.wait(r.alice, "486")
		if got := r.only().Attempts; len(got) != 3 {
			t.Errorf("attempts %+v", got)
		}
	})
}

func TestTheBudgetEndsTheWalk(t *testing.T) {
	play(t, &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{URI: "sip:bob@b.example"}}, Budget: 7 * time.Second}}
	}}, func(r *rig) {
		r.named("192.0.2.77", "192.0.2.78", "192.0.2.79")
		for _, a := range []string{"192.0.2.77:5060", "192.0.2.78:5060", "192.0.2.79:5060"} {
			r.silentAt(a)
		}
		r.dial(sdpOffer)
		r.wait(r.alice, "503")
		if got := r.only(); len(got.Attempts) != 2 || got.Attempts[1].Duration != 2 {
			t.Errorf("attempts %+v", got.Attempts)
		}
	})
}

func TestADeadAddressIsNotTriedFirstByTheNextCall(t *testing.T) {
	play(t, &fixed{invite: toName}, func(r *rig) {
		silent := r.silentAt("192.0.2.77:5060")
		heard := 0
		silent.Hear(func(in *simnet.Incoming) {
			if in.Method == "INVITE" {
				heard++
			}
		})
		r.named("192.0.2.77", "192.0.2.2")
		began := time.Now()
		call := func(pause time.Duration) {
			r.dial(sdpOffer)
			r.wait(r.bob, "INVITE").Reply(486, nil)
			r.wait(r.alice, "486")
			time.Sleep(pause)
		}
		call(0)
		for range 5 {
			call(time.Second)
		}
		if heard != 1 || time.Since(began) > 12*time.Second {
			t.Errorf("the dead address heard %d INVITEs within %s", heard, time.Since(began))
		}
		time.Sleep(deadFor)
		if call(0); heard != 2 {
			t.Errorf("no trial after %s: %d INVITEs", deadFor, heard)
		}
	})
}

func TestAnAddressThatAsksForARestGetsIt(t *testing.T) {
	play(t, &fixed{invite: toName}, func(r *rig) {
		r.named("192.0.2.3", "192.0.2.2")
		call := func(first *simnet.Agent) {
			r.dial(sdpOffer)
			if first == r.carol {
				r.wait(r.carol, "INVITE").Reply(503, func(res *message.Message) { res.Set("Retry-After", "20") })
			}
			r.wait(r.bob, "INVITE").Reply(486, nil)
			r.wait(r.alice, "486")
		}
		call(r.carol)
		call(r.bob)
		time.Sleep(20 * time.Second)
		call(r.carol)
	})
}

func TestAFailoverTakesOnePlaceInItsTrunk(t *testing.T) {
	play(t, &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "named"}}}}
	}}, func(r *rig) {
		table, err := trunk.NewTable([]trunk.Trunk{
			{Name: "phones", Match: []string{"192.0.2.0/24"}},
			{Name: "named", Targets: []trunk.Endpoint{{URI: "sip:b.example"}}, Limits: trunk.Limits{Calls: 1, CPS: 1}},
		}, nil)
		r.check(err)
		r.check(r.server.Apply(Settings{Trunks: table}))
		r.named("192.0.2.77", "192.0.2.78", "192.0.2.2")
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		if got := r.server.Trunks().Of("named").Stats(); got.Calls != 1 {
			t.Errorf("%d calls are counted", got.Calls)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestARelayedRequestWalksTheAddressesToo(t *testing.T) {
	play(t, &fixed{outside: toName}, func(r *rig) {
		r.silentAt("192.0.2.78:5060")
		r.named("192.0.2.77", "192.0.2.78", "192.0.2.2")
		r.ask(r.alice, "MESSAGE", nil)
		r.wait(r.bob, "MESSAGE").Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestARequestInADialogWalksTheAddressesOfItsRoute(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		c := r.answeredWith(func(res *message.Message) {
			res.Set("Contact", "<sip:bob@b.example>")
			r.named("192.0.2.77", "192.0.2.2")
		})
		info := func(at *simnet.Agent) {
			r.say(r.alice, c.alice, "INFO", nil)
			r.wait(at, "INFO").Reply(200, nil)
			r.wait(r.alice, "200 INFO")
		}
		info(r.bob) // the dialog stays where it is
		r.named("192.0.2.77", "192.0.2.3")
		info(r.carol)
		info(r.carol)
		r.say(r.alice, c.alice, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.carol, "BYE").Reply(200, nil)
	})
}

func TestAGoodbyeFindsAnotherAddressWhenOneIsRefused(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		c := r.answeredWith(func(res *message.Message) {
			res.Set("Contact", "<sip:bob@b.example>")
			r.named("192.0.2.2", "192.0.2.3")
		})
		r.bob.Close() // and carol is his other half
		c.rig.say(r.alice, c.alice, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.carol, "BYE").Reply(200, nil)
	})
}

func TestDeadEndsAreBoundedAndTriedByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadEnds
		flow := func(i int) transport.Flow {
			return transport.Flow{Listener: &transport.Listener{Network: "udp"}, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(i))}
		}
		one, two := flow(1), flow(2)
		both := []transport.Flow{one, two}
		d.bury(one, deadFor)
		if got := d.last(both); got[0] != two {
			t.Error("a dead end comes first")
		}
		time.Sleep(deadFor)
		if first, second := d.last(both), d.last(both); first[0] != one || second[0] != two {
			t.Error("not one trial but", slices.Index(first, one), slices.Index(second, one))
		}
		d.revive(one)
		if got := d.last(both); got[0] != one {
			t.Error("who has answered comes last")
		}
		for i := range 2 * maxDeadEnds {
			d.bury(flow(i), deadFor)
		}
		if len(d.until) > maxDeadEnds {
			t.Error(len(d.until), "dead ends")
		}
	})
}
