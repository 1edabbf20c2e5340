package b2bua

import (
	"strconv"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/transaction"
)

// mayCross holds back a re-INVITE, or an UPDATE with an offer, while another is
// under way (RFC 3261 section 14.2, RFC 3311 section 5.2), and finds another
// way for an UPDATE that the far peer does not allow.
func (c *Call) mayCross(x *exchange, e request) bool {
	invite := x.req.Method == "INVITE"
	x.modifies = invite || x.req.Method == "UPDATE" && hasSDP(x.req)
	if x.modifies {
		switch c.glare(x, invite) {
		case own:
			c.tryLater(e)
			return false
		case others:
			c.reply(e, 491, nil)
			return false
		}
	}
	if x.method == "UPDATE" && x.to.peer.update == refuses && !c.instead(x, e) {
		return false
	}
	if !x.modifies {
		return true
	}
	c.modify = x
	x.late = invite && len(x.req.Body) == 0
	if invite {
		c.respond(x.tx, x.from, c.responseTo(x.req, 100, "", ""))
	}
	return true
}

// whose is the offer that keeps another from crossing.
type whose uint8

const (
	nobodys whose = iota
	own           // the peer that offers has itself one open: 500
	others        // the other end, or we: 491
)

// glare tells whether an offer may go on its way now. An UPDATE need not wait
// for the ACK of the first INVITE when the session is agreed without it (RFC
// 6337 section 4.3); what goes on as a re-INVITE must.
func (c *Call) glare(x *exchange, invite bool) whose {
	unacked := c.repeat != nil
	switch {
	case invite && !c.answered,
		unacked && c.repeat.leg == x.from && invite,
		c.modify != nil && c.modify.from == x.from:
		return own
	case c.offering(), unacked && (invite || x.to.peer.update == refuses):
		return others
	}
	switch x.near.offers.MayOffer(offer.Remote) {
	case offer.ErrPending:
		return others
	case offer.ErrOwn:
		return own
	}
	if x.far.offers.MayOffer(offer.Local) != nil {
		return own
	}
	return nobodys
}

// tryLater answers 500 with a Retry-After of up to ten seconds.
func (c *Call) tryLater(e request) {
	seconds := int(c.server.cfg.Rand() * 11)
	c.reply(e, 500, []message.Header{{Name: "Retry-After", Value: strconv.Itoa(seconds)}})
}

// instead carries an UPDATE to a peer that does not allow it (flow C24): after
// the answer as a re-INVITE; without an offer there is nothing to carry, and it
// is answered here. It tells whether the exchange still crosses.
func (c *Call) instead(x *exchange, e request) bool {
	switch {
	case x.modifies && c.answered:
		x.method = "INVITE"
		return true
	case x.modifies:
		c.reply(e, 488, nil)
	default:
		c.acceptHere(x, e)
	}
	return false
}

// refusedUpdate tells of an UPDATE with an offer to a peer that, as it turns out,
// does not allow it: it crosses as a re-INVITE then.
func (c *Call) refusedUpdate(x *exchange, res *message.Message) bool {
	if res.Status != 405 && res.Status != 501 || x.method != "UPDATE" || !x.modifies || !c.answered || c.repeat != nil {
		return false
	}
	x.to.peer.update = refuses
	x.method = "INVITE"
	x.far.offers.Reject()
	x.far.carry(offer.INVITE, offer.Local, true)
	return true
}

// acceptHere answers an UPDATE without an offer in the place of the far peer.
func (c *Call) acceptHere(x *exchange, e request) {
	if a, ok := x.req.Contact(); ok {
		x.near.Refresh(a.URI)
	}
	c.reply(e, 200, []message.Header{{Name: "Contact", Value: x.from.contact()}, {Name: "Allow", Value: allow}})
}

// modified follows the 2xx of a re-INVITE or an UPDATE. The 2xx of an INVITE is
// repeated until its ACK comes, and acknowledged on the other leg, at once
// unless that ACK must carry the answer.
func (c *Call) modified(x *exchange) {
	if x.method == "INVITE" && !x.late {
		c.acknowledgeModify(x, nil)
	}
	if x.req.Method != "INVITE" {
		c.crossed(x)
		return
	}
	cseq, _, _ := x.req.CSeq()
	c.repeatUntilACK(&repeat{tx: x.tx, leg: x.from, cseq: cseq, cross: x})
}

// confirmModify takes the ACK that ends a re-INVITE.
func (c *Call) confirmModify(x *exchange, ack *message.Message) {
	if x.late {
		x.from.keepTheirs(ack)
		c.acknowledgeModify(x, ack)
	}
	c.crossed(x)
}

// unacked is true while the ACK of a late offer is awaited.
func (x *exchange) unacked() bool { return x.late && x.call.repeat != nil && x.call.repeat.cross == x }

// acknowledgeModify sends the ACK on the far leg, or sends it again.
func (c *Call) acknowledgeModify(x *exchange, from *message.Message) {
	if x.ack != nil {
		x.ack.Again()
		return
	}
	ack := c.ackOf(x.to, x.far, x.cseq, from)
	c.sendACK(x.to, x.far, ack, func(sent *transaction.Outgoing) { x.ack = sent })
}

// cancelModify passes on that a re-INVITE is no longer wanted; its answer
// crosses as it comes.
func (c *Call) cancelModify(e cancelled) {
	if x := c.modify; x != nil && x.tx == e.tx && x.client != nil {
		x.client.Cancel(e.cancel.Get("Reason"))
	}
}
