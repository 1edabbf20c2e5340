package b2bua

import (
	"strconv"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/transport"
)

// mayCross holds back a re-INVITE or an UPDATE with an offer while another is
// under way (RFC 3261 section 14.2, RFC 3311 section 5.2).
func (c *Call) mayCross(x *exchange, e request) bool {
	invite := x.req.Method == "INVITE"
	x.modifies = invite || x.req.Method == "UPDATE" && offer.HasSDP(x.req.Get("Content-Type"))
	if !x.modifies {
		return true
	}
	unacked := c.repeat != nil
	switch {
	case invite && !c.answered:
		c.tryLater(e)
		return false
	case c.modify != nil && c.modify.from == x.from, unacked && c.repeat.leg == x.from && invite:
		c.tryLater(e)
		return false
	case c.modify != nil, unacked:
		c.reply(e, 491, nil)
		return false
	}
	c.modify = x
	x.late = invite && len(x.req.Body) == 0
	if invite {
		c.respond(x.tx, x.from, c.responseTo(x.req, 100, "", ""))
	}
	return true
}

// tryLater answers 500 with a Retry-After of up to ten seconds.
func (c *Call) tryLater(e request) {
	seconds := int(c.server.cfg.Rand() * 11)
	c.reply(e, 500, []message.Header{{Name: "Retry-After", Value: strconv.Itoa(seconds)}})
}

// modified follows the 2xx of a re-INVITE: it is repeated until the ACK comes,
// and acknowledged on the other leg, at once unless that ACK must carry the
// answer.
func (c *Call) modified(x *exchange) {
	cseq, _, _ := x.req.CSeq()
	c.repeatUntilACK(&repeat{tx: x.tx, leg: x.from, cseq: cseq, cross: x})
	if !x.late {
		c.acknowledgeModify(x, nil)
	}
}

// confirmModify takes the ACK that ends a re-INVITE.
func (c *Call) confirmModify(x *exchange, ack *message.Message) {
	if x.ack == nil {
		c.acknowledgeModify(x, ack)
	}
	c.crossed(x)
}

func (c *Call) acknowledgeModify(x *exchange, from *message.Message) {
	ack := c.ackOf(x.to, x.far, x.cseq, from)
	c.along(x.to, x.far, func(f transport.Flow, err error) {
		if err != nil {
			c.log().Warn("ACK can't be sent", "leg", x.to.role.String(), "err", err)
			return
		}
		x.ack = c.server.layer.ACK(ack, f)
		c.sent(x.to, ack, x.ack.Bytes())
	})
}

// cancelModify passes on that a re-INVITE is no longer wanted; its answer
// crosses as it comes.
func (c *Call) cancelModify(e cancelled) {
	if x := c.modify; x != nil && x.tx == e.tx && x.client != nil {
		x.client.Cancel(e.cancel.Get("Reason"))
	}
}
