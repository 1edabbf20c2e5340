package b2bua

import (
	"errors"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// errand is a request of our own in the confirmed dialog of a leg: a refresh, or
// the re-INVITE of a transfer. One that changes the session waits until no
// other change is under way, gives way when both ends offer at once, and
// answers challenges.
type errand struct {
	call     *Call
	leg      *leg
	talk     *talk
	method   string
	edit     func(*message.Message)
	done     func(res *message.Message) phase
	req      *message.Message // as sent; nil: not under way
	client   *transaction.Client
	changes  bool // an INVITE, or an UPDATE with an offer
	waits    bool // for timerRetry
	tries    int
	cseq     uint32
	ack      *transaction.Outgoing
	answered bool // done was told
	settled  bool // its transaction has ended
}

// maxTries bounds how often an errand is sent: 491 and challenges repeat it.
const maxTries = 6

// Response posts a response to the errand's request.
func (o *errand) Response(_ *transaction.Client, res *message.Message) {
	o.call.post(response{o, res})
}

// Failed posts that the errand's request got no answer.
func (o *errand) Failed(_ *transaction.Client, err error) { o.call.post(failed{o, err}) }

// Derived and Withdrawn tell those who watch; see transaction.Witness.
func (o *errand) Derived(_ *transaction.Client, b []byte) { o.leg.derived(b) }

func (o *errand) Withdrawn(_ *transaction.Client, res *message.Message) { o.leg.witnessed(res) }

// errand sends a request of ours on a leg, at once or when the session may be
// changed. edit completes it each time it is sent; nil: it is complete, and an
// UPDATE has no offer and need not wait (RFC 3311 section 5.1). done gets the
// final response, or one made here: 408 for silence, 503 for the network; it
// returns the phase that follows, nil for none other.
func (c *Call) errand(l *leg, method string, edit func(*message.Message), done func(*message.Message) phase) {
	c.errandIn(l, l.dialog, method, edit, done)
}

// errandIn sends it in a dialog that may be an early one.
func (c *Call) errandIn(l *leg, t *talk, method string, edit func(*message.Message), done func(*message.Message) phase) {
	o := &errand{call: c, leg: l, talk: t, method: method, edit: edit, done: done}
	o.changes = method == "INVITE" || method == "UPDATE" && edit != nil
	c.errands = append(c.errands, o)
	c.runErrands()
}

// runErrands sends what may go now. It is asked after each event.
func (c *Call) runErrands() {
	for _, o := range c.errands {
		if o.req == nil && !o.waits && (!o.changes || !c.changing()) {
			o.send()
		}
	}
}

// changing is true while a re-INVITE or an UPDATE is under way on either leg.
func (c *Call) changing() bool { return c.repeat != nil || c.offering() }

// offering is changing but for a 2xx that waits for its ACK only.
func (c *Call) offering() bool {
	if c.modify != nil {
		return true
	}
	for _, o := range c.errands {
		if o.req != nil && o.changes {
			return true
		}
	}
	return false
}

func (o *errand) send() {
	c := o.call
	o.tries++
	o.cseq = o.talk.Next()
	req := c.inDialog(o.talk, o.method, o.cseq)
	if refreshesTarget(o.method) {
		req.Set("Contact", o.leg.contact())
		c.introduce(req)
	}
	c.askTimer(o.leg, req)
	if o.edit != nil {
		o.edit(req)
		_ = tuneOffer(req, nil, o.leg) // the peer refuses what it has no codec for
	}
	if c.wants(HookOutbound) {
		c.router.Outbound(o.leg.view(), req)
	}
	o.talk.carry(carrierOf(o.method).request, offer.Local, hasSDP(req))
	o.leg.authorize(req)
	o.transmit(req)
}

func (o *errand) transmit(req *message.Message) {
	c := o.call
	o.req, o.client, o.settled = req, nil, false
	c.along(o.leg, o.talk, func(f transport.Flow, err error) {
		switch {
		case o.answered:
		case err != nil:
			c.post(failed{o, err})
		default:
			c.open++
			o.client = c.server.layer.Request(req, f, o)
			c.sent(o.leg, req, o.client.Sent())
		}
	})
}

// errandAnswered takes a response to an errand.
func (c *Call) errandAnswered(o *errand, res *message.Message, stay phase) phase {
	c.heard(o.leg, res)
	if res.Status < 200 {
		return stay
	}
	c.errandSettled(o)
	if o.answered {
		if res.Status < 300 && o.method == "INVITE" {
			c.acknowledgeErrand(o)
		}
		return stay
	}
	if res.Status >= 300 {
		if again := c.withCredentials(o.leg, o.req, res); again != nil && o.tries < maxTries {
			o.tries++
			o.cseq = o.talk.Next()
			setSeq(again, o.cseq)
			o.leg.keepProof(again)
			o.transmit(again)
			return stay
		}
		o.talk.offers.Fail(carrierOf(o.method).request)
		if c.errandAgain(o, res) {
			return stay
		}
		return c.errandDone(o, res, stay)
	}
	o.leg.peer.learn(res)
	if a, ok := res.Contact(); ok && refreshesTarget(o.method) {
		o.talk.Refresh(a.URI)
	}
	o.talk.carry(carrierOf(o.method).ok, offer.Remote, hasSDP(res))
	o.leg.keepOurs(o.req)
	o.leg.keepTheirs(res)
	c.acceptTimer(o.leg, o.method, res)
	if o.method == "INVITE" {
		c.acknowledgeErrand(o)
	}
	return c.errandDone(o, res, stay)
}

// acknowledgeErrand sends the ACK to the 2xx of a re-INVITE of ours, or sends it
// again.
func (c *Call) acknowledgeErrand(o *errand) {
	if o.ack != nil {
		o.ack.Again()
		return
	}
	ack := c.ackOf(o.leg, o.talk, o.cseq, nil)
	c.sendACK(o.leg, o.talk, ack, func(sent *transaction.Outgoing) { o.ack = sent })
}

// errandAgain repeats an errand whose failure is one of the moment: both ends
// offered at once (RFC 3261 section 14.1), or the peer wants us to wait.
func (c *Call) errandAgain(o *errand, res *message.Message) bool {
	if o.tries >= maxTries {
		return false
	}
	var pause time.Duration
	switch {
	case res.Status == 491:
		pause = c.glarePause(o.leg)
	case res.Status == 500 && res.RetryAfter() > 0 && res.RetryAfter() <= 10:
		pause = time.Duration(res.RetryAfter()) * time.Second
	default:
		return false
	}
	o.req, o.waits = nil, true
	o.leg.after(timerRetry, pause)
	return true
}

// glarePause is how long a re-INVITE that met another waits: the owner of the
// Call-ID 2.1 to 4 seconds, the other end less than 2 (RFC 3261 section 14.1).
func (c *Call) glarePause(l *leg) time.Duration {
	tens := time.Duration(c.server.cfg.Rand() * 200)
	if l.half != nil { // our INVITE made the dialog
		tens = 210 + time.Duration(c.server.cfg.Rand()*191)
	}
	return tens*10*time.Millisecond + time.Millisecond
}

// wake lets the errands of a leg go that waited.
func (c *Call) wake(l *leg) {
	for _, o := range c.errands {
		if o.leg == l {
			o.waits = false
		}
	}
}

func (c *Call) errandDone(o *errand, res *message.Message, stay phase) phase {
	o.answered = true
	for i, other := range c.errands {
		if other == o {
			c.errands = append(c.errands[:i:i], c.errands[i+1:]...)
			break
		}
	}
	o.req, o.edit = nil, nil
	if next := o.done(res); next != nil {
		return next
	}
	return stay
}

func (c *Call) errandSettled(o *errand) {
	if o.client != nil && !o.settled {
		o.settled = true
		c.open--
	}
}

// errandFailed makes the response of one that never came.
func (c *Call) errandFailed(o *errand, err error, stay phase) phase {
	c.errandSettled(o)
	if o.answered {
		return stay
	}
	if c.movesOn(o.leg, o.client, err) && o.tries < maxTries {
		o.tries++
		o.cseq = o.talk.Next()
		again := o.req.Clone()
		setSeq(again, o.cseq)
		o.transmit(again)
		return stay
	}
	o.talk.offers.Fail(carrierOf(o.method).request)
	code := 503
	if errors.Is(err, transaction.ErrTimeout) {
		code = 408
	}
	return c.errandDone(o, o.req.Respond(code, "", ""), stay)
}
