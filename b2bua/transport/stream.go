package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"legwork/b2bua/message"
)

const (
	messageLimit = 30 * time.Second // from a message's first byte to its last
	lingerLimit  = 2 * time.Second  // for the peer to read why it is cut off
)

// accept takes connections until the listener is closed. Errors such as too
// many open files pass.
func (t *Transport) accept(l *Listener) {
	var pause backoff
	for {
		socket, err := l.stream.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !pause.wait(t.done) {
				return
			}
			t.log.Warn("accept failed", "transport", l.Name, "err", err)
			continue
		}
		pause = 0
		_ = mark(socket, l.dscp) // where the listener could be marked, this can
		remote, ok := addrPort(socket.RemoteAddr())
		if !ok || t.turned(l, remote.Addr(), nil) || !t.adopt(l, remote, socket) {
			_ = socket.Close()
		}
	}
}

// adopt starts a connection that was accepted; false when its source has
// enough of them.
func (t *Transport) adopt(l *Listener, remote netip.AddrPort, socket net.Conn) bool {
	t.mu.Lock()
	if t.closed || t.sources[remote.Addr()] >= t.config.PerSource {
		t.mu.Unlock()
		t.count.turnedAway.Add(1)
		return false
	}
	t.sources[remote.Addr()]++
	c := t.enter(Flow{Listener: l, Remote: remote})
	c.accepted, c.socket = true, socket
	read := c.read
	if l.Secure() && !t.plain {
		c.socket = l.accepted(socket, t)
	}
	if l.Secure() || l.Web() {
		read = c.greet
	}
	t.mu.Unlock()
	return t.spawn(read)
}

// connection returns the one to f's remote, or a new one that is dialled with
// the first message; nil after Close.
func (t *Transport) connection(f Flow) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	if c := t.conns[f.path()]; c != nil {
		return c
	}
	return t.enter(f)
}

// enter makes a connection known; t.mu is held.
func (t *Transport) enter(f Flow) *conn {
	t.serial++
	c := &conn{transport: t, flow: f, serial: t.serial}
	c.flow.conn = c
	t.conns[f.path()] = c
	t.open[c] = struct{}{}
	t.count.connections.Add(1)
	return c
}

// leave forgets a closed connection.
func (t *Transport) leave(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count.connections.Add(-1)
	delete(t.open, c)
	if p := c.flow.path(); t.conns[p] == c {
		delete(t.conns, p)
	}
	if !c.accepted {
		return
	}
	source := c.flow.Remote.Addr()
	if t.sources[source]--; t.sources[source] <= 0 {
		delete(t.sources, source)
	}
}

// read is the connection's reader: it ends with the connection.
func (c *conn) read() {
	defer c.close(ErrClosed)
	in := frames{most: c.transport.config.MaxMessage}
	buf := make([]byte, 4096)
	partial, heard := false, time.Now()
	for {
		frame, pong, err := in.next()
		if pong {
			_ = c.send([]byte("\r\n"), func(error) {})
		}
		switch {
		case err != nil:
			c.cutOff(err, in.buf)
			return
		case frame != nil && c.turned(frame):
			return
		case frame != nil:
			c.transport.receive(frame, c.flow)
			partial = false
			continue
		case in.empty():
			partial = false
			_ = c.socket.SetReadDeadline(time.Now().Add(c.patience()))
		case !partial:
			partial = true
			_ = c.socket.SetReadDeadline(time.Now().Add(messageLimit))
		}
		n, err := c.socket.Read(buf)
		in.add(buf[:n])
		if n > 0 {
			heard = time.Now()
		}
		if err != nil && !c.stays(err, time.Since(heard), &in) {
			c.lost(err)
			return
		}
	}
}

// turned tells whether who has connected is no longer welcome.
func (c *conn) turned(b []byte) bool {
	return c.accepted && c.transport.turned(c.flow.Listener, c.flow.Remote.Addr(), b)
}

// cutOff answers what can't be framed and closes: nobody knows where the next
// message begins. What still comes is read away, or the answer would be lost
// with the connection.
func (c *conn) cutOff(why error, b []byte) {
	bad := &message.Malformed{Status: 400, Why: why.Error(), Partial: message.Salvage(b)}
	switch {
	case errors.Is(why, errTooLarge):
		bad.Status = 513
	case bad.Partial != nil && bad.Partial.Get("Content-Length") == "":
		bad.Status = 411 // RFC 2543's word to its clients, which need none elsewhere
	}
	c.transport.refuse(bad, c.flow)
	_ = c.socket.SetReadDeadline(time.Now().Add(lingerLimit))
	_, _ = io.Copy(io.Discard, c.socket)
}

// lost tells a reset, which leaves requests unanswered, from a peer that is
// through: that one may answer on a new connection (RFC 3261 section 18.2.2).
func (c *conn) lost(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrClosedPipe) {
		return
	}
	if c.transport.config.Refused != nil {
		c.transport.config.Refused(Flow{Listener: c.flow.Listener, Remote: c.flow.Remote}, err)
	}
}
