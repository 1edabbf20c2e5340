package b2bua

import (
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
)

// match is the dialog that a Replaces names (RFC 3891 section 3), told by the
// call that it belongs to. The legs are that call's: they are only handed back
// to it.
type match struct {
	code     int // why there is none: 481, 486 or 603; 0: there is one
	foreign  bool
	call     *Call
	survivor *leg // who stays
	replaced *leg // whose place is taken
	early    bool
	replaces message.Replaces // as the survivor knows its dialog
	target   string           // the survivor's remote target
	party    string           // who the survivor is, in To or From of its dialog
	contact  string           // ours towards the replaced
	sdp      []byte           // how the survivor has described its session
	refer    Refer            // of the call's route
}

type (
	// sought asks the call of a dialog what a Replaces means there.
	sought struct {
		replaces message.Replaces
		by       *Call
		question *seeking
	}
	// found is its answer.
	found struct {
		question *seeking
		match
	}
)

func (sought) event() {}
func (found) event()  {}

// seeking is a question of this call to another that is open: one at a time, and
// a new one or the end of the call makes an older one void.
type seeking struct{ then func(match) phase }

// seek finds out what a Replaces names; then is called with the answer, in this
// call's mailbox, and returns the phase that follows; nil is none other.
func (c *Call) seek(r message.Replaces, then func(match) phase) {
	c.seeking = &seeking{then}
	l := c.server.index.leg(r.CallID, r.ToTag)
	if l == nil {
		l = c.server.index.leg(r.CallID, r.FromTag)
	}
	if l == nil {
		c.post(found{c.seeking, match{code: 481, foreign: true}})
		return
	}
	l.call.post(sought{r, c, c.seeking})
}

// takeFound goes on with what seek has found.
func (c *Call) takeFound(e found) {
	if c.seeking != e.question {
		return
	}
	c.seeking = nil
	if next := e.question.then(e.match); next != nil {
		c.phase = next
	}
}

// matching says what a Replaces means in this call. Its tags may be those of our
// end and the peer's, as the peer sees us, or the other way round, as somebody
// was told who is to call the peer: both name the same dialog, but who is to be
// replaced is at its far end in the first case and we in the second.
func (c *Call) matching(r message.Replaces) match {
	if c.ended {
		return match{code: 603}
	}
	if c.answered {
		for _, l := range [...]*leg{c.a, c.b} {
			switch d := &l.dialog.Dialog; {
			case l.left || d.CallID != r.CallID:
			case d.Local == r.ToTag && d.Remote == r.FromTag:
				return c.confirmedMatch(l.other(), l, r)
			case d.Remote == r.ToTag && d.Local == r.FromTag:
				return c.confirmedMatch(l, l.other(), r)
			}
		}
		return match{code: 481}
	}
	for _, l := range c.legs {
		for _, f := range l.forks {
			if c.onBehalf == nil && l.state == legCalling && (f.dialog.CallID == r.CallID && f.dialog.Local == r.ToTag && f.dialog.Remote == r.FromTag ||
				f.caller.CallID == r.CallID && f.caller.Remote == r.ToTag && f.caller.Local == r.FromTag) {
				return c.matched(c.a, f.caller, l, r, true)
			}
		}
	}
	// An early dialog that its survivor did not begin can't be replaced (RFC
	// 3891 section 3): that of a search nobody has begun.
	return match{code: 481}
}

func (c *Call) confirmedMatch(survivor, replaced *leg, r message.Replaces) match {
	switch {
	case r.EarlyOnly:
		return match{code: 486}
	case survivor.left:
		return match{code: 481}
	case c.transfer != nil:
		return match{code: 491}
	}
	return c.matched(survivor, survivor.dialog, replaced, r, false)
}

func (c *Call) matched(survivor *leg, d *talk, replaced *leg, r message.Replaces, early bool) match {
	r.CallID, r.ToTag, r.FromTag = d.CallID, d.Remote, d.Local
	return match{
		call: c, survivor: survivor, replaced: replaced, early: early, replaces: r, target: d.Target, party: message.URIOf(d.RemoteURI),
		contact: replaced.contact(), sdp: survivor.theirs, refer: c.route.Refer,
	}
}

// beginReplacing asks what the Replaces of the caller's INVITE names before
// anybody routes it (RFC 3891 section 3): what can't be is refused here.
func (c *Call) beginReplacing() phase {
	values := c.invite.All("Replaces")
	r, err := message.ParseReplaces(values[0])
	if err != nil || len(values) > 1 {
		return c.reject(Reject{Code: 400})
	}
	c.seek(r, func(m match) phase {
		switch {
		case m.code != 0:
			return c.reject(Reject{Code: m.code})
		case m.refer == LocalRefer && !m.early && hasSDP(c.invite):
			c.succeeds = &m
		}
		c.replaces = &m.replaces
		return c.consult()
	})
	return (*Call).routing
}

// replacing puts the Replaces on the INVITE of a B leg: the caller's never
// crosses, since it names a dialog that the callee does not know. A callee who
// can't do it is to ring only when the caller allows; to the target of a REFER it
// would be a call from nowhere (RFC 5589 section 7.1).
func (c *Call) replacing(m *message.Message) {
	if c.replaces == nil {
		return
	}
	m.Set("Replaces", c.replaces.String())
	if c.onBehalf != nil || c.invite.HasToken("Require", "replaces") {
		m.AddToken("Require", "replaces")
	}
}

// succeed takes the place of the replaced leg itself: the route of the call that
// it belongs to says refer = "local". Its call offers our caller's session to
// the survivor and, if that agrees, hands the leg over.
func (c *Call) succeed() phase {
	c.open++
	c.succeeds.call.post(succession{match: *c.succeeds, by: c, sdp: sdpOf(c.invite)})
	return (*Call).succeeding
}

// succeeding waits for the call that is replaced.
func (c *Call) succeeding(ev event) phase { return c.beforeAnswer(ev, (*Call).succeeding) }

// succeeded answers the caller: the survivor is its callee now.
func (c *Call) succeeded(l *leg) phase {
	c.b = l
	res := c.responseTo(c.invite, 200, "", c.a.dialog.Local)
	res.Set("Contact", c.a.contact())
	c.introduce(res)
	c.rules(c.a)
	putSDP(res, c.a.veil(l.theirs))
	c.a.timing.Grant(c.invite, res)
	c.answeredBy(l, res)
	c.joined(l)
	c.a.dialog.carry(offer.OK, offer.Local, hasSDP(res))
	c.a.keepTheirs(c.invite)
	c.a.keepOurs(res)
	c.respond(c.a.tx, c.a, res)
	cseq, _, _ := c.invite.CSeq()
	c.repeatUntilACK(&repeat{tx: c.a.tx, leg: c.a, cseq: cseq})
	c.after(timerDuration, c.maxDuration())
	c.restartTimer(c.a)
	c.fold()
	return (*Call).talking
}
