package b2bua

import (
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// Only its connection leads to a WebSocket client (RFC 7118). When that ends, who
// has not answered yet is lost, and who is talking may come back over another.

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
			e.now, e.late = c.server.rejoined(aor, contact), true
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

// returned lets a peer go on over another connection: its request came by that,
// and the one that it had opened is gone.
func (c *Call) returned(e request) {
	switch f := e.tx.Flow(); {
	case e.leg.cutOff() && f.Listener.Web():
		e.leg.flow = f
		c.watch(e.leg)
	case e.leg.flow.Left() && f.Accepted() && f.Network() == e.leg.flow.Network():
		e.leg.flow = f
	}
}

// cutOff tells whether the leg's peer is a WebSocket client whose connection has
// ended.
func (l *leg) cutOff() bool {
	return l.flow.Listener != nil && l.flow.Listener.Web() && !l.flow.Accepted()
}

// rejoin finds the connection on which the contact of a leg has registered since
// the leg's own ended, outside the mailbox, because the store may wait.
func (c *Call) rejoin(l *leg, contact string, then func(transport.Flow, error)) {
	aor := c.registeredAs(l)
	go func() {
		f := c.server.rejoined(aor, contact)
		c.post(reached{then: func(transport.Flow, error) {
			if f.Listener == nil {
				then(f, transport.ErrClosed)
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
// on; the zero value: none that there still is.
func (s *Server) rejoined(aor, contact string) transport.Flow {
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
		if f, ok := s.transport.Redeem(bindings[i].Flow); ok && f.Listener.Web() {
			return f
		}
	}
	return transport.Flow{}
}
