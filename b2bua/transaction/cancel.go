package transaction

import (
	"strconv"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// cancelling is how far a CANCEL has come.
type cancelling uint8

const (
	notCancelled cancelling = iota
	cancelWanted            // no provisional yet
	cancelSent
)

// Cancel asks the peer to give an INVITE up: at once when a provisional came,
// with the first one else, never when a final came first (RFC 3261 section
// 9.1). reason is the value of a Reason header, or "". Without a final response
// in 64*T1 from the CANCEL the transaction fails with ErrTimeout.
func (c *Client) Cancel(reason string) {
	c.mu.Lock()
	var cancel *message.Message
	if c.invite && c.cancel == notCancelled && c.state <= proceeding {
		c.cancel, c.reason = cancelWanted, reason
		if c.state == proceeding {
			cancel = c.startCancel()
		}
	}
	c.mu.Unlock()
	if cancel != nil {
		c.sendCancel(cancel)
	}
}

func (c *Client) sendCancel(cancel *message.Message) {
	c.show(c.layer.begin(cancel, c.over(), withdrawal{c}, c.branch).Sent())
}

// withdrawal hears what becomes of the CANCEL of an INVITE.
type withdrawal struct{ invite *Client }

func (w withdrawal) Response(_ *Client, res *message.Message) {
	if to := w.invite.witness(); to != nil && res.Status >= 200 {
		to.Withdrawn(w.invite, res)
	}
}

// Failed: the INVITE's own end behind a CANCEL says so (RFC 3261 section 9.1).
func (withdrawal) Failed(*Client, error) {}

// show tells a user that wants to know of a message of the transaction's own.
func (c *Client) show(b []byte) {
	if w := c.witness(); w != nil && b != nil {
		w.Derived(c, b)
	}
}

// witness is nil when the user does not want to know, or there is none any more.
func (c *Client) witness() Witness {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, _ := c.user.(Witness)
	return w
}

func (c *Client) startCancel() *message.Message {
	c.cancel = cancelSent
	c.layer.queues.end.start(&c.end)
	cancel := c.derive("CANCEL", c.req.Get("To"))
	if c.reason != "" {
		cancel.Add("Reason", c.reason)
	}
	return cancel
}

// acknowledge writes the ACK to a failure (RFC 3261 section 17.1.1.3).
func (c *Client) acknowledge(res *message.Message) []byte {
	ack := c.derive("ACK", res.Get("To"))
	return ack.BytesVia(via(c.over(), c.branch))
}

// derive builds what CANCEL and this ACK have in common: the way and the names
// of the INVITE.
func (c *Client) derive(method, to string) *message.Message {
	n, _, _ := c.req.CSeq()
	m := &message.Message{Method: method, URI: c.req.URI, Headers: make([]message.Header, 0, 8)}
	for _, route := range c.req.All("Route") {
		m.Add("Route", route)
	}
	m.Add("Max-Forwards", "70")
	m.Add("From", c.req.Get("From"))
	m.Add("To", to)
	m.Add("Call-ID", c.req.CallID())
	m.Add("CSeq", strconv.FormatUint(uint64(n), 10)+" "+method)
	return m
}

// Outgoing is a message outside transactions, kept to be sent again.
type Outgoing struct {
	layer *Layer
	flow  transport.Flow
	bytes []byte
}

// ACK sends an ACK to a 2xx, which is no transaction, with a branch of its own.
func (l *Layer) ACK(ack *message.Message, f transport.Flow) *Outgoing {
	b := ack.BytesVia(via(f, cookie+l.config.Unique()))
	l.send(f, b)
	return &Outgoing{l, f, b}
}

// Again sends the same bytes once more.
func (o *Outgoing) Again() {
	o.layer.count.out.Add(1)
	o.layer.send(o.flow, o.bytes)
}

// Bytes is the message as it left.
func (o *Outgoing) Bytes() []byte { return o.bytes }
