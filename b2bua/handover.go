package b2bua

import (
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
)

// What calls say to each other when a leg moves from one to another. None
// touches what is another's: a leg that is given away is copied, and the copy
// belongs to who receives it.
type (
	// handed brings a leg that is in a dialog.
	handed struct {
		leg *leg
		story
	}
	// denied says that no leg will come.
	denied struct{ code int }
	// surrender asks a call to hand over the survivor of a match and to hang up
	// on the replaced.
	surrender struct {
		match
		by *Call
	}
	// succession asks a call to offer a session to the survivor of a match, and to
	// surrender it when that agrees.
	succession struct {
		match
		by  *Call
		sdp []byte
	}
	// renounced says that the call which asked for a succession is over.
	renounced struct{ by *Call }
	// begins starts a search; the targets may be given.
	begins struct{ targets []Target }
	// sounded is a response to who a search speaks for; a final one ends the
	// search.
	sounded struct {
		res *message.Message
		story
	}
)

func (begins) event()     {}
func (handed) event()     {}
func (denied) event()     {}
func (surrender) event()  {}
func (succession) event() {}
func (renounced) event()  {}
func (sounded) event()    {}

// transfers is what a call has to do with REFER and Replaces.
type transfers struct {
	referral *referral         // a REFER that is not answered yet
	transfer *transfer         // one that is obeyed here
	referred []referred        // those that crossed
	seeking  *seeking          // a question to another call
	debt     *succession       // what another call has asked for
	replaces *message.Replaces // goes to the callees
	succeeds *match            // whose place is taken here
	onBehalf *Call             // of a search: whom it searches for
}

// story is what a leg or a search brings along for the record and the end of the
// call.
type story struct {
	seats    int
	attempts []Attempt
	notes    []string
	onEnd    []func()
}

// give hands a leg in a dialog over to another call. What comes for it is that
// call's from now on, also what waits here already; only its INVITE's repeated
// 2xx is still acknowledged from here.
func (c *Call) give(l *leg, to *Call, s story) {
	l.stopAll()
	heir := *l
	d := *l.dialog
	heir.call, heir.dialog, heir.clocks = to, &d, [timers - callTimers]clock{}
	heir.client, heir.tx, heir.forks, heir.extras, heir.ack = nil, nil, nil, nil, nil
	heir.refreshing = false
	if c.onBehalf == nil {
		heir.index = 0 // its new call has a seat for it
	}
	l.heir, l.left, l.load, l.digest, l.state = &heir, true, nil, nil, legOver
	key := dialogKey{d.CallID, d.Local}
	for i, k := range c.keys {
		if k == key {
			c.keys = append(c.keys[:i:i], c.keys[i+1:]...)
			break
		}
	}
	to.post(handed{&heir, s})
	c.server.index.move(key, &heir)
}

// receive takes a leg over that was given.
func (c *Call) receive(l *leg, role Role) {
	c.keys = append(c.keys, dialogKey{l.dialog.CallID, l.dialog.Local})
	c.legs = append(c.legs, l)
	l.role, l.state = role, legAnswered
	if l.index == 0 {
		l.index = c.seat()
	}
	if !c.ended {
		c.restartTimer(l)
		c.watch(l)
	}
}

// retell adds what another call knows to this one's story.
func (c *Call) retell(s story) {
	if !c.ended {
		c.record.Attempts = append(c.record.Attempts, s.attempts...)
		c.record.Notes = append(c.record.Notes, s.notes...)
	}
	c.seats = max(c.seats, s.seats)
	for _, f := range s.onEnd {
		c.whenOver(f)
	}
}

// amongCalls takes what has to do with other calls, and what came for a leg that
// was given away; it tells whether it was that.
func (c *Call) amongCalls(ev event) bool {
	switch e := ev.(type) {
	case request:
		if h := e.leg.heir; h != nil {
			e.leg = h
			h.call.post(e)
			return true
		}
		return false
	case acked:
		if h := e.leg.heir; h != nil {
			e.leg = h
			h.call.post(e)
			return true
		}
		return false
	case gone: // its new call is told itself
		return e.leg.heir != nil
	case sought:
		e.by.post(found{e.question, c.matching(e.replaces)})
	case found:
		c.takeFound(e)
	case handed, denied, sounded, surrender, succession, renounced:
		c.phase = c.transferred(ev)
	default:
		return false
	}
	return true
}

