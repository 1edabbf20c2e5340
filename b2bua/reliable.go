package b2bua

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/trunk"
)

// Reliable provisional responses (RFC 3262), by what the two legs can:
//
//	A and B    a 1xx is reliable on both; the PRACK crosses, and with it an
//	           answer or a further offer
//	B alone    we acknowledge it at once; it crosses as a plain 1xx
//	A alone    where the caller requires 100rel, B's 1xx are made reliable and
//	           the caller's PRACK is answered here
//	neither    as ever
//
// With "pass" nothing is made reliable here that is not so at its origin.

// provisional is a reliable 1xx to the caller.
type provisional struct {
	res    *message.Message
	talk   *talk // with the caller
	rseq   uint32
	sdp    bool
	leg    *leg   // whose PRACK waits for the caller's; nil: nobody's
	fork   *fork  // of that leg
	theirs uint32 // its RSeq
	pause  time.Duration
	left   time.Duration
	sent   bool
}

// maxProvisionals bounds what a callee can make us keep for the caller.
const maxProvisionals = 16

// prack is what becomes of reliable responses on a leg: the route's word, then
// its trunk's.
func (c *Call) prack(l *leg) trunk.PRACK {
	switch {
	case c.route.PRACK != trunk.PRACKDefault:
		return c.route.PRACK
	case l.trunk != nil && l.trunk.PRACK != trunk.PRACKDefault:
		return l.trunk.PRACK
	}
	return trunk.InterworkPRACK
}

// offers100rel tells whether a leg's INVITE says that we can. One without an
// offer does so only for a caller who can take the offer of a 1xx.
func (c *Call) offers100rel(l *leg) bool {
	switch c.prack(l) {
	case trunk.NoPRACK:
		return false
	case trunk.PassPRACK:
		return c.a.peer.reliable
	}
	return c.a.peer.reliable || hasSDP(c.invite)
}

// reliable takes a reliable 1xx of a callee's. It returns the early dialog and
// the RSeq that a PRACK must name; ok is false for one that was there before, or
// comes too early (RFC 3262 section 4).
func (c *Call) reliable(l *leg, res *message.Message) (f *fork, rseq uint32, ok bool) {
	f = l.fork(res)
	if f == nil || !res.HasToken("Require", "100rel") {
		return f, 0, true
	}
	n, err := strconv.ParseUint(res.Get("RSeq"), 10, 32)
	if err != nil || n == 0 {
		return f, 0, true
	}
	if f.rseq != 0 && uint32(n) != f.rseq+1 {
		return f, 0, false
	}
	f.rseq = uint32(n)
	f.dialog.carry(offer.Reliable, offer.Remote, hasSDP(res))
	if hasSDP(res) {
		f.sdp = res
	}
	return f, f.rseq, true
}

// acknowledgeProvisional sends a callee the PRACK of a 1xx that ends here.
func (c *Call) acknowledgeProvisional(l *leg, f *fork, rseq uint32) {
	rack := c.rack(l, rseq)
	c.errandIn(l, f.dialog, "PRACK", func(m *message.Message) { m.Set("RAck", rack) }, func(*message.Message) phase { return nil })
}

// rack names a 1xx of a leg's INVITE (RFC 3262 section 7.2).
func (c *Call) rack(l *leg, rseq uint32) string {
	return fmt.Sprintf("%d %d INVITE", rseq, l.half.LocalSeq)
}

// tellReliably sends a 1xx to the caller until it is acknowledged. One goes
// after the other; the 1xx of a callee that is itself reliable is acknowledged
// when this one is.
func (c *Call) tellReliably(p *provisional) {
	if len(c.provisionals) >= maxProvisionals {
		c.ackAtOrigin(p)
		return
	}
	p.talk.rseq++
	if p.talk.rseq == 1 {
		p.talk.rseq += uint32(c.server.cfg.Rand() * 1e6)
	}
	p.rseq, p.sdp = p.talk.rseq, hasSDP(p.res)
	p.pause, p.left = c.server.cfg.T1, 64*c.server.cfg.T1
	p.res.Set("Require", "100rel")
	p.res.Set("RSeq", strconv.FormatUint(uint64(p.rseq), 10))
	p.talk.carry(offer.Reliable, offer.Local, p.sdp)
	c.provisionals = append(c.provisionals, p)
	c.sendProvisional()
}

