package b2bua

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// Flow C31: requests in a dialog follow its route set (RFC 3261 section 12.2.1.1),
// through carol as the proxy.

const (
	looseProxy  = "<sip:192.0.2.3:5060;lr;did=1a.2b>"
	strictProxy = "<sip:192.0.2.3:5060;did=1a.2b>"
	farProxy    = "<sip:198.51.100.9;lr>"
)

// path is what a request that reached the proxy must look like.
type path struct {
	record []string // Record-Route as the proxy writes it
	uri    string
	route  []string
}

// pathsTo are the paths of requests towards a remote target; the last proxy of
// record is next to us.
func pathsTo(target string) map[string]path {
	return map[string]path{
		"loose":           {[]string{looseProxy}, target, []string{looseProxy}},
		"loose, then far": {[]string{farProxy, looseProxy}, target, []string{looseProxy, farProxy}},
		"strict": {
			[]string{strictProxy},
			"sip:192.0.2.3:5060;did=1a.2b",
			[]string{"<" + target + ">"},
		},
		"strict, then far": {
			[]string{farProxy, strictProxy},
			"sip:192.0.2.3:5060;did=1a.2b",
			[]string{farProxy, "<" + target + ">"},
		},
	}
}

func (p path) check(t *testing.T, in *simnet.Incoming) {
	t.Helper()
	if in.URI != p.uri || !slices.Equal(in.List("Route"), p.route) {
		t.Errorf("%s to %s by %q, want %s by %q", in.Name(), in.URI, in.List("Route"), p.uri, p.route)
	}
}

func TestRequestsToTheCalleeFollowItsRouteSet(t *testing.T) {
	for name, p := range pathsTo("sip:192.0.2.2:5060") {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				d := r.dial(sdpOffer)
				r.wait(r.bob, "INVITE").Reply(200, func(res *message.Message) {
					withSDP(res)
					for _, rr := range p.record {
						res.Add("Record-Route", rr)
					}
				})
				ok := r.wait(r.alice, "200")
				alice := r.alice.Dialog(d.req, ok.Message, false)
				if got := ok.List("Record-Route"); len(got) > 0 {
					t.Errorf("the callee's proxies are told to the caller: %q", got)
				}
				r.ack(alice, 1, "")
				p.check(t, r.wait(r.carol, "ACK"))
				r.say(r.alice, alice, "INFO", nil)
				info := r.wait(r.carol, "INFO")
				p.check(t, info)
				info.Reply(200, nil)
				r.say(r.alice, alice, "BYE", nil)
				bye := r.wait(r.carol, "BYE")
				p.check(t, bye)
				bye.Reply(200, nil)
				r.wait(r.alice, "200 BYE")
			})
		})
	}
}

func TestRequestsToTheCallerFollowItsRouteSet(t *testing.T) {
	for name, p := range pathsTo("sip:192.0.2.1:5060") {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
				for _, rr := range slices.Backward(p.record) { // the UAS reads it as it stands
					req.Add("Record-Route", rr)
				}
				_, err := r.alice.Send(req, sbc)
				r.check(err)
				in := r.wait(r.bob, "INVITE")
				if in.Get("Record-Route")+in.Get("Route") != "" {
					t.Error("the caller's proxies are told to the callee")
				}
				sent := in.Reply(200, withSDP)
				ok := r.wait(r.alice, "200")
				if want := req.List("Record-Route"); !slices.Equal(ok.List("Record-Route"), want) {
					t.Errorf("200 has Record-Route %q, want %q", ok.List("Record-Route"), want)
				}
				r.ack(r.alice.Dialog(req, ok.Message, false), 1, "")
				r.wait(r.bob, "ACK")
				r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
				bye := r.wait(r.carol, "BYE")
				p.check(t, bye)
				bye.Reply(200, nil)
				r.wait(r.bob, "200 BYE")
			})
		})
	}
}

// A callee's own connection does not serve its neighbour on the same host: the
// ACK goes where the Contact says.
func TestAContactOnAnotherPortIsAnotherNeighbour(t *testing.T) {
	toProxy := func(context.Context, View) Decided { return routeTo("192.0.2.3:5080;transport=tcp") }
	play(t, &fixed{invite: toProxy}, func(r *rig) {
		proxy, err := simnet.NewAgent(r.network, "tcp", "192.0.2.3:5080")
		r.check(err)
		defer proxy.Close()
		behind, err := simnet.NewAgent(r.network, "tcp", "192.0.2.3:5090")
		r.check(err)
		defer behind.Close()
		d := r.dial(sdpOffer)
		r.wait(proxy, "INVITE").Reply(200, func(res *message.Message) {
			withSDP(res)
			res.Set("Contact", behind.Contact())
		})
		ok := r.wait(r.alice, "200")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(alice, 1, "")
		r.wait(behind, "ACK")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(behind, "BYE").Reply(200, nil)
		r.wait(r.alice, "200 BYE")
	})
}

func TestAGoodbyeToANameThatIsNotFoundLeavesNothing(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(200, func(m *message.Message) {
			withSDP(m)
			m.Set("Contact", "<sip:bob@gone.example>")
		})
		alice := r.alice.Dialog(d.req, r.wait(r.alice, "200").Message, false)
		r.ack(alice, 1, "")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.alice, "200 BYE")
	})
}

// A phone that opens a new connection is there from then on: nobody listens at
// its Contact (flow C32).
func TestAPhoneThatHasReconnectedIsCalledOverItsNewConnection(t *testing.T) {
	for _, contact := range []string{"<sip:phone@192.0.2.77:6000;transport=tcp>", "<sip:phone@10.1.1.1:5060;transport=tcp>"} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			open := func() *simnet.Agent {
				phone, err := simnet.NewAgent(r.network, "tcp", "192.0.2.77:5060")
				r.check(err)
				return phone
			}
			here := func(m *message.Message) { m.Set("Contact", contact) }
			phone := open()
			req := phone.Invite("sip:bob@"+sbc, sdpOffer)
			here(req)
			_, err := phone.Send(req, sbc)
			r.check(err)
			in := r.wait(r.bob, "INVITE")
			sent := in.Reply(200, withSDP)
			d := phone.Dialog(req, r.wait(phone, "200").Message, false)
			_, err = phone.SendACK(phone.In(d, "ACK", 1), sbc)
			r.check(err)
			r.wait(r.bob, "ACK")
			synctest.Wait() // the phone's has arrived
			phone.Close()

			phone = open()
			defer phone.Close()
			r.say(phone, d, "INFO", nil)
			r.wait(r.bob, "INFO").Reply(200, nil)
			r.wait(phone, "200 INFO")
			r.say(r.bob, r.bob.Dialog(in.Message, sent, true), "BYE", nil)
			r.wait(phone, "BYE").Reply(200, nil)
			r.wait(r.bob, "200 BYE")
		})
	}
}
