package b2bua

import (
	"context"
	"fmt"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// What a CANCEL of the caller does, by where the call is (a test per row, in
// cancel_test.go):
//
//	routing      the router is asked      200, 487; the question is abandoned
//	inviting     B sent nothing yet       200, 487; CANCEL waits for B's first 1xx
//	inviting     B sent 100               200, 487; CANCEL
//	inviting     B rings                  200, 487; CANCEL with the Reason
//	inviting     B's 200 crosses it       200, 487; ACK and BYE to B
//	inviting     B's failure crosses it   200, 487; B's failure is dropped
//	inviting     between two targets      200, 487; no further target is tried
//	failing      on_failure is asked      200, 487; the question is abandoned
//	talking      2xx was sent             200, nothing else
//	talking      a re-INVITE is open      200; CANCEL crosses, its answer too
//	clearing     a failure was sent       200, nothing else
//	none         nothing matches          481

// talking is the third phase: the call is answered.
func (c *Call) talking(ev event) phase {
	switch e := ev.(type) {
	case response:
		return c.crossBack(e, (*Call).talking)
	case failed:
		return c.crossFailed(e, (*Call).talking)
	case request:
		return c.inDialogRequest(e, (*Call).talking)
	case acked:
		c.confirmed(e)
	case cancelled:
		c.cancelModify(e)
	case hangUp:
		return c.clear(goodbye{by: e.by, cause: callCleared(e.by)})
	case gone:
		return c.bereft(e, (*Call).talking)
	case decided:
		if e.asked == c.asked {
			return c.referDecided(e.Decided)
		}
	case elapsed:
		switch e.timer {
		case timerRepeat:
			if !c.again() {
				c.happened(EventTimer, nil, "no ACK to the 2xx in time")
				return c.clear(goodbye{by: "timer", cause: reasonHeader(408)})
			}
		case timerDuration:
			c.happened(EventTimer, nil, "max_duration: %v are over", c.maxDuration())
			return c.clear(goodbye{by: "timer", cause: callCleared("timer")})
		case timerRetry:
			c.wake(e.leg)
		case timerSession:
			return c.sessionDue(e.leg, (*Call).talking)
		case timerLeave:
			c.release(e.leg, goodbye{cause: movedOn})
			c.leave(e.leg)
		}
	}
	return (*Call).talking
}

// beforeAnswer takes what may happen in every phase before the answer.
func (c *Call) beforeAnswer(ev event, stay phase) phase {
	switch e := ev.(type) {
	case cancelled:
		if e.tx == c.a.tx {
			c.heard(c.a, e.cancel)
			c.sent(c.a, e.cancel.Respond(200, "", c.a.dialog.Local), nil)
			c.rejectCaller(487, "", "caller")
			return c.clear(goodbye{by: "caller", from: c.a, cause: e.cancel.Get("Reason")})
		}
	case hangUp:
		c.rejectCaller(e.code, "", e.by)
		return c.clear(goodbye{by: e.by, cause: callCleared(e.by)})
	case request:
		return c.inDialogRequest(e, stay)
	case response:
		return c.crossBack(e, stay)
	case failed:
		return c.crossFailed(e, stay)
	case gone:
		return c.bereft(e, stay)
	}
	return stay
}

// saidGoodbye takes a BYE: 200 at once, then the other leg is told. On an early
// dialog it also ends the INVITE (RFC 3261 section 15.1.2).
func (c *Call) saidGoodbye(e request) phase {
	c.reply(e, 200, nil)
	if !c.answered && e.leg == c.a {
		c.rejectCaller(487, "", "caller")
	} else if !c.answered {
		c.rejectCaller(480, "", "callee")
	}
	if c.wants(HookInbound) {
		e.req = e.req.Clone()
		c.router.Inbound(e.leg.view(), e.req)
	}
	return c.clear(goodbye{by: e.leg.who(), from: e.leg, bye: e.req})
}

// rejectCaller ends the caller's INVITE because the call is over for another
// reason. Scripts and response maps see it, but for the 487 that a CANCEL or a
// BYE must get (RFC 3261 sections 9.2 and 15.1.2).
func (c *Call) rejectCaller(code int, reason, by string) {
	if c.answered || c.record.Code != 0 {
		return
	}
	if code < 400 {
		code = 480
	}
	res := c.failureOf(code, reason)
	if code == 487 {
		explain(c.a.trunk, res)
	} else {
		c.finalize(res, OriginLocal)
	}
	c.record.Code, c.record.Reason, c.record.HungUpBy = res.Status, res.Reason, by
	c.respond(c.a.tx, c.a, res)
}

// goodbye says why a call is cleared.
type goodbye struct {
	by    string           // caller callee script admin timer shutdown fault
	from  *leg             // who hung up and need not be told
	cause string           // value of the Reason header (RFC 3326)
	bye   *message.Message // the BYE that crosses
}

// clear ends the call: everybody who does not know yet is told, the record is
// closed at once, and the call stays findable until its transactions are gone.
func (c *Call) clear(g goodbye) phase {
	if c.abandon != nil {
		c.abandon()
	}
	c.asked++
	c.question = nil
	c.stop(timerBudget)
	c.stop(timerDuration)
	c.a.stopAll()
	for _, l := range c.legs {
		l.stopAll()
	}
	c.dropTransfer()
	for len(c.crossing) > 0 {
		c.breakOff(c.crossing[0])
	}
	for _, o := range c.errands {
		o.answered = true
		if o.client != nil {
			o.client.Cancel("")
		}
	}
	c.errands = nil
	for _, l := range c.legs {
		c.release(l, g)
	}
	if c.answered {
		c.part(c.a, g)
	} else {
		c.expectPRACK()
	}
	c.conclude(g)
	return c.lingering()
}

// breakOff answers a request whose own answer nobody will bring (RFC 3261
// section 15.1.2: 487; RFC 3262 section 3 takes a PRACK all the same). A re-INVITE
// is cancelled: who never answers it must not keep the call.
func (c *Call) breakOff(x *exchange) {
	code := 487
	if x.method == "PRACK" && !hasSDP(x.req) {
		code = 200
	}
	if !x.done {
		c.respond(x.tx, x.from, c.responseTo(x.req, code, "", ""))
	}
	if x.client != nil {
		x.client.Cancel("")
	}
	if x.late && x.done && x.ack == nil { // its 2xx has crossed
		c.acknowledgeModify(x, nil)
	}
	c.crossed(x)
}

// release lets a B leg go: its INVITE is cancelled, or its dialog ended.
func (c *Call) release(l *leg, g goodbye) {
	switch l.state {
	case legIdle:
		c.over(l, 487, "", OriginLocal)
	case legCalling:
		l.cancel(g.cause)
		c.over(l, 487, "", OriginLocal)
		if w := c.waiting; w != nil && w.to == l {
			c.late(l, w.res)
		}
	case legAnswered:
		l.state = legOver
		if l.held {
			c.acknowledge(l, nil)
		}
		c.part(l, g)
	}
	c.freeTrunk(l)
}

// cancel gives a callee up; what it answers later is hung up.
func (l *leg) cancel(reason string) {
	if l.state == legCalling {
		l.state = legCancelled
		l.client.Cancel(withCause(l.trunk, reason))
		return
	}
	l.state = legOver
}

// part sends a leg its BYE. One whose 2xx has no ACK yet is told when that
// comes or its time is over (RFC 3261 section 15).
func (c *Call) part(l *leg, g goodbye) {
	waiting := c.repeat != nil && c.repeat.leg == l
	switch {
	case (l == g.from || l.left) && waiting:
		c.stopRepeat()
	case l == g.from || l.left:
	case waiting:
		c.parting = &parting{l, g}
	default:
		c.bye(l, l.dialog, g)
	}
}

// parting is a BYE that waits until its leg has acknowledged our 2xx.
type parting struct {
	leg *leg
	goodbye
}

// bye sends a BYE in a dialog.
func (c *Call) bye(l *leg, d *talk, g goodbye) {
	req := c.inDialog(d, "BYE", d.Next())
	if g.bye != nil {
		req.Set("Max-Forwards", hops(g.bye))
		c.crossHeaders(req, g.bye, g.from, l, c.rules(l))
		req.Body, req.Raw = g.bye.Body, g.bye.Raw
	}
	if g.cause != "" {
		req.Set("Reason", g.cause)
	}
	if cause := farewellCause(l.trunk, req); cause != "" {
		req.Add("Reason", cause)
	}
	if g.bye != nil && c.wants(HookBye) {
		shown(req, g.bye, c.rules(l), func() Decided {
			c.router.Bye(c.view(), g.from.view(), req)
			return Decided{}
		})
	}
	if c.wants(HookOutbound) {
		c.router.Outbound(l.view(), req)
	}
	l.authorize(req)
	c.sayGoodbye(&farewell{call: c, leg: l, talk: d, req: req})
}

// sayGoodbye sends a BYE.
func (c *Call) sayGoodbye(w *farewell) {
	c.open++
	c.along(w.leg, w.talk, func(f transport.Flow, err error) {
		if err != nil {
			c.open--
			c.log().Warn("BYE can't be sent", "leg", w.leg.role.String(), "err", err)
			return
		}
		w.client = c.server.layer.Request(w.req, f, w)
		c.sent(w.leg, w.req, w.client.Sent())
	})
}

// farewell waits for the answer to a BYE.
type farewell struct {
	call *Call
	leg  *leg
	talk *talk
	req  *message.Message
	done bool

	client *transaction.Client
}

// Response brings the answer to a BYE.
func (w *farewell) Response(_ *transaction.Client, res *message.Message) {
	w.call.take(response{w, res})
}

// Failed posts that nobody answered a BYE.
func (w *farewell) Failed(_ *transaction.Client, err error) { w.call.post(failed{w, err}) }

func (c *Call) saidTo(w *farewell) {
	if !w.done {
		w.done, w.req = true, nil // its transaction keeps w for a while
		c.open--
	}
}

// insist says a goodbye again that was challenged.
func (c *Call) insist(w *farewell, res *message.Message) {
	if again := c.withCredentials(w.leg, w.req, res); again != nil && !w.done {
		setSeq(again, w.talk.Next())
		c.sayGoodbye(&farewell{call: c, leg: w.leg, talk: w.talk, req: again})
	}
}

// late takes a response to an INVITE that no phase waits for any more. A 2xx
// is acknowledged, and hung up unless it is the answer we have (flows C5, C10,
// C16).
func (c *Call) late(l *leg, res *message.Message) {
	if res.Status < 200 {
		return
	}
	c.settled(l)
	if res.Status >= 300 || res.CallID() != l.half.CallID || res.FromTag() != l.half.Local {
		return
	}
	tag := res.ToTag()
	if l.dialog != nil && l.dialog.Remote == tag {
		if l.ack != nil {
			l.ack.Again()
		}
		return
	}
	for _, x := range l.extras {
		if x.tag == tag {
			if x.ack != nil {
				x.ack.Again()
			}
			return
		}
	}
	if len(l.extras) < maxForks {
		c.dismiss(l, res)
	}
}

// extra is a 2xx that nobody wants, and its ACK.
type extra struct {
	tag string
	ack *transaction.Outgoing
}

// dismiss acknowledges a 2xx that comes too late and hangs up.
func (c *Call) dismiss(l *leg, res *message.Message) {
	x := &extra{tag: res.ToTag()}
	l.extras = append(l.extras, x)
	d := l.dialogOf(res)
	ack := c.ackOf(l, d, l.half.LocalSeq, nil)
	c.sendACK(l, d, ack, func(sent *transaction.Outgoing) {
		x.ack = sent
		c.bye(l, d, goodbye{cause: `SIP;cause=487;text="Request Terminated"`})
	})
}

// clearing is the last phase: nobody talks, the rest of the goodbyes is said.
func (c *Call) clearing(ev event) phase {
	switch e := ev.(type) {
	case response:
		c.crossBack(e, (*Call).clearing)
	case failed:
		c.crossFailed(e, (*Call).clearing)
	case request:
		c.heard(e.leg, e.req)
		switch {
		case e.req.Method == "BYE" && (c.answered || e.leg != c.a), c.expected(e):
			c.reply(e, 200, nil)
		default: // a failure has ended the caller's early dialog (RFC 3261 section 12.3)
			c.reply(e, 481, nil)
		}
	case acked:
		c.confirmed(e)
		c.partNow()
	case concluded:
		c.open--
		c.tell(Event{Kind: EventEnded, Leg: c.a.view(), Record: c.record})
	case elapsed:
		switch {
		case e.timer == timerRepeat && !c.again():
			c.partNow()
		case e.timer == timerReliable:
			c.provisionals = nil
			c.open--
		}
	}
	return c.lingering()
}

// partNow sends the BYE that waited for an ACK.
func (c *Call) partNow() {
	if p := c.parting; p != nil && c.repeat == nil {
		c.parting = nil
		c.bye(p.leg, p.leg.dialog, p.goodbye)
	}
}

// lingering forgets the call once nothing of it is open.
func (c *Call) lingering() phase {
	if c.open == 0 && !c.forgotten {
		c.forgotten = true
		c.server.forget(c)
		c.router.Close()
		c.shrink()
	}
	return (*Call).clearing
}

// shrink lets go of what a late answer will not ask for: transactions keep the
// call for another half minute.
func (c *Call) shrink() {
	c.invite, c.folded, c.stages, c.onEnd, c.crossing = nil, nil, nil, nil, nil
	c.route, c.failure = Route{}, failure{}
	c.provisionals, c.waiting, c.earlyOf = nil, nil, nil
	c.a.tx, c.a.theirs, c.a.ours = nil, nil, nil
	for _, l := range c.legs {
		l.theirs, l.ours = nil, nil
	}
}

// conclude closes the record and asks on_end, which may wait.
func (c *Call) conclude(g goodbye) {
	if c.ended {
		return
	}
	c.ended = true
	if c.onBehalf != nil {
		c.sound(c.failureOf(487, "")) // unless it has said how it ended
		return
	}
	c.closeRecord(g)
	c.server.active.Add(-1)
	c.freeTrunk(c.a)
	for _, f := range c.onEnd {
		f()
	}
	c.open++
	if !c.wants(HookEnd) {
		c.post(concluded{})
		return
	}
	v, r := c.view(), c.record
	c.question = func() event {
		ctx, cancel := context.WithTimeout(c.server.ctx, endLimit)
		defer cancel()
		c.router.End(ctx, v, r)
		return concluded{}
	}
}

// endLimit bounds on_end beyond its own deadline.
const endLimit = 30 * time.Second

// who names a leg's person in a record.
func (l *leg) who() string {
	if l.role == RoleA {
		return "caller"
	}
	return "callee"
}

// reasonHeader is a Reason with a SIP cause (RFC 3326).
func reasonHeader(code int) string {
	return fmt.Sprintf("SIP;cause=%d;text=%q", code, message.ReasonPhrase(code))
}

// callCleared is the Reason of a call that a third party ended.
func callCleared(by string) string {
	text := map[string]string{
		"admin": "Cleared by operator", "script": "Cleared by script",
		"timer": "Maximum duration reached", "shutdown": "Shutting down",
	}[by]
	return fmt.Sprintf("Q.850;cause=16;text=%q", text)
}
