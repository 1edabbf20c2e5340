package luatest

import (
	"fmt"
	"net/netip"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// invitation is what t.invite or t.request is given.
type invitation struct {
	method       string
	to, from, id string
	trunk        string
	stranger     bool                // from no trunk
	seen         seen                // the INVITE, as it was written down; zero: one is made
	at           netip.Addr          // where it comes from; the zero value: from the trunk
	auth         *digest.Credentials // of the caller; nil: none
	content
}

// maxCalls bounds the calls of one test, maxLadders those that are drawn when
// it fails.
const (
	maxCalls   = 2000
	maxLadders = 3
	maxText    = 60_000 // bytes of a body or a file: more does not fit a datagram
)

// invite begins a call, or sends a request outside any.
func (s *stage) invite(i invitation) (*call, error) {
	if len(s.calls) >= maxCalls {
		return nil, fmt.Errorf("a test makes at most %d calls", maxCalls)
	}
	at, err := s.source(i)
	if err != nil {
		return nil, err
	}
	agent, err := s.caller(at)
	if err != nil {
		return nil, err
	}
	m, err := s.compose(agent, i)
	if err != nil {
		return nil, err
	}
	l := &leg{
		stage: s, agent: agent, peer: engineFor(at), name: "a", invite: m, key: keyOf(m.CallID(), m.FromTag()),
		asked: isSDP(m), media: 1, auth: i.auth,
	}
	engine := netip.MustParseAddrPort(l.peer)
	l.source = b2bua.Source{IP: engine.Addr().String(), Port: int(engine.Port())}
	c := &call{stage: s, a: l}
	s.mu.Lock()
	if s.legs[l.key] != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("there is a call with the Call-ID %s and this From tag already", m.CallID())
	}
	s.legs[l.key] = l
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	client, err := agent.Send(m, l.peer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	l.client = client
	s.mu.Unlock()
	s.settle()
	return c, nil
}

// source is the address that a call comes from.
func (s *stage) source(i invitation) (netip.Addr, error) {
	names := s.near.table.Names()
	list := strings.Join(names, ", ")
	switch {
	case i.at.IsValid():
		return i.at, placed(i.at)
	case i.trunk != "":
		if s.near.table.Get(i.trunk) == nil {
			if list == "" {
				list = "none"
			}
			return netip.Addr{}, fmt.Errorf("from_trunk: there is no trunk %q; there are: %s", i.trunk, list)
		}
		addr, ok := s.near.sources[i.trunk]
		if !ok {
			return netip.Addr{}, fmt.Errorf("from_trunk: narrower trunks cover every address of %s", i.trunk)
		}
		return addr, nil
	case !i.stranger && i.seen.pcap != "":
		if at, ok, err := s.seenFrom(i.seen); ok || err != nil {
			return at, err
		}
	}
	switch {
	case i.stranger || len(names) == 0 || s.cfg.Server.Settings.UnknownSources == b2bua.AllowUnknown:
		return s.near.stranger()
	case len(names) == 1 && s.near.sources[names[0]].IsValid():
		return s.near.sources[names[0]], nil
	}
	return netip.Addr{}, fmt.Errorf("from_trunk is missing; one of: %s (or false for a source that nobody knows)", list)
}

// compose makes the request.
func (s *stage) compose(agent *simnet.Agent, i invitation) (*message.Message, error) {
	m := agent.Invite(i.to, "")
	m.Method = i.method
	m.Set("CSeq", "1 "+i.method)
	switch i.method {
	case "REGISTER":
		if i.to != "" {
			enrol(m)
		}
	case "MESSAGE":
		m.Del("Contact") // RFC 3428 section 8
	}
	if i.seen != (seen{}) {
		read, err := s.fixture(i.seen, m)
		if err != nil {
			return nil, err
		}
		if m = read; i.to != "" {
			m.URI = i.to
			m.Set("To", "<"+i.to+">")
		}
	}
	if i.id != "" {
		m.Set("Call-ID", i.id)
	}
	if i.from != "" {
		from := i.from
		if !strings.Contains(from, "<") {
			from = "<" + from + ">"
		}
		m.Set("From", message.WithTag(from, m.FromTag()))
	}
	if i.seen == (seen{}) && !i.given {
		body, err := offer(agent.Addr.Addr(), 1)
		if err != nil {
			return nil, err
		}
		i.body, i.given = body, true
	}
	i.put(m)
	return m, nil
}

// enrol makes a REGISTER of it: sent to the domain, for the one who sends it
// (RFC 3261 section 10.2).
func enrol(m *message.Message) {
	if u, err := message.ParseURI(m.URI); err == nil {
		m.URI = message.URI{Scheme: u.Scheme, Host: u.Host, Port: u.Port}.String()
	}
	m.Set("From", message.WithTag(m.Get("To"), m.FromTag()))
}
