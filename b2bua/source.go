package b2bua

import (
	"net/netip"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// knows tells whether a message in a dialog of the leg's may come over a flow:
// from where the peer was met, from its trunk, by certificate or address, or from
// a host that its Contact or route set names. A name in these is believed; nobody is kept
// waiting for a look-up.
func (s *Server) knows(l *leg, t *talk, from transport.Flow) bool {
	source := from.Remote.Addr().Unmap()
	if source == l.flow.Remote.Addr().Unmap() || l.trunk != nil && s.comesFrom(l.trunk.Name, from) {
		return true
	}
	if names(t.Target, source) {
		return true
	}
	for _, r := range t.Routes {
		if a, err := message.ParseAddr(r); err == nil && names(a.URI, source) {
			return true
		}
	}
	return false
}

// hasMoved lets a user who has changed its network go on with its call: it proves
// again who it is. To anybody else from elsewhere there is no such dialog.
func (c *Call) hasMoved(e request) bool {
	set := c.server.settings()
	p := c.server.prove(e.req, e.tx.Flow(), set)
	c.server.note(e.req, e.tx.Flow(), nil, p)
	switch {
	case e.leg != c.a || c.source.Account == "" || set.Users == nil || e.req.Method == "ACK":
		c.reply(e, 481, nil)
	case p.outcome == digest.OK && p.user == c.source.Account:
		e.leg.flow, e.leg.home = e.tx.Flow(), ""
		c.watch(e.leg)
		return true
	default:
		code, headers := c.server.refusal(e.tx.Flow(), set.Realm, p)
		res := c.responseTo(e.req, code, "", "")
		res.Headers = append(res.Headers, headers...)
		c.respond(e.tx, e.leg, res)
	}
	c.log().Warn("request in a dialog from elsewhere", "leg", e.leg.role.String(), "method", e.req.Method, "source", e.tx.Source().String())
	return false
}

// sourceAt is what a flow says of who is behind it.
func sourceAt(f transport.Flow) Source {
	s := Source{IP: f.Remote.Addr().Unmap().String(), Port: int(f.Remote.Port()), Transport: f.Network(), Listener: f.Listener.Name}
	if names := f.TLSNames(); len(names) > 0 {
		s.TLSName = names[0]
	}
	return s
}

// neighbour is the trunk that a message comes from, and the name in the peer's
// certificate that says so or else its first. A certificate says more than an
// address, and an address more than the listener.
func (s *Settings) neighbour(f transport.Flow) (t *trunk.Trunk, name string) {
	names := f.TLSNames()
	if t, name = s.Trunks.MatchName(names); t != nil {
		return t.Of(f.Remote.Addr()), name
	}
	if t, _ = s.Trunks.Match(f.Remote.Addr()); t == nil && f.Listener != nil {
		t = s.Trunks.MatchListener(f.Listener.Name)
	}
	if len(names) > 0 {
		name = names[0]
	}
	return t.Of(f.Remote.Addr()), name
}

// names tells whether a URI's host is that address, or a name.
func names(uri string, addr netip.Addr) bool {
	u, err := message.ParseURI(uri)
	if err != nil {
		return false
	}
	host, err := netip.ParseAddr(u.BareHost())
	return err != nil || host.Unmap() == addr
}

// comesFrom tells whether what comes over a flow is that trunk's by the live
// settings.
func (s *Server) comesFrom(name string, f transport.Flow) bool {
	t, _ := s.settings().neighbour(f)
	return t != nil && t.Name == name
}

// sameTrunk tells whether the live settings know an address as that trunk's.
func (s *Server) sameTrunk(name string, addr netip.Addr) bool {
	t, _ := s.settings().Trunks.Match(addr)
	return t != nil && t.Name == name
}

// alias tells whether a response may come from another address than its request
// went to: both are of one trunk.
func (s *Server) alias(asked, answered netip.Addr) bool {
	t, _ := s.settings().Trunks.Match(asked)
	return t != nil && s.sameTrunk(t.Name, answered)
}
