package b2bua

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"legwork/b2bua/leak"
	"legwork/b2bua/message"
)

// Leaks says which messages that leave are looked at for what is to stay inside.
type Leaks struct {
	Guard *leak.Guard // required
	Every int         // one message of so many; at least 1
}

// leaks counts what was found.
type leaks struct {
	sent   atomic.Uint64
	others rate.Sometimes // the log of what is beyond maxLeakKinds

	mu      sync.Mutex        // guards what follows
	byTrunk map[string]uint64 // messages; "": to who is no trunk
	kinds   map[leakKind]*rate.Sometimes
}

// leakKind is what one line of the log stands for, for a while: a leak that is met
// in each message leaves the others their lines.
type leakKind struct {
	trunk string
	leak.Leak
}

// maxLeakKinds bounds what is remembered of them, as peers may name headers.
const maxLeakKinds = 1000

func newLeaks() leaks {
	return leaks{others: rate.Sometimes{First: 10, Interval: time.Second}, byTrunk: map[string]uint64{}, kinds: map[leakKind]*rate.Sometimes{}}
}

// logged is how often such a leak is told of.
func (l *leaks) logged(kind leakKind) *rate.Sometimes {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.kinds[kind]
	switch {
	case s != nil:
		return s
	case len(l.kinds) == maxLeakKinds:
		return &l.others
	}
	s = &rate.Sometimes{First: 3, Interval: 10 * time.Second}
	l.kinds[kind] = s
	return s
}

// Leaks counts the messages that told somebody outside of the inside, by trunk.
func (s *Server) Leaks() map[string]uint64 {
	s.leaks.mu.Lock()
	defer s.leaks.mu.Unlock()
	return maps.Clone(s.leaks.byTrunk)
}

// overheard is the message that an owner heard last, kept only where leaks are
// looked for.
type overheard struct {
	leg *leg
	msg *message.Message
}

// watchLeaks looks at a message that has left.
func (o *owner) watchLeaks(w *Leaks, l *leg, m *message.Message, b []byte) {
	trunk := ""
	if l.trunk != nil {
		trunk = l.trunk.Name
	}
	o.server.watchLeaks(w, l.flow.Remote.Addr(), trunk, m, b, func(one leak.Leak) string {
		switch {
		case o.last.leg != nil && o.last.leg != l && tells(o.last.msg, one):
			return o.last.leg.heardAs(o.last.msg)
		case l.call != nil && l != l.call.a && tells(l.call.request(), one):
			return l.call.a.heardAs(l.call.request())
		}
		return "here"
	})
}

// watchOwn does so for a message that nobody else has a part in.
func (s *Server) watchOwn(to netip.Addr, trunk string, m *message.Message, b []byte) {
	if w := s.settings().Leaks; w != nil {
		s.watchLeaks(w, to, trunk, m, b, func(leak.Leak) string { return "here" })
	}
}

// itsOwn tells the places that say what the peer has said itself: of a response
// what it echoes, of a request in a dialog what names the dialog and leads there.
func itsOwn(m *message.Message, where string) bool {
	var names []string
	switch {
	case !m.IsRequest():
		names = []string{"Via", "From", "To", "Call-ID", "CSeq", "Record-Route"}
	case m.ToTag() != "":
		names = []string{"first line", "Route", "From", "To", "Call-ID"}
	}
	return message.SameAny(where, names)
}

// heardAs says which message that was, of whom.
func (l *leg) heardAs(m *message.Message) string {
	who := "leg " + l.role.String()
	if l.trunk != nil {
		who += " (trunk " + l.trunk.Name + ")"
	}
	return m.Name() + " of " + who
}

// tells whether a message that came has what leaked.
func tells(m *message.Message, one leak.Leak) bool {
	if m == nil {
		return false
	}
	b := m.Raw
	if b == nil {
		b = m.Bytes()
	}
	return strings.Contains(strings.ToLower(string(b)), one.What)
}

// watchLeaks looks at one of so many messages; origin says where what it finds
// came from.
func (s *Server) watchLeaks(w *Leaks, to netip.Addr, trunk string, m *message.Message, b []byte, origin func(leak.Leak) string) {
	if w.Guard.Inside(to) || s.leaks.sent.Add(1)%uint64(max(w.Every, 1)) != 0 {
		return
	}
	if b == nil {
		b = m.Bytes()
	}
	found := slices.DeleteFunc(w.Guard.Find(b), func(one leak.Leak) bool { return itsOwn(m, one.Where) })
	if len(found) == 0 {
		return
	}
	s.leaks.mu.Lock()
	s.leaks.byTrunk[trunk]++
	s.leaks.mu.Unlock()
	for _, one := range found {
		s.leaks.logged(leakKind{trunk, one}).Do(func() {
			s.log.Warn("the inside leaks", "header", one.Where, "what", one.What, "from", origin(one),
				"method", m.Name(), "trunk", trunk, "target", to.String(), "dialog", m.CallID())
		})
	}
}
