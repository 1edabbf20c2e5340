package b2bua

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// BenchmarkCall is a whole call between two agents of simnet: INVITE, 180, 200,
// ACK, BYE, 200 on both legs. What the agents cost is in it; it is for
// comparing two versions of the engine by allocations, which no load disturbs.
func BenchmarkCall(b *testing.B) {
	table, err := trunk.NewTable([]trunk.Trunk{{Name: "phones", Match: []string{"192.0.2.0/24"}}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	network := simnet.New(simnet.Faults{})
	s, err := New(Config{Policy: &fixed{invite: toBob}, Network: network, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Settings: Settings{Trunks: table}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err = s.Listen(transport.ListenerConfig{Name: "udp", Network: "udp", Address: sbc}); err != nil {
		b.Fatal(err)
	}
	alice, bob := benchAgent(b, network, "192.0.2.1:5060"), benchAgent(b, network, "192.0.2.2:5060")
	b.ReportAllocs()
	for b.Loop() {
		req := alice.Invite("sip:bob@"+sbc, sdpOffer)
		_, _ = alice.Send(req, sbc)
		in := next(b, bob, "INVITE")
		in.Reply(180, nil)
		in.Reply(200, withSDP)
		ok := next(b, alice, "200")
		d := alice.Dialog(req, ok.Message, false)
		_, _ = alice.SendACK(alice.In(d, "ACK", 1), sbc)
		next(b, bob, "ACK")
		_, _ = alice.Send(alice.In(d, "BYE", d.Next()), sbc)
		next(b, bob, "BYE").Reply(200, nil)
		next(b, alice, "200 BYE")
		next(b, alice, "180")
		next(b, alice, "100")
	}
}

func next(b *testing.B, a *simnet.Agent, want string) *simnet.Incoming {
	b.Helper()
	in, err := a.Next(time.Second, want)
	if err != nil {
		b.Fatal(err)
	}
	return in
}

func benchAgent(b *testing.B, n *simnet.Network, addr string) *simnet.Agent {
	b.Helper()
	a, err := simnet.NewAgent(n, "udp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return a
}
