package transaction

import (
	"net/netip"
	"sync"
	"time"

	"legwork/b2bua/transport"
)

// gather is how long unreachable addresses are collected: a dead target
// refuses every datagram, and each look goes through all transactions.
const gather = 30 * time.Millisecond

type refusals struct {
	mu     sync.Mutex // guards all below
	paths  map[path]error
	closed bool
}

// path is a flow without its connection.
type path struct {
	listener *transport.Listener
	remote   netip.AddrPort
}

// Refused fails, within a moment, the client transactions that wait for a
// first answer from f's remote (RFC 3261 section 18.4). It is what
// transport.Config.Refused calls.
func (l *Layer) Refused(f transport.Flow, err error) {
	r := &l.refused
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if r.paths == nil {
		r.paths = make(map[path]error)
		time.AfterFunc(gather, l.failRefused)
	}
	r.paths[path{f.Listener, f.Remote}] = err
}

func (l *Layer) failRefused() {
	l.refused.mu.Lock()
	paths := l.refused.paths
	l.refused.paths = nil
	l.refused.mu.Unlock()
	hit := l.clients.collect(func(c *Client) bool {
		_, ok := paths[c.path()]
		return ok
	})
	for _, c := range hit {
		c.fail(paths[c.path()], false)
	}
}

func (c *Client) path() path {
	f := c.over()
	return path{f.Listener, f.Remote}
}

func (r *refusals) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}
