package transaction

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// state is one of RFC 3261 section 17 and RFC 6026; trying serves as calling.
type state uint8

const (
	trying state = iota
	proceeding
	completed
	confirmed
	accepted
	terminated
)

// Server is a server transaction.
type Server struct {
	layer  *Layer
	key    string
	flow   transport.Flow
	source netip.Addr
	invite bool

	mu    sync.Mutex // guards all below
	state state
	req   *message.Message // until the final response
	sent  []byte           // the latest response
	toTag string
	acked func(ack *message.Message) // nil: nobody wants to know, or it has come
	pause time.Duration              // what again waits now
	again node                       // timer G
	end   node                       // H, I, J, L; before a final response RFC 4320's
}

// newServer is nil when another reader has just begun the same transaction.
func newServer(l *Layer, key string, req *message.Message, f transport.Flow) *Server {
	s := &Server{
		layer: l, key: key, flow: transport.ResponseFlow(req, f), source: f.Remote.Addr(),
		invite: req.Method == "INVITE", req: req, toTag: strings.Clone(req.ToTag()),
	}
	s.again.tx, s.end.tx = s, s
	l.count.servers.Add(1)
	if first := l.servers.add(key, s); first != s {
		l.count.servers.Add(-1)
		first.repeat()
		return nil
	}
	if !s.invite {
		s.mu.Lock()
		l.queues.trying.start(&s.end)
		s.mu.Unlock()
	}
	return s
}

// Flow is where responses go.
func (s *Server) Flow() transport.Flow { return s.flow }

// Source is the address that the request came from.
func (s *Server) Source() netip.Addr { return s.source }

// Request is the request; nil after a final response.
func (s *Server) Request() *message.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.req
}

// Sent is the latest response as it left, for observers; nil before the first.
func (s *Server) Sent() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// SetToTag gives the To tag of the answer to a CANCEL (RFC 3261 section 9.2:
// that of the INVITE's).
func (s *Server) SetToTag(tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.toTag = tag
}

// Respond sends a provisional or final response. It returns false, and does
// nothing, after a final response, or when RFC 4320 forbids this one for a
// request other than INVITE: a provisional (100 is sent here when it is time),
// and 408, after which the transaction is forgotten. A 2xx to INVITE is
// repeated by the caller with Again until the ACK comes (RFC 6026).
func (s *Server) Respond(res *message.Message) bool {
	b := res.Bytes()
	s.mu.Lock()
	switch {
	case s.state >= completed:
		s.mu.Unlock()
		return false
	case !s.invite && res.Status == 408:
		s.finish()
		s.mu.Unlock()
		return false
	case !s.invite && res.Status < 200:
		s.mu.Unlock()
		return false
	}
	s.sent = b
	if res.Status < 200 {
		s.state = proceeding
	} else {
		s.final(res)
	}
	s.mu.Unlock()
	s.layer.send(s.flow, b)
	return true
}

// final moves on behind a final response and lets go of the request.
func (s *Server) final(res *message.Message) {
	q := s.layer.queues
	s.req = nil
	if tag := res.ToTag(); tag != "" && tag != s.toTag {
		s.toTag = strings.Clone(tag) // the datagram behind it may go
	}
	switch {
	case s.invite && res.Status < 300:
		s.state = accepted
		q.end.start(&s.end)
	case s.invite:
		s.state = completed
		q.end.start(&s.end)
		if !s.flow.Stream() {
			s.pause = q.t1
			q.retransmit(&s.again, s.pause)
		}
	case s.flow.Stream():
		s.state = completed
		s.finish()
	default:
		s.state = completed
		q.end.start(&s.end)
	}
}

// Again sends the latest response once more.
func (s *Server) Again() {
	s.mu.Lock()
	b := s.sent
	s.mu.Unlock()
	if b != nil {
		s.layer.count.out.Add(1)
		s.layer.send(s.flow, b)
	}
}

// Refuse answers a stranger once and forgets the transaction (RFC 3261 section
// 8.2.7): requests with a forged source take no memory, and nobody gets our
// repeats who did not ask. It is for a transaction without any response yet.
func (s *Server) Refuse(code int, headers ...message.Header) {
	req := s.Request()
	if req == nil { // the layer is closed
		return
	}
	res := req.Respond(code, "", lastingTag(req))
	res.Replace(headers)
	s.Drop()
	s.layer.send(s.flow, res.Bytes())
}

// Drop forgets the transaction without an answer.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish()
}

// finish takes the transaction out of the table; the bytes stay for Again.
func (s *Server) finish() {
	s.again.stop()
	s.end.stop()
	s.state, s.req, s.acked = terminated, nil, nil
	if s.layer.servers.del(s.key, s) {
		s.layer.count.servers.Add(-1)
	}
}

// repeat takes a request that came again. A 2xx to INVITE is not repeated for
// it (RFC 6026 section 7.1).
func (s *Server) repeat() {
	s.layer.count.in.Add(1)
	s.mu.Lock()
	b := s.sent
	if s.state != proceeding && s.state != completed {
		b = nil
	}
	s.mu.Unlock()
	if b != nil {
		s.layer.count.out.Add(1)
		s.layer.send(s.flow, b)
	}
}

// OnACK has the first ACK to a failure told to f, in the reader's goroutine. It is
// for who wants to see it; nobody has to do anything about it.
func (s *Server) OnACK(f func(ack *message.Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = f
}

// ack takes the ACK to a failure and reports whether that is what it was, and who
// is to be told of it.
func (s *Server) ack(ack *message.Message) (taken bool, told func(*message.Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case trying, proceeding, confirmed:
		return true, nil
	case completed:
	default:
		return false, nil
	}
	if s.toTag != "" && s.key[0] == '\n' && ack.ToTag() != s.toTag {
		return false, nil // RFC 3261 section 17.2.3, for RFC 2543 clients
	}
	s.again.stop()
	told, s.acked = s.acked, nil
	if s.flow.Stream() {
		s.finish()
		return true, told
	}
	s.state, s.sent = confirmed, nil
	s.layer.queues.settle.start(&s.end)
	return true, told
}

// cancelled gives the To tag for the answer to a CANCEL, and whether the CANCEL
// still changes anything.
func (s *Server) cancelled() (tag string, pending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.toTag == "" {
		s.toTag = s.layer.config.Unique()
	}
	return s.toTag, s.state < completed
}

func (s *Server) expire(n *node, round uint32) {
	s.mu.Lock()
	if n.round != round || s.state == terminated {
		s.mu.Unlock()
		return
	}
	var b []byte
	switch {
	case n == &s.again:
		s.pause = min(2*s.pause, s.layer.queues.t2)
		s.layer.queues.retransmit(n, s.pause)
		s.layer.count.out.Add(1)
		b = s.sent
	case s.state == trying:
		b = s.trying()
	case s.state == completed && s.invite:
		s.layer.count.timeouts.Add(1)
		s.finish()
	default:
		s.finish()
	}
	s.mu.Unlock()
	if b != nil {
		s.layer.send(s.flow, b)
	}
}

// trying is the 100 that keeps a slow request other than INVITE from being
// sent again (RFC 4320 section 4.1).
func (s *Server) trying() []byte {
	s.state = proceeding
	s.sent = s.req.Respond(100, "", "").Bytes()
	s.layer.queues.trailing.start(&s.end)
	return s.sent
}