// ackAtOrigin acknowledges a 1xx that the caller will not.
func (c *Call) ackAtOrigin(p *provisional) {
	if p.leg != nil {
		c.acknowledgeProvisional(p.leg, p.fork, p.theirs)
	}
}

// sendProvisional sends the first of those that wait, unless it is under way.
func (c *Call) sendProvisional() {
	if len(c.provisionals) == 0 || c.provisionals[0].sent || c.answered {
		return
	}
	p := c.provisionals[0]
	p.sent = true
	c.respond(c.a.tx, c.a, p.res)
	c.a.after(timerReliable, p.pause)
}

// repeatProvisional sends it again, doubling the pause; a caller who never
// acknowledges it loses the call (RFC 3262 section 3).
func (c *Call) repeatProvisional() phase {
	if len(c.provisionals) == 0 || c.answered {
		return (*Call).inviting
	}
	p := c.provisionals[0]
	if p.left -= p.pause; p.left <= 0 {
		c.rejectCaller(504, "", "timer")
		return c.clear(goodbye{by: "timer", cause: reasonHeader(504)})
	}
	c.a.tx.Respond(p.res)
	p.pause *= 2
	c.a.after(timerReliable, min(p.pause, p.left))
	return (*Call).inviting
}

// acknowledged takes the caller's PRACK: it crosses when the 1xx was reliable at
// its origin, and is answered here when not.
func (c *Call) acknowledged(x *exchange, e request, stay phase) phase {
	i := slices.IndexFunc(c.provisionals, func(p *provisional) bool {
		return p.sent && p.talk == x.near && c.matches(p, e.req.Get("RAck"))
	})
	if i < 0 {
		c.reply(e, 481, nil)
		return stay
	}
	p := c.provisionals[i]
	c.provisionals = slices.Delete(c.provisionals, i, i+1)
	c.a.stop(timerReliable)
	switch {
	case p.leg != nil:
		x.to, x.far, x.rack = p.leg, p.fork.dialog, c.rack(p.leg, p.theirs)
		c.cross(x, e)
	case hasSDP(e.req):
		c.reply(e, 488, nil) // the callee has no way to answer an offer yet
	default:
		c.reply(e, 200, nil)
	}
	c.sendProvisional()
	return c.answerNow(stay)
}

// matches compares a RAck with a 1xx of ours; numbers may have leading zeros.
func (c *Call) matches(p *provisional, rack string) bool {
	words := strings.Fields(rack)
	if len(words) != 3 || words[2] != "INVITE" {
		return false
	}
	rseq, err := strconv.ParseUint(words[0], 10, 32)
	cseq, err2 := strconv.ParseUint(words[1], 10, 32)
	return err == nil && err2 == nil && uint32(rseq) == p.rseq && uint32(cseq) == c.inviteSeq
}

// owes tells whether a 2xx must wait: the session of a 1xx before it is not yet
// acknowledged (RFC 3262 section 3).
func (c *Call) owes() bool {
	return slices.ContainsFunc(c.provisionals, func(p *provisional) bool { return p.sdp })
}

// answerNow goes on with the 2xx that waited for the caller's PRACK.
func (c *Call) answerNow(stay phase) phase {
	w := c.waiting
	if w == nil || c.owes() {
		return stay
	}
	c.waiting = nil
	return c.answer(w.to.(*leg), w.res)
}

// expectPRACK keeps a call that has failed findable: the PRACK of a 1xx before
// that may be on its way (RFC 3262 section 3).
func (c *Call) expectPRACK() {
	c.provisionals = slices.DeleteFunc(c.provisionals, func(p *provisional) bool { return !p.sent })
	if len(c.provisionals) > 0 {
		c.open++
		c.a.after(timerReliable, 64*c.server.cfg.T1)
	}
}

// expected takes that PRACK.
func (c *Call) expected(e request) bool {
	i := slices.IndexFunc(c.provisionals, func(p *provisional) bool {
		return e.leg == c.a && !c.answered && e.req.Method == "PRACK" && c.matches(p, e.req.Get("RAck")) &&
			p.talk.Local == e.tag && p.talk.Remote == e.req.FromTag() && c.server.knows(c.a, p.talk, e.tx.Flow())
	})
	if i < 0 {
		return false
	}
	c.provisionals = slices.Delete(c.provisionals, i, i+1)
	if len(c.provisionals) == 0 {
		c.a.stop(timerReliable)
		c.open--
	}
	return true
}
