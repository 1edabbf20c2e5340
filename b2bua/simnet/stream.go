package simnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// listener accepts streams at an address.
type listener struct {
	network *Network
	local   netip.AddrPort
	accept  chan net.Conn
	closed  chan struct{}
}

// Listen opens a listener; see transport.Network.
func (n *Network) Listen(_ context.Context, local netip.AddrPort) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	local = n.freePort(local)
	if n.listeners[local] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &listener{network: n, local: local, accept: make(chan net.Conn, 64), closed: make(chan struct{})}
	n.listeners[local] = l
	return l, nil
}

// Dial opens a stream. Streams lose nothing; the other end may close them.
func (n *Network) Dial(_ context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[remote]
	if l == nil && (n.refuse == nil || !n.refuse(Packet{To: remote})) {
		l = n.accepts
	}
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	if !local.IsValid() {
		local = remote.Addr()
	}
	from := n.freePort(netip.AddrPortFrom(local, 0))
	there, back := newDirection(), newDirection()
	select {
	case l.accept <- &stream{in: there, out: back, local: remote, remote: from}:
		return &stream{in: back, out: there, local: from, remote: remote}, nil
	default:
		return nil, errors.New("nobody accepts")
	}
}

// Accept waits for a stream.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close frees the address.
func (l *listener) Close() error {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	if l.network.listeners[l.local] == l {
		delete(l.network.listeners, l.local)
		close(l.closed)
	}
	return nil
}

// Addr is the listener's address.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.local) }

// stream is one end of a connection.
type stream struct {
	in, out       *direction
	local, remote netip.AddrPort
}

// Read reads what the other end has written.
func (s *stream) Read(b []byte) (int, error) { return s.in.read(b) }

// Write waits while the other end leaves too much unread.
func (s *stream) Write(b []byte) (int, error) { return s.out.write(b) }

// Close ends both directions; what was written can still be read.
func (s *stream) Close() error {
	_ = s.SetDeadline(time.Time{})
	s.out.end()
	s.in.refuse()
	return nil
}

// LocalAddr is this end's address.
func (s *stream) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(s.local) }

// RemoteAddr is the other end's.
func (s *stream) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// SetDeadline bounds reads and writes.
func (s *stream) SetDeadline(at time.Time) error {
	_ = s.SetReadDeadline(at)
	return s.SetWriteDeadline(at)
}

// SetReadDeadline bounds reads.
func (s *stream) SetReadDeadline(at time.Time) error {
	s.in.set(&s.in.reading, at)
	return nil
}

// SetWriteDeadline bounds writes.
func (s *stream) SetWriteDeadline(at time.Time) error {
	s.out.set(&s.out.writing, at)
	return nil
}
