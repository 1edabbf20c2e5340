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
	"errors"
	"log/slog"
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
	// Stray is a response without a transaction, a late 2xx for example.
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

// Config is what a Layer needs. Send and Core are required.
type Config struct {
	Send       func(f transport.Flow, b []byte, failed func(error)) // transport.Send
	Core       Core
	T1, T2, T4 time.Duration // 0: 500 ms, 4 s, 5 s
	MaxServers int           // server transactions at once; 0: 200,000
	Unique     func() string // part of a branch that is never used twice; nil: crypto/rand
	Log        *slog.Logger
}

// Layer holds all transactions of a process.
type Layer struct{ config Config }

// Counters is a snapshot for metrics.
type Counters struct {
	Servers, Clients     int64 // alive, those that linger included
	RetransmissionsIn    int64 // requests and failure responses seen again
	RetransmissionsOut   int64
	Timeouts             int64
	Overloaded           int64 // requests refused with 503 at MaxServers
	Strays, SendFailures int64
}

// New makes an empty layer.
func New(c Config) *Layer { return &Layer{config: c} }

// Receive takes a message from the transport.
func (l *Layer) Receive(m *message.Message, f transport.Flow) {}

// Refused fails the client transactions that wait for f's remote: what
// transport.Config.Refused calls.
func (l *Layer) Refused(f transport.Flow, err error) {}

// Request sends req in a new client transaction: not ACK, not CANCEL. The top
// Via is put in front while writing; req, which may hold Vias of its own, is
// kept and must not change any more.
func (l *Layer) Request(req *message.Message, f transport.Flow, u User) *Client { return nil }

// ACK sends an ACK to a 2xx, which is no transaction, with a branch of its own.
func (l *Layer) ACK(ack *message.Message, f transport.Flow) *Outgoing { return nil }

// Counters reads the counters.
func (l *Layer) Counters() Counters { return Counters{} }

// Close ends all transactions; open client transactions fail with ErrClosed.
func (l *Layer) Close() {}

// Client is a client transaction.
type Client struct{}

// Cancel asks the peer to give an INVITE up: at once when a provisional came,
// with the first one else, never when a final came first (RFC 3261 section
// 9.1). reason is the value of a Reason header, or "". Without a final response
// in 64*T1 from the CANCEL the transaction fails with ErrTimeout.
func (c *Client) Cancel(reason string) {}

// Abandon says that the user does not listen any more; the transaction ends by
// itself and still acknowledges failures.
func (c *Client) Abandon() {}

// Sent is the request as it left, for observers; nil after a final response.
func (c *Client) Sent() []byte { return nil }

// Flow is where the request went.
func (c *Client) Flow() transport.Flow { return transport.Flow{} }

// Outgoing is a message outside transactions, kept to be sent again.
type Outgoing struct{}

// Again sends the same bytes once more.
func (o *Outgoing) Again() {}

// Bytes is the message as it left.
func (o *Outgoing) Bytes() []byte { return nil }

// Server is a server transaction.
type Server struct{}

// Respond sends a provisional or final response. It returns false, and does
// nothing, after a final response, or when RFC 4320 forbids this one for a
// request other than INVITE (408, provisionals but 100). A 2xx to INVITE is
// repeated by the caller with Again until the ACK comes (RFC 6026).
func (s *Server) Respond(res *message.Message) bool { return false }

// Again sends the latest response once more.
func (s *Server) Again() {}

// Sent is the latest response as it left, for observers; nil before the first.
func (s *Server) Sent() []byte { return nil }

// Flow is where responses go.
func (s *Server) Flow() transport.Flow { return transport.Flow{} }

// Request is the request; nil after a final response.
func (s *Server) Request() *message.Message { return nil }

// SetToTag gives the To tag of the answer to a CANCEL (RFC 3261 section 9.2:
// that of the INVITE's).
func (s *Server) SetToTag(tag string) {}

// Drop forgets the transaction without an answer.
func (s *Server) Drop() {}
