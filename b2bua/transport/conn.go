package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	dialLimit  = 5 * time.Second
	writeLimit = 10 * time.Second
	mostQueued = 4 << 20 // bytes that wait for one slow peer
)

var errSlow = errors.New("the peer reads too slowly")

// conn is one TCP, TLS or WebSocket connection. Its reader lives as long as it does; a writer
// runs only while something is queued.
type conn struct {
	transport *Transport
	flow      Flow // with this connection
	accepted  bool
	serial    uint64
	socket    net.Conn // set before reader and writer start, or by the writer that dials
	names     []string // in the peer's certificate; set before the reader starts

	mu      sync.Mutex // guards all below
	queue   []outgoing
	queued  int // bytes
	writing bool
	closed  bool
	abort   context.CancelFunc // of the dial
	watches map[*watch]struct{}
	named   bool // by a token
}

// watch is somebody who wants to know when a connection ends.
type watch struct{ gone func() }

type outgoing struct {
	bytes  []byte
	failed func(error)
}

// send queues b. The error, for which failed is not called, is ErrClosed or
// that the queue is full.
func (c *conn) send(b []byte, failed func(error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.queued+len(b) > mostQueued:
		return errSlow
	}
	if !c.writing {
		if !c.transport.spawn(c.write) {
			return ErrClosed
		}
		c.writing = true
	}
	c.queue, c.queued = append(c.queue, outgoing{b, failed}), c.queued+len(b)
	return nil
}

// write sends what is queued, dialling first when nobody has.
func (c *conn) write() {
	if c.socket == nil {
		if err := c.dial(); err != nil {
			c.close(err)
			return
		}
	}
	for {
		one, ok := c.take()
		if !ok {
			return
		}
		_ = c.socket.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := c.socket.Write(one.bytes); err != nil {
			err = fmt.Errorf("send to %s: %w", c.flow.Remote, err)
			one.failed(err)
			c.close(err)
			return
		}
		c.transport.count.sent.Add(1)
	}
}

// take is false when the queue is empty, which ends the writer.
func (c *conn) take() (outgoing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.queue, c.writing = nil, false
		return outgoing{}, false
	}
	one := c.queue[0]
	c.queue[0] = outgoing{}
	c.queue, c.queued = c.queue[1:], c.queued-len(one.bytes)
	return one, true
}

func (c *conn) dial() error {
	limit := dialLimit
	if c.flow.brief {
		limit = briefLimit
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c.mu.Lock()
	c.abort = cancel
	c.mu.Unlock()
	socket, err := c.transport.config.Network.Dial(ctx, c.flow.Listener.Local.Addr(), c.flow.Remote)
	if err != nil {
		if c.flow.brief {
			c.transport.remember(c.flow.Remote)
		}
		return fmt.Errorf("connect to %s: %w", c.flow.Remote, err)
	}
	_ = mark(socket, c.flow.Listener.dscp)
	if c.flow.Listener.Secure() && !c.transport.plain {
		secured, err := c.secure(ctx, socket)
		if err != nil {
			_ = socket.Close()
			return fmt.Errorf("TLS with %s at %s: %w", c.flow.name, c.flow.Remote, err)
		}
		socket = secured
	}
	c.mu.Lock()
	closed := c.closed
	c.socket = socket
	c.mu.Unlock()
	if closed || !c.transport.spawn(c.read) {
		_ = socket.Close()
		return ErrClosed
	}
	return nil
}

// close ends the connection; what is still queued fails with err.
func (c *conn) close(err error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	left, socket, abort, watches := c.queue, c.socket, c.abort, c.watches
	c.queue, c.watches = nil, nil
	c.mu.Unlock()
	c.transport.leave(c)
	if abort != nil {
		abort()
	}
	if socket != nil {
		_ = socket.Close()
	}
	for _, one := range left {
		one.failed(err)
	}
	for w := range watches {
		w.gone()
	}
}

// watched adds w; false when the connection has ended.
func (c *conn) watched(w *watch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.watches == nil {
		c.watches = make(map[*watch]struct{})
	}
	c.watches[w] = struct{}{}
	return true
}
