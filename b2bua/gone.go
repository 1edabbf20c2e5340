package b2bua

import (
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// Only its connection leads to a WebSocket client (RFC 7118). When that ends, who
// has not answered yet is lost, and who is talking may come back over another. So
// may a client of TCP and TLS; nobody waits for that one, since a request of ours may
// also find the address in its Contact. What NAT has in front of a client of UDP may
// give it another port (flow C32).

// comeBack is how long a call waits for that: as long as a request of ours would
// wait for an answer.
const comeBack = 32 * time.Second

// flowFailed is the Reason of a call that ends because nobody came back.
const flowFailed = `SIP;cause=430;text="Flow Failed"`

// gone says that the connection of a leg has ended, and once more when its time to
// come back is over.
type gone struct {
	leg  *leg
	was  transport.Flow
	now  transport.Flow // where its peer has registered since; the zero value: nowhere
	late bool
}

func (gone) event() {}

// watch has the call told when the connection of a WebSocket client ends.
func (c *Call) watch(l *leg) {
	if l.flow.Listener == nil || !l.flow.Listener.Web() {
		return
	}
	at := l.flow
	c.whenOver(at.Watch(func() { c.post(gone{leg: l, was: at}) }))
}

// bereft takes that the connection of a leg has ended.
func (c *Call) bereft(e gone, stay phase) phase {
	l := e.leg
	switch {
	case l.flow != e.was: // it has come back
	case !c.answered && l == c.a: // it can be told nothing, nor cancel any more
		c.rejectCaller(487, "", "caller")
		return c.clear(goodbye{by: "caller", from: l, cause: flowFailed})
	case l.state == legCalling:
		l.cancel("")
		return c.lost(l, c.failureOf(480, ""), OriginTransport)
	case !c.answered || l != c.a && l != c.b:
	case !e.late:
		aor, contact := c.registeredAs(l), l.dialog.Target
		time.AfterFunc(comeBack, func() {
			e.now, e.late = c.server.rejoined(aor, contact, e.was), true
			c.post(e)
		})
	case e.now.Listener != nil:
		l.flow = e.now
		c.watch(l)
	default:
		c.log().Info("the connection of a WebSocket client is gone", "leg", l.role.String())
		return c.clear(goodbye{by: l.who(), from: l, cause: flowFailed})
	}
	return stay
}

// returned lets a client go on over another connection: its request came by that,
// and the one it had is gone, or nothing else leads to it and who knows whether it
// is: a NAT that starts again tells nobody.
func (c *Call) returned(e request) {
	l, f := e.leg, e.tx.Flow()
	if f != l.flow && (replaces(f, l.flow) && (l.cutOff() || l.hasFlowOnly()) || l.rebound(f)) {
		l.flow = f
		c.watch(l)
	}
}

// hasFlowOnly tells whether the leg's peer has no address but its flow.
func (l *leg) hasFlowOnly() bool {
	return l.home != "" || l.flow.Listener != nil && l.flow.Listener.Web()
}

// cutOff tells whether the leg's peer is a client whose connection has ended.
func (l *leg) cutOff() bool {
	if l.flow.Listener != nil && l.flow.Listener.Web() {
		return !l.flow.Accepted()
	}
	return l.flow.Left()
}

// replaces tells whether a client that was met on one connection may go on by
// another that it has opened: not by one that others can read, if it was not one
// before.
func replaces(now, was transport.Flow) bool {
	return was.Listener != nil && was.Stream() && now.Accepted() && now.Listener.Web() == was.Listener.Web() && (now.Secure() || !was.Secure())
}

// rebound tells whether f is the leg's own path but for the port that its NAT has
// chosen.
func (l *leg) rebound(f transport.Flow) bool {
	return l.home != "" && !f.Stream() && f.Listener == l.flow.Listener && f.Remote.Addr() == l.flow.Remote.Addr()
}

// rejoin finds the connection on which the contact of a leg has registered since
// the leg's own ended, outside the mailbox, because the store may wait. Without one
// it calls otherwise.
func (c *Call) rejoin(l *leg, contact string, then func(transport.Flow, error), otherwise func()) {
	aor, was := c.registeredAs(l), l.flow
	go func() {
		f := c.server.rejoined(aor, contact, was)
		c.post(reached{then: func(transport.Flow, error) {
			if f.Listener == nil {
				otherwise()
				return
			}
			l.flow = f
			c.watch(l)
			then(f, nil)
		}})
	}()
}

// registeredAs is the address of record that a leg's peer registers for, as far as
// it is proven; "": none.
func (c *Call) registeredAs(l *leg) string {
	if aor := l.place().target.AOR; aor != "" {
		return aor
	}
	if l != c.a {
		return ""
	}
	aor := message.URIOf(l.dialog.RemoteURI)
	if !owns(c.source.Account, aor) {
		return ""
	}
	return aor
}

// rejoined is the connection that a contact of an address of record was registered
// on since it was met on another; the zero value: none that there still is.
func (s *Server) rejoined(aor, contact string, was transport.Flow) transport.Flow {
	want, err := message.ParseURI(contact)
	if aor == "" || err != nil {
		return transport.Flow{}
	}
	bindings, _ := s.bindings(aor)
	for i := range bindings {
		u, err := message.ParseURI(bindings[i].Contact)
		if err != nil || u.User != want.User || !strings.EqualFold(u.Host, want.Host) {
			continue
		}
		if f, ok := s.transport.Redeem(bindings[i].Flow); ok && replaces(f, was) {
			return f
		}
	}
	return transport.Flow{}
}
