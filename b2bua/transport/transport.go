// Package transport carries SIP messages over UDP and TCP (RFC 3261 section
// 18): sockets, connections, framing, and which address a name stands for.
//
// It knows no transactions, dialogs or calls. sipgo's parser is used, by way of
// package message; sipgo's TransportLayer is not: with its own accept, dial,
// write and read filter replaced, all that was left of it was a call to Read.
//
// Start with Transport, then udp.go and stream.go for what comes in, send.go
// for what goes out, and via.go for where an answer goes.
package transport

import (
	"context"
	"log/slog"
	"net"
	"net/netip"

	"legwork/b2bua/message"
)

// Network opens sockets and looks names up. System is the real one.
type Network interface {
	ListenPacket(ctx context.Context, local netip.AddrPort) (PacketConn, error)
	Listen(ctx context.Context, local netip.AddrPort) (net.Listener, error)
	// Dial opens a stream from local, or from any address when it is not valid.
	Dial(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error)
	LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error)
	// LocalAddrs are the addresses that an unspecified one stands for.
	LocalAddrs() ([]netip.Addr, error)
	// SourceAddr is the local address that the route to remote begins with.
	SourceAddr(remote netip.Addr) (netip.Addr, error)
}

// PacketConn is a UDP socket; *net.UDPConn has the right methods.
//
// One that hears of unreachable targets also has OnRefused(func(remote
// netip.AddrPort, err error)); it is called once before the first read.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, remote netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// Config is what a Transport needs. Only Handler is required.
type Config struct {
	// Handler gets every message that passed message.Check, in arrival order,
	// in the goroutine of its socket or connection; it must not block.
	Handler func(m *message.Message, f Flow)
	// Malformed hears of each message that was refused or dropped.
	Malformed func(why *message.Malformed, f Flow)
	// Refused hears that f's remote is not reachable (ICMP, connection reset);
	// f has no connection.
	Refused func(f Flow, err error)

	Network    Network // nil: System
	Log        *slog.Logger
	MaxMessage int // bytes; 0: 65535
	UDPMax     int // longest datagram to send; 0: 65000
	PerSource  int // accepted connections of one address; 0: 200
}

// ListenerConfig describes one entry of the configuration.
type ListenerConfig struct {
	Name      string
	Network   string // "udp" or "tcp"
	Address   string // host:port; port 0 takes a free one
	Advertise string // host[:port] for Via and Contact; "" is the local address
}

// Listener is one socket that requests come in on and leave from.
type Listener struct {
	Name      string
	Network   string // "udp" or "tcp"
	Local     netip.AddrPort
	Advertise string
}

// SentBy is host:port for Via and Contact.
func (l *Listener) SentBy() string {
	if l.Advertise != "" {
		return l.Advertise
	}
	return l.Local.String()
}

// Stream tells a connection-oriented listener from a datagram one.
func (l *Listener) Stream() bool { return l.Network != "udp" }

// Flow is a path to one neighbour: a socket and the address behind it. It can
// be compared. A message is answered over its flow (see ResponseFlow).
type Flow struct {
	Listener *Listener
	Remote   netip.AddrPort
	conn     *conn
}

// Network is "udp" or "tcp".
func (f Flow) Network() string { return f.Listener.Network }

// Stream reports whether the flow is reliable (RFC 3261 section 17).
func (f Flow) Stream() bool { return f.Listener.Stream() }

// Hop is one address to try.
type Hop struct {
	Network string
	Remote  netip.AddrPort
}

type conn struct{}

// Transport owns all sockets.
type Transport struct {
	config Config
}

// New makes a transport without sockets.
func New(c Config) *Transport { return &Transport{config: c} }

// Listen opens a listener: one, or one per local address of that family when
// the address is unspecified.
func (t *Transport) Listen(c ListenerConfig) ([]*Listener, error) { return nil, nil }

// Send writes one message and never blocks: a datagram is written at once and
// b not kept; a stream owns b from here and queues it to its connection, which
// is dialled when there is none. failed (may be nil) is called at most once,
// before Send returns or later from another goroutine, when b surely did not
// leave.
func (t *Transport) Send(f Flow, b []byte, failed func(error)) {}

// Resolve turns a SIP URI into the addresses to try, in order.
func (t *Transport) Resolve(ctx context.Context, uri string) ([]Hop, error) { return nil, nil }

// Flow picks the socket for a hop: the named listener, else the first of that
// network and address family that can reach it.
func (t *Transport) Flow(h Hop, listener string) (Flow, error) { return Flow{}, nil }

// ResponseFlow is where an answer to req goes (RFC 3261 section 18.2.2, RFC
// 3581 section 4). req came over f and has passed the transport.
func ResponseFlow(req *message.Message, f Flow) Flow { return f }

// Close closes all sockets and waits for their goroutines.
func (t *Transport) Close() {}
