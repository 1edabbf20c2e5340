// Package transport carries SIP messages over UDP, TCP, TLS (RFC 3261
// section 18) and WebSocket (RFC 7118): sockets, connections, framing, and which address a name stands for.
//
// It knows no transactions, dialogs or calls. sipgo's parser is used, by way of
// package message; sipgo's TransportLayer is not: with its own accept, dial,
// write and read filter replaced, all that was left of it was a call to Read.
//
// Start with Transport, then receive.go for what comes in over udp.go and
// stream.go (tls.go secures it, websocket.go is another framing), send.go for what goes out, and via.go for where an
// answer goes.
package transport

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua/message"
)

// ErrClosed is why a message did not leave when its socket or connection is
// closed.
var ErrClosed = errors.New("the connection is closed")

// Config is what a Transport needs. Only Handler is required.
type Config struct {
	// Handler gets every message that passed message.Check, in arrival order,
	// in the goroutine of its socket or connection; it must not block.
	Handler func(m *message.Message, f Flow)
	// Malformed hears of each message that was refused or dropped.
	Malformed func(why *message.Malformed, f Flow)
	// Turned tells whether to drop a request unread that came in on a listener, or
	// to close the connection on which it came; b is nil for a connection that is
	// just accepted. Nil: none. It is asked in the goroutine of the socket.
	Turned func(l *Listener, source netip.Addr, b []byte) bool
	// Refused hears that f's remote is not reachable (ICMP, connection reset);
	// f has no connection.
	Refused func(f Flow, err error)

	Network    Network // nil: System
	Log        *slog.Logger
	MaxMessage int // bytes; 0: 65535
	UDPMax     int // longest datagram to send; 0: 65000
	PerSource  int // accepted connections of one address; 0: 200
	// Rand gives numbers in [0,1), which draw servers by weight; nil: the
	// runtime's.
	Rand func() float64
}

// Counters is a snapshot for metrics.
type Counters struct {
	Received, Sent int64 // messages
	Malformed      int64 // refused or dropped
	Connections    int64 // open, both directions
	TurnedAway     int64 // connections over PerSource, or too many without a handshake
	Handshakes     int64 // of accepted connections that failed
}

// Transport owns all sockets.
type Transport struct {
	config Config
	log    *slog.Logger
	count  struct{ received, sent, malformed, connections, turnedAway, handshakes atomic.Int64 }
	done   chan struct{}  // closed by Close
	run    string         // tells tokens of this process from others
	plain  bool           // the network is Private
	turns  chan struct{}  // taken by handshakes that compute
	work   sync.WaitGroup // readers, acceptors, writers

	greeting atomic.Int64 // accepted connections before their first message

	mu        sync.Mutex // guards all below
	listeners []*Listener
	conns     map[path]*conn // the one to send on
	open      map[*conn]struct{}
	sources   map[netip.Addr]int           // accepted connections
	serial    uint64                       // of the last connection
	narrow    map[netip.AddrPort]time.Time // neighbours that lately took no connection
	closed    bool
}

// path is a flow without its connection.
type path struct {
	listener *Listener
	remote   netip.AddrPort
	name     string
}

func (f Flow) path() path { return path{f.Listener, f.Remote, f.name} }

// New makes a transport without sockets.
func New(c Config) *Transport {
	if c.Network == nil {
		c.Network = System{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = mathrand.Float64
	}
	for _, n := range []struct {
		at      *int
		usually int
	}{{&c.MaxMessage, 65535}, {&c.UDPMax, 65000}, {&c.PerSource, 200}} {
		if *n.at <= 0 {
			*n.at = n.usually
		}
	}
	_, plain := c.Network.(Private)
	return &Transport{
		config: c, log: c.Log, plain: plain, done: make(chan struct{}), run: rand.Text() + ".", open: make(map[*conn]struct{}),
		turns: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
		conns: make(map[path]*conn), sources: make(map[netip.Addr]int), narrow: make(map[netip.AddrPort]time.Time),
	}
}

// Counters reads the counters.
func (t *Transport) Counters() Counters {
	n := &t.count
	return Counters{
		Received: n.received.Load(), Sent: n.sent.Load(), Malformed: n.malformed.Load(),
		Connections: n.connections.Load(), TurnedAway: n.turnedAway.Load(),
		Handshakes: n.handshakes.Load(),
	}
}

// spawn runs f in a goroutine that Close waits for; false after Close.
func (t *Transport) spawn(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.work.Go(f)
	return true
}

// Close closes all sockets and waits for their goroutines. It is not for the
// handler to call.
func (t *Transport) Close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.closed = true
	close(t.done)
	listeners, conns := t.listeners, slices.Collect(maps.Keys(t.open))
	t.mu.Unlock()
	for _, l := range listeners {
		l.close()
	}
	for _, c := range conns {
		c.close(ErrClosed)
	}
	t.work.Wait()
}
