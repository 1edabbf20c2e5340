package transport_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/resolve"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

// locating opens listeners for networks, "udp" or "udp6", and resolves URIs
// against the names of a network.
func locating(t *testing.T, n *simnet.Network, networks ...string) func(uri string) string {
	t.Helper()
	tr := transport.New(transport.Config{
		Handler: func(*message.Message, transport.Flow) {}, Network: n, Rand: func() float64 { return 0.5 },
	})
	t.Cleanup(tr.Close)
	for _, network := range networks {
		c := transport.ListenerConfig{Name: network, Network: strings.TrimSuffix(network, "6"), Address: "192.0.2.100:5060"}
		switch {
		case strings.HasSuffix(network, "6"):
			c.Address = "[2001:db8::100]:5060"
		case network == "tls":
			c.Address, c.Identity = "192.0.2.100:5061", &transport.Identity{Certificate: certificate(t, authority(t), "us.example")}
		}
		if _, err := tr.Listen(c); err != nil {
			t.Fatal(err)
		}
	}
	return func(uri string) string {
		hops, err := tr.Resolve(t.Context(), uri)
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, h := range hops {
			all = append(all, h.Network+" "+h.Remote.String())
		}
		return strings.Join(all, ", ")
	}
}

func host(n *simnet.Network, name string, addrs ...string) {
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	n.Host(name, list...)
}

// carrier is a zone like the one of RFC 3263 section 4.1.
func carrier() *simnet.Network {
	n := simnet.New(simnet.Faults{})
	n.Rules("carrier.example",
		resolve.NAPTR{Order: 50, Preference: 50, Flags: "s", Service: "SIPS+D2T", Replacement: "_sips._tcp.carrier.example"},
		resolve.NAPTR{Order: 90, Preference: 50, Flags: "s", Service: "SIP+D2T", Replacement: "_sip._tcp.carrier.example"},
		resolve.NAPTR{Order: 100, Preference: 50, Flags: "S", Service: "SIP+D2U", Replacement: "_sip._udp.carrier.example"})
	n.Service("_sips._tcp.carrier.example", resolve.SRV{Target: "s1.carrier.example", Port: 5071})
	n.Service("_sip._tcp.carrier.example", resolve.SRV{Target: "s1.carrier.example", Port: 5060, Priority: 1}, resolve.SRV{Target: "s2.carrier.example", Port: 5062, Priority: 2})
	n.Service("_sip._udp.carrier.example", resolve.SRV{Target: "s2.carrier.example", Port: 5060})
	host(n, "s1.carrier.example", "192.0.2.1", "2001:db8::1")
	host(n, "s2.carrier.example", "192.0.2.2", "192.0.2.3")
	host(n, "carrier.example", "192.0.2.9")
	return n
}

func TestNAPTRChoosesAmongTheTransportsSpokenHere(t *testing.T) {
	for speaks, want := range map[string]string{
		"udp":         "udp 192.0.2.2:5060, udp 192.0.2.3:5060",
		"tcp":         "tcp 192.0.2.1:5060, tcp 192.0.2.2:5062, tcp 192.0.2.3:5062",
		"udp tcp":     "tcp 192.0.2.1:5060, tcp 192.0.2.2:5062, tcp 192.0.2.3:5062, udp 192.0.2.2:5060, udp 192.0.2.3:5060",
		"udp tls":     "tls 192.0.2.1:5071, udp 192.0.2.2:5060, udp 192.0.2.3:5060",
		"tcp6 tcp":    "tcp 192.0.2.1:5060, tcp [2001:db8::1]:5060, tcp 192.0.2.2:5062, tcp 192.0.2.3:5062",
		"udp6":        "look up carrier.example: none of 3 addresses can be reached over udp",
		"tcp6":        "tcp [2001:db8::1]:5060",
		"udp udp6 ws": "udp 192.0.2.2:5060, udp 192.0.2.3:5060",
	} {
		if got := locating(t, carrier(), strings.Fields(speaks)...)("sip:bob@carrier.example"); got != want {
			t.Errorf("with %s: %s, want %s", speaks, got, want)
		}
	}
}

