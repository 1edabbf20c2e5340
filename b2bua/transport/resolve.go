package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/resolve"
)

// ErrUnsupported is why a URI can't be reached from here at all.
var ErrUnsupported = errors.New("not supported yet")

var errWeb = errors.New("a WebSocket client can't be dialled: it is reached over the connection it has opened")

// Bounds of what one URI leads to.
const (
	mostRules    = 8               // of NAPTR records
	mostServers  = 16              // of SRV records
	mostHops     = 16              // addresses
	optionalWait = 2 * time.Second // for NAPTR, which few zones have and some resolvers do not know
)

// Resolve turns a SIP URI into the addresses to try, in order (RFC 3263 section
// 4): an IP literal as it is; a name with a port by its A and AAAA; else by SRV,
// whose transport the URI names or NAPTR does, and by A and AAAA when there are
// none. Those that no listener can reach are left out. maddr stands before the
// host (RFC 3261 section 19.1.1). UDP and port 5060 stand where nothing says
// otherwise, TLS and 5061 where the URI is sips (RFC 5630).
func (t *Transport) Resolve(ctx context.Context, uri string) ([]Hop, error) {
	u, err := message.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	network, err := networkOf(u)
	if err != nil {
		return nil, err
	}
	host := u.BareHost()
	if maddr, ok := u.Params.Get("maddr"); ok && maddr != "" {
		host = strings.TrimSuffix(strings.TrimPrefix(maddr, "["), "]")
	}
	usual := "udp"
	if u.Scheme == "sips" {
		usual = "tls"
	}
	if a, err := netip.ParseAddr(host); err == nil {
		h := Hop{Network: cmp.Or(network, usual), Either: network == "" && usual == "udp", Host: u.BareHost()}
		h.Remote = netip.AddrPortFrom(a.Unmap(), portOr(u.Port, h.Network))
		return []Hop{h}, nil
	}
	w := walk{t: t, host: host, proves: u.BareHost(), usual: usual, fit: []string{"udp", "tcp"}}
	if usual == "tls" {
		w.fit = []string{"tls"}
	}
	if err := w.names(ctx, network, u.Port); err != nil {
		return nil, err
	}
	if len(w.hops) == 0 {
		return nil, fmt.Errorf("look up %s: none of %d addresses can be reached over %s", host, w.unable, cmp.Or(network, w.usual))
	}
	return w.hops, nil
}

// networkOf reads the transport of a URI; "" when it names none. sips over any
// stream is TLS: its tls and tcp mean the same (RFC 3261 section 26.2.2).
func networkOf(u message.URI) (string, error) {
	network, given := u.Params.Get("transport")
	network = strings.ToLower(network)
	switch {
	case !u.IsSIP():
		return "", fmt.Errorf("scheme %s: %w", u.Scheme, ErrUnsupported)
	case !given:
		return "", nil
	case u.Scheme == "sips" && (network == "tcp" || network == "tls"):
		return "tls", nil
	case network == "ws" || network == "wss":
		return "", errWeb
	case u.Scheme == "sips" && network == "udp":
		return "", errors.New("sips can't go over udp")
	case network != "udp" && network != "tcp" && network != "tls":
		return "", fmt.Errorf("transport %s: %w", network, ErrUnsupported)
	}
	return network, nil
}

func portOr(port int, network string) uint16 {
	switch {
	case port != 0:
		return uint16(port)
	case network == "tls":
		return securePort
	}
	return defaultPort
}

// walk is the way from a host name to hops.
type walk struct {
	t      *Transport
	host   string
	proves string   // host that a certificate must be for: the URI's, whatever the DNS says (RFC 5922 section 4)
	usual  string   // network where nothing says otherwise
	fit    []string // networks of the scheme, the one that is liked best first
	either bool     // neither URI nor DNS says which network
	hops   []Hop
	unable int      // addresses that no listener reaches
	none   []string // networks that the DNS says there is no service over
}

