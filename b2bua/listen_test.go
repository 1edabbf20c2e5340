package b2bua

import (
	"strings"
	"testing"

	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

func TestATrunksCallsLeaveFromItsListener(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			p := &fixed{}
			play(t, p, func(r *rig) {
				ca, err := simnet.NewAuthority("Test CA")
				r.check(err)
				for name, addr := range map[string]string{"one": "192.0.2.11:5070", "two": "192.0.2.12:5070", "three": "192.0.2.13:5070"} {
					_, err := r.server.Listen(transport.ListenerConfig{Name: name, Network: network, Address: addr, Identity: r.identity(ca, name+".example")})
					r.check(err)
				}
				callee, err := simnet.NewAgentAt(r.network, transport.ListenerConfig{Network: network, Address: "192.0.2.31:5070", Identity: r.identity(ca, "192.0.2.31")})
				r.check(err)
				defer callee.Close()
				table, err := trunk.NewTable([]trunk.Trunk{
					{Name: "phones", Match: []string{"192.0.2.1"}},
					{Name: "pbx", Listen: "two", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.31:5070;transport=" + network}}},
				}, nil)
				r.check(err)
				r.check(r.server.Apply(Settings{Trunks: table, DefaultRoute: "pbx"}))
				r.dial(sdpOffer)
				in := r.wait(callee, "INVITE")
				if got := in.Flow().Remote.Addr().String(); got != "192.0.2.12" || !strings.Contains(in.Get("Via"), " 192.0.2.12:5070;") || !strings.HasPrefix(contactOf(in.Message), "sip:192.0.2.12:5070") {
					t.Errorf("from %s, Via %s, Contact %s", got, in.Get("Via"), contactOf(in.Message))
				}
				if names := in.Flow().TLSNames(); network == "tls" && (len(names) != 1 || names[0] != "two.example") {
					t.Errorf("with the certificate of %q", names)
				}
				in.Reply(486, nil)
				r.wait(r.alice, "486")
			})
		})
	}
}
