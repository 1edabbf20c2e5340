package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"legwork/b2bua/message"
)

// ErrUnsupported is why a URI can't be reached from here at all.
var ErrUnsupported = errors.New("not supported yet")

var errWeb = errors.New("a WebSocket client can't be dialled: it is reached over the connection it has opened")

// Resolve turns a SIP URI into the addresses to try, in order: an IP literal
// as it is, a name's A and AAAA as the resolver gives them but for those that
// no listener can reach. maddr stands before the host (RFC 3261 section 19.1.1). UDP and port 5060 stand where
// the URI names none, TLS and 5061 where it is sips (RFC 5630).
func (t *Transport) Resolve(ctx context.Context, uri string) ([]Hop, error) {
	u, err := message.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	network, err := networkOf(u)
	if err != nil {
		return nil, err
	}
	port := uint16(defaultPort)
	if network == "tls" {
		port = securePort
	}
	if u.Port != 0 {
		port = uint16(u.Port)
	}
	host := u.BareHost()
	if maddr, ok := u.Params.Get("maddr"); ok && maddr != "" {
		host = strings.TrimSuffix(strings.TrimPrefix(maddr, "["), "]")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []Hop{{network, netip.AddrPortFrom(a.Unmap(), port), u.BareHost()}}, nil
	}
	addrs, err := t.config.Network.LookupNetIP(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	var hops []Hop
	for _, a := range addrs {
		if h := (Hop{network, netip.AddrPortFrom(a.Unmap(), port), u.BareHost()}); len(t.able(h, "")) > 0 {
			hops = append(hops, h)
		}
	}
	if len(hops) == 0 {
		return nil, fmt.Errorf("look up %s: none of %d addresses can be reached over %s", host, len(addrs), network)
	}
	return hops, nil
}

// networkOf reads the transport of a URI. sips over any stream is TLS: its tls
// and tcp mean the same (RFC 3261 section 26.2.2).
func networkOf(u message.URI) (string, error) {
	network, given := u.Params.Get("transport")
	network = strings.ToLower(network)
	switch {
	case !u.IsSIP():
		return "", fmt.Errorf("scheme %s: %w", u.Scheme, ErrUnsupported)
	case u.Scheme == "sips" && (!given || network == "tcp" || network == "tls"):
		return "tls", nil
	case network == "ws" || network == "wss":
		return "", errWeb
	case u.Scheme == "sips" && network == "udp":
		return "", errors.New("sips can't go over udp")
	case !given:
		return "udp", nil
	case network != "udp" && network != "tcp" && network != "tls":
		return "", fmt.Errorf("transport %s: %w", network, ErrUnsupported)
	}
	return network, nil
}