// names walks from the name; network is "" and port 0 where the URI says
// nothing of them.
func (w *walk) names(ctx context.Context, network string, port int) error {
	if port == 0 {
		if w.services(ctx, network); len(w.hops) > 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("look up %s: %w", w.host, err)
		}
		if over := cmp.Or(network, w.usual); slices.Contains(w.none, over) {
			return fmt.Errorf("look up %s: its SRV record says that there is no service over %s: %w", w.host, over, resolve.ErrNotFound)
		}
	}
	addrs, err := w.t.config.Network.LookupNetIP(ctx, w.host)
	if err != nil {
		return fmt.Errorf("look up %s: %w", w.host, err)
	}
	w.either = network == "" && w.usual == "udp"
	network = cmp.Or(network, w.usual)
	w.add(network, addrs, portOr(port, network))
	return nil
}

// services walks by NAPTR and SRV. A look-up that fails is as good as one that
// finds nothing: the name's addresses are left.
func (w *walk) services(ctx context.Context, network string) {
	if network != "" {
		w.servers(ctx, network, serviceName(network)+w.host)
		return
	}
	patience, cancel := context.WithTimeout(ctx, optionalWait)
	rules, _ := w.t.config.Network.LookupNAPTR(patience, w.host)
	cancel()
	ruled := false
	for _, r := range rules[:min(len(rules), mostRules)] {
		network := networkOfService(r.Service)
		if strings.EqualFold(r.Flags, "s") && r.Replacement != "" && w.fits(network) {
			w.servers(ctx, network, r.Replacement)
			ruled = true
		}
	}
	for _, network := range w.fit {
		if !ruled && len(w.hops) == 0 && w.t.speaks(network) {
			w.servers(ctx, network, serviceName(network)+w.host)
		}
	}
}

// fits tells whether a NAPTR record may choose a network: any for sip, and TLS
// alone for sips (RFC 3263 section 4.1).
func (w *walk) fits(network string) bool {
	return (w.usual == "udp" || network == "tls") && w.t.speaks(network)
}

// serviceName stands before a host in the name of its SRV records (RFC 3263
// section 4.1).
func serviceName(network string) string {
	if network == "tls" {
		return "_sips._tcp."
	}
	return "_sip._" + network + "."
}

// networkOfService reads the service of a NAPTR record; "" for others.
func networkOfService(service string) string {
	switch strings.ToUpper(service) {
	case "SIP+D2U":
		return "udp"
	case "SIP+D2T":
		return "tcp"
	case "SIPS+D2T":
		return "tls"
	}
	return ""
}

// servers adds what the SRV records of a name lead to. Their addresses are
// looked up side by side. A single record with "." rules the service out (RFC 2782).
func (w *walk) servers(ctx context.Context, network, name string) {
	list, err := w.t.config.Network.LookupSRV(ctx, name)
	if err != nil {
		return
	}
	if len(list) == 1 && list[0].Target == "." {
		w.none = append(w.none, network)
	}
	list = resolve.Draw(slices.Clone(list), w.t.config.Rand)
	list = list[:min(len(list), mostServers)]
	found := make([][]netip.Addr, len(list))
	var all sync.WaitGroup
	for i, s := range list {
		if s.Target == "." || s.Target == "" || s.Port == 0 {
			continue
		}
		all.Go(func() { found[i], _ = w.t.config.Network.LookupNetIP(ctx, s.Target) })
	}
	all.Wait()
	for i, s := range list {
		w.add(network, found[i], s.Port)
	}
}

func (w *walk) add(network string, addrs []netip.Addr, port uint16) {
	for _, a := range addrs {
		h := Hop{Network: network, Remote: netip.AddrPortFrom(a.Unmap(), port), Either: w.either, Host: w.proves}
		switch {
		case len(w.t.able(h, "")) == 0:
			w.unable++
		case len(w.hops) < mostHops && !slices.Contains(w.hops, h):
			w.hops = append(w.hops, h)
		}
	}
}

// speaks tells whether there is a listener for a network.
func (t *Transport) speaks(network string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.listeners, func(l *Listener) bool { return l.Network == network })
}
