package b2bua

import (
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// progress takes a response of the callee that is being tried.
func (c *Call) progress(l *leg, res *message.Message) phase {
	c.heard(l, res)
	c.spoken(l)
	if c.wants(HookInbound) {
		res = res.Clone()
		c.router.Inbound(l.view(), res)
	}
	switch {
	case res.Status == 100:
		return (*Call).inviting
	case res.Status < 200:
		if f, rseq, ok := c.reliable(l, res); ok {
			if c.unspeakable(l, res) {
				l.cancel("")
				return c.lost(l, c.failureOf(488, ""), OriginLocal)
			}
			c.ringing(l, f, rseq, res)
		}
		return (*Call).inviting
	case res.Status < 300:
		return c.answer(l, res)
	}
	c.settled(l)
	if c.challenged(l, res) {
		return (*Call).inviting
	}
	if res.Status == 422 && l.timing.TooSmall(res) {
		again := l.invite.Clone()
		l.timing.Ask(again)
		c.resend(l, again)
		return (*Call).inviting
	}
	return c.lost(l, l.understood(c.excused(l, res)), OriginPeer)
}

// excused is a failure that the caller is not to see as it is: our account was
// refused or is missing (flow C13), unless the caller may prove itself to the
// callee; or the callee can't do the 100rel that the caller requires (flow C23).
func (c *Call) excused(l *leg, res *message.Message) *message.Message {
	switch {
	case res.Status == 401 && (l.account() != nil || !c.rules(c.a).Crosses("WWW-Authenticate")),
		res.Status == 407 && (l.account() != nil || !c.rules(c.a).Crosses("Proxy-Authenticate")):
		return c.failureOf(503, "")
	case res.Status == 420 && c.a.peer.requires && c.prack(l) == trunk.PassPRACK && res.HasToken("Unsupported", "100rel"):
		out := c.failureOf(421, "")
		out.Set("Require", "100rel")
		return out
	}
	return res
}

// ringing lets a provisional response cross. Each early dialog of the callee
// is one of its own towards the caller (flow C2). rseq is not 0 when it waits for
// a PRACK.
func (c *Call) ringing(l *leg, f *fork, rseq uint32, res *message.Message) {
	l.peer.learn(res)
	if !l.rang {
		l.rang = true
		if c.rangAt.IsZero() {
			c.rangAt = time.Now()
		}
		l.stop(timerTry)
		l.after(timerRing, orDefault(l.place().target.Ring, c.route.Ring))
	}
	near := c.a.dialog
	if f != nil {
		near = f.caller
	}
	out := c.toCaller(l, res, near.Local)
	if res.ToTag() != "" {
		out.Set("Contact", c.a.contact())
		c.introduce(out)
	}
	_ = c.tuneToCaller(out, l) // which progress has tried
	if c.wants(HookProgress) {
		d := shown(out, res, c.rules(c.a), func() Decided { return c.router.Progress(c.view(), l.view(), out) })
		if _, suppressed := d.Decision.(Suppress); suppressed {
			c.decidedBy("on_progress", d)
			c.keepBack(l, f, rseq)
			return
		}
	}
	if c.gated(l, f) {
		c.keepBack(l, f, rseq)
		return
	}
	c.tellCaller(l, f, rseq, out, near)
}

// tellCaller sends a 1xx to the caller, reliably when it must be or is so on the
// callee's side and the caller can.
func (c *Call) tellCaller(l *leg, f *fork, rseq uint32, out *message.Message, near *talk) {
	mode := c.prack(c.a)
	switch {
	case c.a.peer.reliable && mode != trunk.NoPRACK && rseq != 0:
		c.tellReliably(&provisional{res: out, talk: near, leg: l, fork: f, theirs: rseq})
	case c.a.peer.requires && mode == trunk.InterworkPRACK:
		c.tellReliably(&provisional{res: out, talk: near})
	default:
		c.keepBack(l, f, rseq)
		c.respond(c.a.tx, c.a, out)
	}
}

// keepBack acknowledges a reliable 1xx on behalf of a caller who won't.
func (c *Call) keepBack(l *leg, f *fork, rseq uint32) {
	if rseq != 0 {
		c.acknowledgeProvisional(l, f, rseq)
	}
}

// gated tells whether the route keeps a provisional response from the caller.
func (c *Call) gated(l *leg, f *fork) bool {
	switch c.route.Early {
	case EarlySuppress:
		return true
	case EarlyFirst:
		first := c.earlyOf
		if first == nil && f != nil {
			c.earlyOf = f
		}
		return first != nil && first != f
	}
	return false
}
