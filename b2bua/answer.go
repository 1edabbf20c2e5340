package b2bua

import (
	"slices"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// answer is the first 2xx: the callee's dialog is confirmed, and so becomes the
// caller's.
func (c *Call) answer(l *leg, res *message.Message) phase {
	if c.owes() {
		c.waiting = &response{l, res}
		l.stop(timerRing)
		return (*Call).inviting
	}
	c.settled(l)
	c.b = l
	c.stop(timerBudget)
	l.stop(timerTry)
	l.stop(timerRing)
	c.giveUp(l, elsewhere, 487, OriginLocal)
	caller := l.confirm(res)
	l.peer.learn(res)
	l.dialog.carry(offer.OK, offer.Remote, hasSDP(res))
	l.keepOurs(l.invite)
	l.keepTheirs(res)
	l.invite = nil
	out := c.toCaller(l, res, caller.Local)
	l.describe(out, caller)
	if err := c.tuneToCaller(out, l); err != nil {
		return c.refuseAnswer(l, HangUp{Code: 488})
	}
	out.Set("Contact", c.a.contact())
	c.introduce(out)
	l.timing.Accepted(res)
	c.a.timing.Grant(c.invite, out)
	if c.wants(HookAnswer) {
		d := shown(out, res, c.rules(c.a), func() Decided { return c.router.Answer(c.view(), l.view(), out) })
		if d.Decision != nil {
			c.decidedBy("on_answer", d)
			if h, ok := d.Decision.(HangUp); ok {
				return c.refuseAnswer(l, h)
			}
		}
	}
	if c.onBehalf != nil {
		return c.deliver(l, out)
	}
	c.a.dialog = caller
	caller.carry(offer.OK, offer.Local, hasSDP(out))
	c.a.keepTheirs(c.invite)
	c.a.keepOurs(out)
	c.finishAttempt(l, res.Status, res.Reason, OriginPeer)
	c.answeredBy(l, out)
	l.held = l.dialog.offers.Offerer() == offer.Remote
	c.a.stop(timerReliable)
	if !l.held {
		c.acknowledge(l, nil)
	}
	c.respond(c.a.tx, c.a, out)
	cseq, _, _ := c.invite.CSeq()
	c.repeatUntilACK(&repeat{tx: c.a.tx, leg: c.a, cseq: cseq})
	c.after(timerDuration, c.maxDuration())
	c.restartTimer(c.a)
	c.restartTimer(l)
	c.fold()
	return (*Call).talking
}

// elsewhere is the Reason for those whose phones stop ringing (RFC 3326).
const elsewhere = `SIP;cause=200;text="Call completed elsewhere"`

// fold keeps the caller's INVITE as text: a held call has no more use for it
// than a hook that may ask.
func (c *Call) fold() {
	c.folded = c.invite.Raw
	if c.wants(HookInbound) || c.folded == nil {
		c.folded = c.invite.Bytes()
	}
	c.invite, c.abandon, c.b.client = nil, nil, nil
}

// request is the caller's INVITE for a hook.
func (c *Call) request() *message.Message {
	if c.invite != nil || c.folded == nil {
		return c.invite
	}
	m, err := message.Parse(c.folded)
	if err != nil {
		c.log().Error("the caller's INVITE can't be read again", "err", err)
	}
	return m
}

func (c *Call) maxDuration() time.Duration {
	return orDefault(c.route.MaxDuration, c.server.cfg.MaxDuration)
}

// describe gives the caller, who is owed an answer, the one that the callee gave
// in a reliable 1xx and does not repeat.
func (l *leg) describe(out *message.Message, caller *talk) {
	if len(out.Body) > 0 || caller.offers.Offerer() != offer.Remote {
		return
	}
	for _, f := range l.forks {
		if f.caller == caller && f.sdp != nil {
			out.Set("Content-Type", f.sdp.Get("Content-Type"))
			out.Body = f.sdp.Body
		}
	}
}

// refuseAnswer hangs an answered callee up again because the script said so, or no
// codec is left.
func (c *Call) refuseAnswer(l *leg, h HangUp) phase {
	c.finishAttempt(l, 200, "OK", OriginPeer)
	l.held = true // its ACK goes before the BYE
	res := c.failureOf(h.Code, h.Reason)
	c.finalize(res, OriginLocal)
	c.record.Code, c.record.Reason = res.Status, res.Reason
	c.respond(c.a.tx, c.a, res)
	return c.clear(goodbye{by: "script"})
}

// confirm takes the dialog of a 2xx and returns the caller's. Route set and
// target are the 2xx's (RFC 3261 section 13.2.2.4), the sequence numbers those
// of the early dialog.
func (l *leg) confirm(res *message.Message) (caller *talk) {
	l.dialog, l.state = l.dialogOf(res), legAnswered
	f := l.fork(res)
	if f == nil {
		return l.call.a.dialog
	}
	f.dialog.Target, f.dialog.Routes = l.dialog.Target, l.dialog.Routes
	l.dialog = f.dialog // requests on their way hold it
	return f.caller
}

// acknowledge sends the ACK to a B leg's 2xx; from is the caller's ACK whose
// body crosses in a late offer (flow C12).
func (c *Call) acknowledge(l *leg, from *message.Message) {
	l.held = false
	ack := c.ackOf(l, l.dialog, l.half.LocalSeq, from)
	c.sendACK(l, l.dialog, ack, func(sent *transaction.Outgoing) { l.ack = sent })
}

// sendACK sends the ACK to a 2xx in a dialog of the leg's; keep gets what sends it
// again.
func (c *Call) sendACK(l *leg, d *talk, ack *message.Message, keep func(*transaction.Outgoing)) {
	c.along(l, d, func(f transport.Flow, err error) {
		if err != nil {
			c.log().Warn("ACK can't be sent", "leg", l.role.String(), "err", err)
			return
		}
		out := c.server.layer.ACK(ack, f)
		c.sent(l, ack, out.Bytes())
		keep(out)
	})
}

// ackOf builds the ACK to a 2xx in the leg's dialog (RFC 3261 section 13.2.2.4).
func (c *Call) ackOf(l *leg, d *talk, cseq uint32, from *message.Message) *message.Message {
	ack := c.inDialog(d, "ACK", cseq)
	if from != nil {
		ack.Set("Max-Forwards", hops(from))
		c.crossHeaders(ack, from, c.a, l, c.rules(l))
		ack.Body, ack.Raw = from.Body, from.Raw
		tuneAnswer(ack, l.other(), l)
		l.splice(ack, nil)
	}
	if c.wants(HookOutbound) {
		c.router.Outbound(l.view(), ack)
	}
	l.authorize(ack)
	l.keepOurs(ack)
	d.carry(offer.ACK, offer.Local, hasSDP(ack))
	return ack
}

// repeatUntilACK begins to repeat a 2xx; one waits for its ACK at a time.
func (c *Call) repeatUntilACK(r *repeat) {
	r.pause, r.left = c.server.cfg.T1, 64*c.server.cfg.T1
	c.repeat = r
	c.open++
	c.after(timerRepeat, r.pause)
}

// stopRepeat ends the repeating: the ACK came, or nobody waits for it.
func (c *Call) stopRepeat() {
	if c.repeat != nil {
		c.repeat = nil
		c.open--
		c.stop(timerRepeat)
	}
}

// again repeats the 2xx after T1, doubling up to T2, for 64*T1; false when the
// time is over (RFC 3261 section 13.3.1.4).
func (c *Call) again() bool {
	r := c.repeat
	if r == nil {
		return true
	}
	if r.left -= r.pause; r.left <= 0 {
		c.stopRepeat()
		return false
	}
	r.tx.Again()
	r.pause = min(2*r.pause, c.server.cfg.T2)
	c.after(timerRepeat, min(r.pause, r.left))
	return true
}

// confirmed takes the ACK of a 2xx of ours. An ACK that carries the answer to
// a late offer crosses.
func (c *Call) confirmed(e acked) {
	r := c.repeat
	cseq, _, _ := e.ack.CSeq()
	if r == nil || r.leg != e.leg || r.cseq != cseq || e.ack.FromTag() != e.leg.dialog.Remote || !c.server.knows(e.leg, e.leg.dialog, e.from) {
		return
	}
	c.heard(e.leg, e.ack)
	c.stopRepeat()
	if c.wants(HookInbound) {
		e.ack = e.ack.Clone()
		c.router.Inbound(e.leg.view(), e.ack)
	}
	e.leg.dialog.carry(offer.ACK, offer.Remote, hasSDP(e.ack))
	if r.cross != nil {
		c.confirmModify(r.cross, e.ack)
		return
	}
	c.a.tx = nil // and with it the bytes of the 2xx
	c.provisionals = slices.DeleteFunc(c.provisionals, func(p *provisional) bool { return !p.sent })
	if l := c.b; l != nil && l.held {
		c.a.keepTheirs(e.ack)
		c.acknowledge(l, e.ack)
	}
}
