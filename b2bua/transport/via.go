package transport

import (
	"net/netip"
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// defaultPort stands where a Via or URI has none (RFC 3261 section 18.2.2).
const defaultPort = 5060

// securePort is the same for TLS.
const securePort = 5061

// Arrive writes into the top Via where a request came from: received when
// sent-by says something else (RFC 3261 section 18.2.1), rport and received
// when the client asked (RFC 3581 section 4).
func Arrive(m *message.Message, from netip.AddrPort) {
	v, params, ok := m.TopVia()
	if !ok {
		return
	}
	source := from.Addr().WithZone("")
	_, asked := message.ParamIn(params, "rport")
	if !asked && sameHost(v.Host, source) {
		return
	}
	v, _ = m.Via()
	v.Params.Set("received", source.String())
	if asked {
		v.Params.Set("rport", strconv.Itoa(int(from.Port())))
	}
	m.SetTopVia(v)
}

func sameHost(host string, source netip.Addr) bool {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && a.Unmap() == source
}

// ResponseFlow is where an answer to req goes (RFC 3261 section 18.2.2, RFC
// 3581 section 4). req came over f and has passed the transport. The address is
// always the source's, whatever the Via says, so that nobody makes us send to a
// third party; a connection that is gone is dialled at the port of sent-by.
func ResponseFlow(req *message.Message, f Flow) Flow {
	v, params, ok := req.TopVia()
	_, asked := message.ParamIn(params, "rport")
	if !ok || asked && !f.Stream() {
		return f
	}
	port := uint16(defaultPort)
	if f.Listener.Network == "tls" {
		port, f.name = securePort, strings.Trim(v.Host, "[]")
	}
	if v.Port != 0 {
		port = uint16(v.Port)
	}
	f.Remote = netip.AddrPortFrom(f.Remote.Addr(), port)
	return f
}
