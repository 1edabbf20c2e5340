// Package transaction is RFC 3261 section 17 with RFC 6026 and RFC 4320:
// requests and responses find each other, lost ones are sent again.
//
// It knows no sockets but transport.Flow, no dialogs and no calls. All timers
// are of a dozen durations, each a queue in order of expiry (see queue.go), so
// that a transaction costs no runtime timer and no goroutine. After a final
// response a transaction keeps bytes only.
//
// Start with Layer.Receive, then server.go and client.go.
package transaction

import (
	"crypto/rand"
	"errors"
	"hash/fnv"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// ErrTimeout says that nobody answered (timers B and F), or that a cancelled
// INVITE got no final response.
var ErrTimeout = errors.New("no answer in time")

// ErrClosed is what open client transactions fail with when the layer closes.
var ErrClosed = errors.New("transactions are closed")

// Core takes what begins here. It is called in arrival order, in the reader's
// goroutine, and must not block; no lock is held.
type Core interface {
	// Request is a new server transaction: not ACK, and CANCEL only when it
	// matches no INVITE. Nobody sends 100 to an INVITE but the core.
	Request(s *Server, req *message.Message, f transport.Flow)
	// Cancel is a CANCEL of s, which has no final response yet. It has been
	// answered 200; the INVITE's 487 is the core's.
	Cancel(s *Server, cancel *message.Message)
	// ACK belongs to no failure response: it is for a 2xx, or for nothing.
	ACK(ack *message.Message, f transport.Flow)
	// Stray is a response without a transaction or to an abandoned one, a late
	// 2xx for example.
	Stray(res *message.Message, f transport.Flow)
}

// User hears of one client transaction, in order; no lock is held. A response
// may come before Layer.Request has returned.
type User interface {
	// Response gets every provisional, the final response, and of an INVITE
	// every further 2xx, repeated or of another fork (RFC 6026).
	Response(c *Client, res *message.Message)
	// Failed ends the transaction: ErrTimeout, ErrClosed or the transport's
	// error. Nothing follows it.
	Failed(c *Client, err error)
}

// Witness is a User that also wants to see what a transaction does of its own
// accord.
type Witness interface {
	// Derived is the CANCEL, or the ACK to a failure; b is the message as it left.
	Derived(c *Client, b []byte)
	// Withdrawn is the final response to the CANCEL.
	Withdrawn(c *Client, res *message.Message)
}

// Config is what a Layer needs. Send and Core are required.
type Config struct {
	Send       func(f transport.Flow, b []byte, failed func(error)) // transport.Send
	Core       Core
	T1, T2, T4 time.Duration // 0: 500 ms, 4 s, 5 s
	// Alias tells whether a response may come from another address than its
	// request went to; nil: it may not.
	Alias func(asked, answered netip.Addr) bool
	// Wide is the TCP flow for a request that is long for UDP, if there is one
	// (transport.Wide); nil: none.
	Wide       func(f transport.Flow) (transport.Flow, bool)
	MaxServers int           // server transactions at once; 0: 200,000
	Unique     func() string // part of a branch that is never used twice; nil: crypto/rand
}

// Layer holds all transactions of a process.
type Layer struct {
	config  Config
	queues  *queues
	servers *table[*Server]
	clients *table[*Client]
	count   counts
	refused refusals
	unsent  func(error) // counts
	closed  atomic.Bool
}

// Counters is a snapshot for metrics.
type Counters struct {
	Servers, Clients   int64 // alive, those that linger included
	RetransmissionsIn  int64 // requests and final responses seen again
	RetransmissionsOut int64
	Timeouts           int64 // timers B, F and H
	Overloaded         int64 // requests refused with 503 at MaxServers
	Strays             int64 // responses without a transaction
	SendFailures       int64
}

type counts struct {
	servers, clients, in, out, timeouts, overloaded, strays, failures atomic.Int64
}

// New makes an empty layer.
func New(c Config) *Layer {
	for _, t := range []struct {
		at      *time.Duration
		usually time.Duration
	}{{&c.T1, 500 * time.Millisecond}, {&c.T2, 4 * time.Second}, {&c.T4, 5 * time.Second}} {
		if *t.at <= 0 {
			*t.at = t.usually
		}
	}
	if c.MaxServers <= 0 {
		c.MaxServers = 200_000
	}
	if c.Unique == nil {
		c.Unique = rand.Text
	}
	l := &Layer{
		config: c, queues: newQueues(c.T1, c.T2, c.T4),
		servers: newTable[*Server](), clients: newTable[*Client](),
	}
	l.unsent = func(error) { l.count.failures.Add(1) }
	return l
}

// Receive takes a message from the transport.
func (l *Layer) Receive(m *message.Message, f transport.Flow) {
	switch {
	case l.closed.Load():
	case m.IsRequest():
		l.receiveRequest(m, f)
	default:
		l.receiveResponse(m, f)
	}
}

func (l *Layer) receiveResponse(res *message.Message, f transport.Flow) {
	// With another Via below ours it was meant for somebody else (RFC 3261
	// section 8.1.3.3).
	if _, params, ok := res.TopVia(); ok && !res.Several("Via") {
		var scratch [128]byte
		branch, _ := message.ParamIn(params, "branch")
		if c, ok := l.clients.get(appendClientKey(scratch[:0], branch, res.Method)); ok && l.answers(c, res, f) {
			c.receive(res, f)
			return
		}
	}
	l.stray(res, f)
}

// answers refuses a response that somebody else made up: it comes from where the
// request did not go, or names another dialog.
func (l *Layer) answers(c *Client, res *message.Message, f transport.Flow) bool {
	asked, from := c.flow.Remote.Addr().Unmap(), f.Remote.Addr().Unmap()
	if asked != from && (l.config.Alias == nil || !l.config.Alias(asked, from)) {
		return false
	}
	c.mu.Lock()
	req := c.req
	c.mu.Unlock()
	if req == nil {
		return true
	}
	tag := req.ToTag() // in a dialog the answer has the same (RFC 3261 section 8.2.6.2)
	return req.CallID() == res.CallID() && req.FromTag() == res.FromTag() && (tag == "" || tag == res.ToTag())
}

func (l *Layer) stray(res *message.Message, f transport.Flow) {
	l.count.strays.Add(1)
	l.config.Core.Stray(res, f)
}

func (l *Layer) receiveRequest(req *message.Message, f transport.Flow) {
	var scratch [256]byte
	method := req.Method
	if method == "ACK" {
		method = "INVITE"
	}
	key, ok := appendServerKey(scratch[:0], req, method)
	if !ok {
		return
	}
	s, found := l.servers.get(key)
	switch {
	case req.Method == "ACK":
		if !found {
			l.config.Core.ACK(req, f)
			return
		}
		taken, told := s.ack(req)
		switch {
		case !taken:
			l.config.Core.ACK(req, f)
		case told != nil:
			told(req)
		}
	case found:
		s.repeat()
	case req.Method == "CANCEL":
		l.receiveCancel(string(key), req, f)
	case l.overloaded(req):
		l.refuse(req, f)
	default:
		if s := newServer(l, string(key), req, f); s != nil {
			l.config.Core.Request(s, req, f)
		}
	}
}

// receiveCancel answers a CANCEL in a transaction of its own (RFC 3261 section
// 9.2). One that matches nothing is the core's to refuse.
func (l *Layer) receiveCancel(key string, cancel *message.Message, f transport.Flow) {
	s := newServer(l, key, cancel, f)
	if s == nil {
		return
	}
	var scratch [256]byte
	inviteKey, _ := appendServerKey(scratch[:0], cancel, "INVITE")
	invite, ok := l.servers.get(inviteKey)
	if !ok || invite.source != f.Remote.Addr() { // whoever sent the INVITE cancels it (RFC 3261 section 9.1)
		l.config.Core.Request(s, cancel, f)
		return
	}
	tag, pending := invite.cancelled()
	s.Respond(cancel.Respond(200, "", tag))
	if pending {
		l.config.Core.Cancel(invite, cancel)
	}
}

// overloaded leaves requests of running dialogs a quarter more room, so that
// calls can still end.
func (l *Layer) overloaded(req *message.Message) bool {
	n, most := l.count.servers.Load(), int64(l.config.MaxServers)
	return n >= most && (n >= most+most/4 || req.ToTag() == "")
}

// refuse answers without a transaction (RFC 3261 section 8.2.7).
func (l *Layer) refuse(req *message.Message, f transport.Flow) {
	l.count.overloaded.Add(1)
	res := req.Respond(503, "", lastingTag(req))
	res.Add("Retry-After", "5")
	l.send(transport.ResponseFlow(req, f), res.Bytes())
}

// lastingTag is the same To tag for the same request, without remembering it.
func lastingTag(req *message.Message) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(req.CallID() + req.FromTag() + req.Get("CSeq")))
	return strconv.FormatUint(hash.Sum64(), 36)
}

// send is for what nobody waits for.
func (l *Layer) send(f transport.Flow, b []byte) {
	l.config.Send(f, b, l.unsent)
}

// Counters reads the counters.
func (l *Layer) Counters() Counters {
	n := &l.count
	return Counters{
		Servers: n.servers.Load(), Clients: n.clients.Load(),
		RetransmissionsIn: n.in.Load(), RetransmissionsOut: n.out.Load(),
		Timeouts: n.timeouts.Load(), Overloaded: n.overloaded.Load(),
		Strays: n.strays.Load(), SendFailures: n.failures.Load(),
	}
}

// Close ends all transactions; open client transactions fail with ErrClosed.
func (l *Layer) Close() {
	l.closed.Store(true)
	l.queues.close()
	l.refused.close()
	for _, c := range l.clients.collect(func(*Client) bool { return true }) {
		c.fail(ErrClosed, true)
	}
	for _, s := range l.servers.collect(func(*Server) bool { return true }) {
		s.Drop()
	}
}