// transferred takes what other calls say.
func (c *Call) transferred(ev event) phase {
	switch e := ev.(type) {
	case handed:
		c.open--
		c.retell(e.story)
		return c.handed(e.leg)
	case denied:
		c.open--
		return c.denied(e.code)
	case sounded:
		return c.sounded(e)
	case surrender:
		return c.owe(&succession{match: e.match, by: e.by})
	case succession:
		return c.owe(&e)
	case renounced:
		c.keep(e.by)
	}
	return c.stay()
}

// keep takes that a call no longer wants the leg it has asked for.
func (c *Call) keep(by *Call) {
	switch {
	case c.debt != nil && c.debt.by == by:
		c.debt = nil
		by.post(denied{487})
	case c.transfer != nil && c.transfer.by == by:
		c.transfer.renounced = true
	}
}

// owe takes what another call asks for; one at a time.
func (c *Call) owe(o *succession) phase {
	if c.debt != nil {
		o.by.post(denied{491})
		return c.stay()
	}
	c.debt = o
	return c.pay()
}

// pay does what another call has asked for, once nothing is under way here.
func (c *Call) pay() phase {
	o := c.debt
	switch {
	case o == nil:
		return c.stay()
	case c.ended || o.survivor.left || o.replaced.left || c.transfer != nil:
		c.debt = nil
		o.by.post(denied{481})
		return c.stay()
	case c.changing():
		return c.stay()
	}
	c.debt = nil
	if o.sdp == nil {
		return c.yield(o.match, o.by)
	}
	t := &transfer{referrer: o.replaced, survivor: o.survivor, by: o.by}
	c.transfer = t
	c.offerTo(o.survivor, o.sdp, func(res *message.Message) phase {
		switch {
		case res.Status >= 300:
			return c.refusedBySurvivor(res)
		case t.renounced:
			t.agreed = true
			return c.failTransfer(487, "")
		}
		c.transfer = nil
		return c.yield(o.match, o.by)
	})
	return c.stay()
}

// yield gives the survivor of this call away and ends the rest of it.
func (c *Call) yield(m match, to *Call) phase {
	c.give(m.survivor, to, story{})
	c.note("replaced: "+m.survivor.who()+" goes on in call "+to.id, "")
	return c.clear(goodbye{by: m.replaced.who(), cause: `SIP;cause=200;text="Replaced"`})
}

// handed goes on with a leg that has come. One that nobody waits for any more is
// hung up.
func (c *Call) handed(l *leg) phase {
	t := c.transfer
	switch {
	case c.ended:
		c.receive(l, RoleB)
		c.release(l, goodbye{cause: reasonHeader(487)})
		return c.lingering()
	case c.succeeds != nil:
		c.succeeds = nil
		c.receive(l, RoleB)
		return c.succeeded(l)
	}
	c.receive(l, RoleB)
	if t == nil || t.fresh != nil {
		c.release(l, goodbye{cause: reasonHeader(487)})
		return c.stay()
	}
	return c.meet(l)
}

// denied goes on without the leg.
func (c *Call) denied(code int) phase {
	switch {
	case c.ended:
		return c.lingering()
	case c.succeeds != nil:
		c.succeeds = nil
		return c.reject(Reject{Code: code})
	case c.transfer != nil:
		return c.failTransfer(code, "")
	}
	return c.stay()
}

// stay is the phase that the call is in.
func (c *Call) stay() phase {
	if c.ended {
		return c.lingering()
	}
	return c.phase
}

// offerTo sends a leg a re-INVITE with a session that comes from somebody new;
// to its peer it is the one it knows, changed.
func (c *Call) offerTo(l *leg, sdp []byte, done func(*message.Message) phase) {
	l.spliced = true
	c.errand(l, "INVITE", func(req *message.Message) { putSDP(req, offer.Continue(l.ours, l.veil(sdp))) }, done)
}

// splice makes an SDP that crosses to a leg go on with the session that its peer
// knows, though it is from somebody else than it began with (RFC 3264 section
// 8). offered is what it answers, if it does.
func (l *leg) splice(m, offered *message.Message) {
	if !l.spliced || !hasSDP(m) {
		return
	}
	sdp := m.Body
	if offered != nil && hasSDP(offered) {
		sdp = offer.Fit(offer.Continue(l.ours, sdp), offered.Body)
	} else {
		sdp = offer.Continue(l.ours, sdp)
	}
	m.Body = sdp
}

func putSDP(m *message.Message, sdp []byte) {
	m.Set("Content-Type", "application/sdp")
	m.Body = sdp
}

// sdpOf is the session that a message describes; nil: none.
func sdpOf(m *message.Message) []byte {
	sdp, _ := offer.Find(m.Get("Content-Type"), m.Body)
	return sdp
}
