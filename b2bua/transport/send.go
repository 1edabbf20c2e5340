package transport

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrTooLong is why a message over UDPMax did not leave.
var ErrTooLong = errors.New("message is too long for UDP")

// Flow is a path to one neighbour: a socket and the address behind it. It can
// be compared. A message is answered over its flow (see ResponseFlow).
type Flow struct {
	Listener *Listener
	Remote   netip.AddrPort
	conn     *conn
	either   bool   // the URI leaves it to us to take TCP instead; see Wide
	brief    bool   // connect soon or not at all
	name     string // what a server that is dialled over TLS must be
}

// Network is "udp", "tcp", "tls", "ws" or "wss".
func (f Flow) Network() string { return f.Listener.Network }

// Param is the transport of URIs that lead over flows like f; "" is UDP. Both
// kinds of WebSocket have one name (RFC 7118 section 5.2.2).
func (f Flow) Param() string {
	switch {
	case !f.Stream():
		return ""
	case f.Listener.Web():
		return "ws"
	}
	return f.Network()
}

// Stream reports whether the flow is reliable (RFC 3261 section 17).
func (f Flow) Stream() bool { return f.Listener.Stream() }

// Accepted reports whether f has a connection that the peer opened and nobody has
// closed since. Its remote port is no address to dial.
func (f Flow) Accepted() bool {
	if f.conn == nil || !f.conn.accepted {
		return false
	}
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	return !f.conn.closed
}

// Left reports whether f has a connection that the peer opened and that has been
// closed since.
func (f Flow) Left() bool { return f.conn != nil && f.conn.accepted && !f.Accepted() }

// Connected is the flow with the connection that leads there now; false when there is
// none.
func (t *Transport) Connected(f Flow) (Flow, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.conns[f.path()]
	if c == nil {
		return f, false
	}
	return c.flow, true
}

// Watch has gone called once the flow's connection ends: at once if it has, never
// without one. gone must not block. stop makes it forget.
func (f Flow) Watch(gone func()) (stop func()) {
	w := &watch{gone}
	switch {
	case f.conn == nil:
		return func() {}
	case !f.conn.watched(w):
		gone()
		return func() {}
	}
	return func() {
		f.conn.mu.Lock()
		defer f.conn.mu.Unlock()
		delete(f.conn.watches, w)
	}
}

// Hop is one address to try.
type Hop struct {
	Network string
	Remote  netip.AddrPort
	Either  bool   // UDP, and the URI did not ask for it
	Host    string // of the URI: what a certificate is verified for; "": the address
}

// Flow picks the socket for a hop: the named listener's, else any, of the hop's
// network and address family. Of several it takes the one whose address the
// route begins with; a loopback socket reaches loopback only.
func (t *Transport) Flow(h Hop, listener string) (Flow, error) {
	able := t.able(h, listener)
	if len(able) == 0 {
		return Flow{}, fmt.Errorf("no listener reaches %s over %s", h.Remote, h.Network)
	}
	return Flow{Listener: t.nearest(able, h.Remote.Addr()), Remote: h.Remote, either: h.Either, name: h.secureName()}, nil
}

func (t *Transport) able(h Hop, listener string) []*Listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	var able []*Listener
	for _, l := range t.listeners {
		local, remote := l.Local.Addr(), h.Remote.Addr()
		if l.Network == h.Network && (listener == "" || l.Name == listener) &&
			local.Is4() == remote.Is4() && (!local.IsLoopback() || remote.IsLoopback()) {
			able = append(able, l)
		}
	}
	return able
}

func (t *Transport) nearest(able []*Listener, remote netip.Addr) *Listener {
	if len(able) == 1 {
		return able[0]
	}
	for _, l := range able {
		if remote.IsLoopback() && l.Local.Addr().IsLoopback() {
			return l
		}
	}
	if source, err := t.config.Network.SourceAddr(remote); err == nil {
		for _, l := range able {
			if l.Local.Addr() == source {
				return l
			}
		}
	}
	return able[0]
}

// Send writes one message and never blocks: a datagram is written at once and
// b not kept; a stream owns b from here and queues it to its connection, which
// is dialled when there is none. failed (may be nil) is called at most once,
// before Send returns or later from another goroutine, when b surely did not
// leave.
func (t *Transport) Send(f Flow, b []byte, failed func(error)) {
	if failed == nil {
		failed = func(error) {}
	}
	if f.Stream() {
		t.sendStream(f, b, failed)
		return
	}
	if err := t.sendPacket(f, b); err != nil {
		t.log.Debug("send failed", "target", f.Remote, "transport", f.Listener.Name, "err", err)
		failed(err)
	}
}

func (t *Transport) sendPacket(f Flow, b []byte) error {
	switch {
	case f.Listener.packet == nil:
		return ErrClosed
	case len(b) > t.config.UDPMax:
		return ErrTooLong
	}
	if _, err := f.Listener.packet.WriteToUDPAddrPort(b, f.Remote); err != nil {
		return fmt.Errorf("send to %s: %w", f.Remote, err)
	}
	t.count.sent.Add(1)
	return nil
}

func (t *Transport) sendStream(f Flow, b []byte, failed func(error)) {
	err := ErrClosed
	if f.conn != nil {
		err = f.conn.send(b, failed)
	}
	// One that was just closed makes room for a new one; a second time it is
	// the peer who does not want us.
	for range 2 {
		if !errors.Is(err, ErrClosed) || f.Listener.Web() {
			break
		}
		if c := t.connection(Flow{Listener: f.Listener, Remote: f.Remote, brief: f.brief, name: f.name}); c != nil {
			err = c.send(b, failed)
		}
	}
	if err != nil {
		failed(err)
	}
}
