package b2bua

import (
	"fmt"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
)

// transfer is a REFER that is obeyed here (RFC 5589): somebody fresh takes the
// referrer's place beside the survivor. Who that is, a search finds, or it is
// the far end of another call of the referrer's. The survivor's stream stays
// with the referrer until the fresh leg's is there.
type transfer struct {
	referrer *leg
	survivor *leg
	gone     bool // the referrer has hung up meanwhile
	to       message.ReferTo
	sub      *subscribed
	search   *Call // nil: none, or it has ended
	match    match // of an attended transfer
	agreed   bool  // the survivor has taken the fresh session
	fresh    *leg
	by       *Call // who waits for the survivor instead: no REFER, see succession

	renounced bool // by no longer waits
}

// movedOn is the Reason for a referrer that does not hang up itself.
const movedOn = `SIP;cause=200;text="Transferred"`

// hangUpAfter is how long a referrer has to say goodbye itself once its transfer
// has come about.
const hangUpAfter = 4 * time.Second

// obeyRefer accepts the REFER that is open and begins to obey it, with these
// targets or with its own.
func (c *Call) obeyRefer(targets []Target) phase {
	r := c.referral
	to, err := r.req.ReferTo()
	switch {
	case err != nil: // the script wrote it
		c.refuseRefer(400, "", nil)
	case to.Method != "INVITE":
		c.refuseRefer(501, "", nil)
	case c.server.draining.Load():
		c.refuseRefer(503, "", nil)
	case len(c.legs) >= maxAttempts:
		c.refuseRefer(403, "Too Many Transfers", nil)
	case r.to.theirs == nil:
		c.refuseRefer(488, "", nil) // its session can't be offered to anybody
	default:
		c.referral = nil
		return c.beginTransfer(r, to, targets)
	}
	return (*Call).talking
}

func (c *Call) beginTransfer(r *referral, to message.ReferTo, targets []Target) phase {
	cseq, _, _ := r.req.CSeq()
	t := &transfer{referrer: r.leg, survivor: r.to, to: to}
	t.sub = &subscribed{call: c, leg: r.leg, cseq: cseq, numbered: r.leg.refers > 0, over: r.req.NoReferSub()}
	r.leg.refers++
	c.transfer = t
	accepted := []message.Header{{Name: "Contact", Value: r.leg.contact()}}
	if t.sub.over {
		accepted = append(accepted, message.Header{Name: "Refer-Sub", Value: "false"})
	}
	c.reply(r.request, 202, accepted)
	c.note(fmt.Sprintf("transfer by %s to %.200s", r.leg.who(), to.URI), "")
	t.sub.notify(100, "", false)
	if to.Replaces == nil || targets != nil {
		c.search(r.req, targets)
		return (*Call).talking
	}
	c.seek(*to.Replaces, func(m match) phase {
		switch {
		case m.foreign:
			c.search(r.req, nil)
		case m.code == 0 && (m.early || m.call == c):
			return c.failTransfer(481, "")
		case m.code != 0:
			return c.failTransfer(m.code, "")
		default:
			c.join(m)
		}
		return nil
	})
	return (*Call).talking
}

// sounded takes what a search has heard.
func (c *Call) sounded(e sounded) phase {
	if e.res.Status < 200 {
		if t := c.transfer; t != nil && t.search != nil {
			t.sub.notify(e.res.Status, e.res.Reason, false)
		}
		return c.stay()
	}
	c.open--
	c.retell(e.story)
	if t := c.transfer; t != nil && t.search != nil {
		t.search = nil
		return c.failTransfer(e.res.Status, e.res.Reason)
	}
	return c.stay()
}

// join begins an attended transfer between two calls of ours: the survivor is
// offered the session of the other call's, which is asked for its leg once that
// has agreed.
func (c *Call) join(m match) {
	t := c.transfer
	t.match = m
	c.offerTo(t.survivor, offer.Awaken(m.sdp), func(res *message.Message) phase {
		if res.Status >= 300 {
			return c.refusedBySurvivor(res)
		}
		t.agreed = true
		c.open++
		m.call.post(surrender{match: m, by: c})
		return nil
	})
}