func TestTransportPortAndLiteralsDecideHowNamesAreAsked(t *testing.T) {
	find := locating(t, carrier(), "udp", "tcp", "tls")
	for uri, want := range map[string]string{
		"sip:bob@carrier.example;transport=udp":  "udp 192.0.2.2:5060, udp 192.0.2.3:5060",
		"sip:bob@carrier.example;transport=tls":  "tls 192.0.2.1:5071",
		"sip:bob@carrier.example:5080":           "udp 192.0.2.9:5080",
		"sip:carrier.example:5060;transport=tcp": "tcp 192.0.2.9:5060",
		"sips:bob@carrier.example":               "tls 192.0.2.1:5071",
		"sips:bob@carrier.example:5099":          "tls 192.0.2.9:5099",
		"sip:bob@192.0.2.7":                      "udp 192.0.2.7:5060",
		"sips:bob@192.0.2.7":                     "tls 192.0.2.7:5061",
		"sip:x.example;maddr=carrier.example":    "tls 192.0.2.1:5071, tcp 192.0.2.1:5060, tcp 192.0.2.2:5062, tcp 192.0.2.3:5062, udp 192.0.2.2:5060, udp 192.0.2.3:5060",
	} {
		if got := find(uri); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

func TestWithoutNAPTRTheFirstTransportWithSRVIsTaken(t *testing.T) {
	n := simnet.New(simnet.Faults{})
	n.Service("_sip._tcp.b.example", resolve.SRV{Target: "s.b.example", Port: 5070})
	host(n, "s.b.example", "192.0.2.5")
	host(n, "b.example", "192.0.2.6", "192.0.2.7")
	find := locating(t, n, "udp", "tcp")
	if got := find("sip:b.example"); got != "tcp 192.0.2.5:5070" {
		t.Error("got", got)
	}
	if got := find("sip:b.example;transport=udp"); got != "udp 192.0.2.6:5060, udp 192.0.2.7:5060" {
		t.Error("without SRV:", got)
	}
	n.Service("_sip._udp.b.example", resolve.SRV{Target: ".", Port: 5060})
	if got := find("sip:b.example"); got != "tcp 192.0.2.5:5070" {
		t.Error("with UDP ruled out:", got)
	}
	if got := find("sip:b.example;transport=udp"); got != "look up b.example: its SRV record says that there is no service over udp: no such name or record" {
		t.Error("over UDP all the same:", got)
	}
	if got := find("sip:b.example:5060"); got != "udp 192.0.2.6:5060, udp 192.0.2.7:5060" {
		t.Error("with a port:", got)
	}
}

func TestServersAreWalkedByPriorityAndThenByLot(t *testing.T) {
	n := simnet.New(simnet.Faults{})
	n.Service("_sip._udp.b.example",
		resolve.SRV{Target: "backup.example", Port: 5060, Priority: 20, Weight: 60},
		resolve.SRV{Target: "light.example", Port: 5060, Priority: 10, Weight: 10},
		resolve.SRV{Target: "heavy.example", Port: 5061, Priority: 10, Weight: 90},
		resolve.SRV{Target: "gone.example", Port: 5060, Priority: 5})
	host(n, "backup.example", "192.0.2.1")
	host(n, "light.example", "192.0.2.2")
	host(n, "heavy.example", "192.0.2.3", "192.0.2.4")
	want := "udp 192.0.2.3:5061, udp 192.0.2.4:5061, udp 192.0.2.2:5060, udp 192.0.2.1:5060"
	if got := locating(t, n, "udp")("sip:b.example"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAHostileZoneLeadsToFewPlaces(t *testing.T) {
	n := simnet.New(simnet.Faults{})
	var rules []resolve.NAPTR
	for i := range 100 {
		service := fmt.Sprintf("_sip._udp.%d.b.example", i)
		rules = append(rules, resolve.NAPTR{Flags: "s", Service: "SIP+D2U", Replacement: service})
		var servers []resolve.SRV
		for j := range 100 {
			name := fmt.Sprintf("s%d.%d.example", j, i)
			servers = append(servers, resolve.SRV{Target: name, Port: 5060})
			host(n, name, fmt.Sprintf("192.0.2.%d", j))
		}
		n.Service(service, servers...)
	}
	n.Rules("b.example", rules...)
	hops := strings.Split(locating(t, n, "udp")("sip:b.example"), ", ")
	if len(hops) != 16 {
		t.Error(len(hops), hops)
	}
}
