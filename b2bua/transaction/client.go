package transaction

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// Client is a client transaction.
type Client struct {
	layer  *Layer
	key    string
	branch string
	flow   transport.Flow
	wide   atomic.Pointer[transport.Flow] // in place of flow; see widen
	invite bool

	mu     sync.Mutex // guards all below
	state  state
	user   User             // nil: abandoned
	req    *message.Message // until the final response
	sent   []byte           // the request, later the ACK to a failure
	cancel cancelling
	reason string        // for the CANCEL's Reason
	pause  time.Duration // what again waits now
	again  node          // timers A and E
	end    node          // B, D, F, K, M; the wait behind a CANCEL

	telling int   // the user is being told of so many responses
	failure error // to be told when it is through with them
}

// Request sends req in a new client transaction: not ACK, not CANCEL. The top
// Via is put in front while writing; req, which may hold Vias of its own, is
// kept and must not change any more.
func (l *Layer) Request(req *message.Message, f transport.Flow, u User) *Client {
	return l.begin(req, f, u, cookie+l.config.Unique())
}

func (l *Layer) begin(req *message.Message, f transport.Flow, u User, branch string) *Client {
	c := &Client{
		layer: l, branch: branch, flow: f, invite: req.Method == "INVITE",
		user: u, req: req, pause: l.config.T1,
		key:  branch + "|" + req.Method,
		sent: req.BytesVia(via(f, branch)),
	}
	c.again.tx, c.end.tx = c, c
	c.widen()
	l.count.clients.Add(1)
	l.clients.add(c.key, c)
	if l.closed.Load() {
		c.fail(ErrClosed, true)
		return c
	}
	c.mu.Lock()
	l.queues.end.start(&c.end)
	over, sent := c.over(), c.sent
	if !over.Stream() {
		l.queues.retransmit(&c.again, c.pause)
	}
	c.mu.Unlock()
	l.config.Send(over, sent, c.undelivered)
	return c
}

// via is our Via over f; the response comes back to the port that the request
// left from (RFC 3581).
func via(f transport.Flow, branch string) string {
	return "SIP/2.0/" + strings.ToUpper(f.Network()) + " " + f.Listener.SentBy() + ";rport;branch=" + branch
}

// Flow is where the request went.
func (c *Client) Flow() transport.Flow { return c.over() }

// Sent is the request as it left, for observers; nil after a final response.
func (c *Client) Sent() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= completed {
		return nil
	}
	return c.sent
}

// Abandon says that the user does not listen any more; the transaction ends by
// itself, at the latest after 64*T1, and till then acknowledges failures. A 2xx
// to INVITE is then a stray.
func (c *Client) Abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user = nil
	if c.invite && c.state == proceeding && c.cancel == notCancelled {
		c.layer.queues.end.start(&c.end)
	}
}

func (c *Client) receive(res *message.Message, f transport.Flow) {
	c.mu.Lock()
	var send []byte
	var cancel *message.Message
	news := true
	switch {
	case c.state <= proceeding && res.Status < 200:
		cancel = c.provisional()
	case c.state <= proceeding:
		send = c.final(res)
	case c.invite && res.Status >= 200 && res.Status < 300:
		// RFC 6026: the 2xx of another fork, or one that was repeated. Behind
		// a failure it is nobody's, but must not ring on.
		if c.state != accepted {
			c.mu.Unlock()
			c.layer.stray(res, f)
			return
		}
	default:
		news = false
		c.layer.count.in.Add(1)
		if c.state == completed && c.invite && res.Status >= 300 {
			send = c.sent
		}
	}
	user := c.user
	if news && user != nil {
		c.telling++
	}
	c.mu.Unlock()
	if send != nil {
		c.layer.send(c.over(), send)
	}
	if cancel != nil {
		c.sendCancel(cancel)
	}
	switch {
	case news && user != nil:
		c.tell(user, res)
		c.show(send)
	case news && c.invite && res.Status >= 200 && res.Status < 300:
		c.layer.stray(res, f)
	}
}

// tell keeps a failure that a timer finds meanwhile behind the response.
func (c *Client) tell(user User, res *message.Message) {
	user.Response(c, res)
	c.mu.Lock()
	c.telling--
	failure := c.failure
	if c.telling == 0 {
		c.failure = nil
	}
	last := c.telling == 0
	c.mu.Unlock()
	if last && failure != nil {
		user.Failed(c, failure)
	}
}

// provisional returns the CANCEL that has waited for it.
func (c *Client) provisional() *message.Message {
	c.state = proceeding
	if !c.invite {
		return nil
	}
	c.again.stop()
	switch c.cancel {
	case cancelWanted:
		return c.startCancel()
	case notCancelled:
		if c.user != nil {
			c.end.stop()
		}
	}
	return nil
}

// final moves on behind a final response and returns the ACK to a failure.
func (c *Client) final(res *message.Message) (ack []byte) {
	q := c.layer.queues
	c.again.stop()
	switch {
	case c.invite && res.Status < 300:
		c.state, c.sent = accepted, nil
		q.end.start(&c.end)
	case c.invite:
		ack = c.acknowledge(res)
		c.state, c.sent = completed, ack
		q.absorb.start(&c.end)
	default:
		c.state, c.sent = completed, nil
		q.settle.start(&c.end)
	}
	c.req = nil
	if c.over().Stream() && c.state == completed {
		c.finish()
	}
	return ack
}

func (c *Client) finish() {
	c.again.stop()
	c.end.stop()
	c.state, c.req = terminated, nil
	if c.layer.clients.del(c.key, c) {
		c.layer.count.clients.Add(-1)
	}
}

func (c *Client) undelivered(err error) {
	if c.narrow() {
		return
	}
	c.layer.count.failures.Add(1)
	c.fail(err, false)
}

// fail ends a transaction that still waits: for a first answer, or with always
// for any.
func (c *Client) fail(err error, always bool) {
	c.mu.Lock()
	waits := c.state == trying || c.state == proceeding && (always || !c.invite)
	if !waits {
		if always {
			c.finish()
		}
		c.mu.Unlock()
		return
	}
	c.finish()
	c.failed(err)
}

// failed tells the user and unlocks.
func (c *Client) failed(err error) {
	user := c.user
	c.user = nil
	if c.telling > 0 {
		c.failure = err
		user = nil
	}
	c.mu.Unlock()
	if user != nil {
		user.Failed(c, err)
	}
}

func (c *Client) expire(n *node, round uint32) {
	c.mu.Lock()
	switch {
	case n.round != round || c.state == terminated:
		c.mu.Unlock()
	case n == &c.again:
		b := c.repeat()
		c.mu.Unlock()
		c.layer.count.out.Add(1)
		c.layer.config.Send(c.over(), b, c.undelivered)
	case c.state >= completed:
		c.finish()
		c.mu.Unlock()
	default:
		c.layer.count.timeouts.Add(1)
		c.finish()
		c.failed(ErrTimeout)
	}
}

// repeat sets the next timer A or E and returns what to send.
func (c *Client) repeat() []byte {
	q := c.layer.queues
	c.pause *= 2
	if !c.invite {
		c.pause = min(c.pause, q.t2)
		if c.state == proceeding {
			c.pause = q.t2
		}
	}
	q.retransmit(&c.again, c.pause)
	return c.sent
}