// meet takes the fresh leg. The survivor is offered its session unless it has
// agreed already.
func (c *Call) meet(l *leg) phase {
	t := c.transfer
	t.fresh, t.search = l, nil
	switch {
	case l.theirs == nil: // it was offered a session and has answered none
		return c.failTransfer(488, "")
	case t.agreed:
		c.joined(l)
		return c.pair()
	}
	c.offerTo(t.survivor, l.theirs, func(res *message.Message) phase {
		switch {
		case res.Status >= 300:
			return c.refusedBySurvivor(res)
		case l.state == legOver:
			t.agreed = true
			return c.failTransfer(480, "")
		}
		return c.pair()
	})
	return c.stay()
}

// pair gives the fresh leg the referrer's place. What the survivor has answered
// is told to the fresh one, when that does not know it already.
func (c *Call) pair() phase {
	t := c.transfer
	c.transfer = nil
	t.survivor.spliced, t.fresh.spliced = true, true
	c.disengage(t.referrer)
	c.exchange(t)
	c.talksTo(t.fresh)
	t.sub.notify(200, "", true)
	if !t.gone {
		t.referrer.after(timerLeave, hangUpAfter)
	}
	if offer.Agree(t.fresh.ours, t.survivor.theirs) {
		return (*Call).talking
	}
	c.offerTo(t.fresh, offer.Awaken(t.survivor.theirs), func(res *message.Message) phase {
		switch {
		case res.Status == 408 || res.Status == 481:
			return c.clear(goodbye{by: t.fresh.who(), from: t.fresh, cause: reasonHeader(res.Status)})
		case res.Status >= 300: // a failed re-INVITE leaves a call up
			c.note(fmt.Sprintf("the new party refuses the survivor's session: %d", res.Status), "")
		}
		return nil
	})
	return (*Call).talking
}

// exchange puts the fresh leg where the referrer's was. That one stays among the
// legs until it has hung up.
func (c *Call) exchange(t *transfer) {
	kept := c.legs[:0]
	for _, l := range c.legs {
		if l != t.fresh && l != t.referrer {
			kept = append(kept, l)
		}
	}
	c.legs = append(kept, t.referrer)
	t.fresh.role = t.referrer.role
	if t.fresh.role == RoleA {
		c.a = t.fresh
	} else {
		c.b = t.fresh
		c.legs = append(c.legs, t.fresh)
	}
	if !t.gone {
		t.referrer.state = legAnswered
	}
}

// failTransfer tells the referrer that nobody took its place; the call goes on as
// it was. When the referrer has gone already, the survivor has nobody left.
func (c *Call) failTransfer(code int, reason string) phase {
	t := c.transfer
	c.transfer = nil
	if t.fresh != nil && t.fresh.state == legAnswered {
		c.release(t.fresh, goodbye{cause: reasonHeader(487)})
	}
	if t.by != nil {
		t.by.post(denied{code})
	} else {
		c.note(fmt.Sprintf("transfer failed: %d", code), "")
		t.sub.notify(code, reason, true)
	}
	switch {
	case t.gone:
		return c.clear(goodbye{by: t.referrer.who(), cause: reasonHeader(code)})
	case t.agreed: // and is to go back to the referrer
		c.offerTo(t.survivor, t.referrer.theirs, func(res *message.Message) phase { return nil })
	}
	return c.stay()
}

// refusedBySurvivor ends a transfer that the survivor does not follow, or the
// call, when there is no survivor any more (RFC 3261 section 12.2.1.2).
func (c *Call) refusedBySurvivor(res *message.Message) phase {
	if res.Status == 408 || res.Status == 481 {
		l := c.transfer.survivor
		return c.clear(goodbye{by: l.who(), from: l, cause: reasonHeader(res.Status)})
	}
	return c.failTransfer(res.Status, res.Reason)
}

// dropTransfer ends what waits for other calls, or they for it, when the call
// ends.
func (c *Call) dropTransfer() {
	if c.referral != nil {
		c.refuseRefer(487, "", nil)
	}
	if c.debt != nil {
		c.debt.by.post(denied{481})
		c.debt = nil
	}
	c.seeking = nil
	if c.succeeds != nil {
		c.succeeds.call.post(renounced{c})
	}
	t := c.transfer
	if t == nil {
		return
	}
	c.transfer = nil
	if t.search != nil {
		t.search.post(hangUp{code: 487})
	}
	if t.by != nil {
		t.by.post(denied{481})
		return
	}
	t.sub.notify(487, "", true)
}
