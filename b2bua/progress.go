package b2bua

import (
	"time"

	"legwork/b2bua/message"
)

// progress takes a response of the callee that is being tried.
func (c *Call) progress(l *leg, res *message.Message) phase {
	c.heard(l, res)
	if c.wants(HookInbound) {
		res = res.Clone()
		c.router.Inbound(l.view(), res)
	}
	switch {
	case res.Status == 100:
		return (*Call).inviting
	case res.Status < 200:
		c.ringing(l, res)
		return (*Call).inviting
	case res.Status < 300:
		return c.answer(l, res)
	}
	c.settled(l)
	if res.Status == 422 && l.timing.TooSmall(res) {
		c.resend(l, l.timing.Ask)
		return (*Call).inviting
	}
	return c.lost(l, res, OriginPeer)
}

// ringing lets a provisional response cross. Each early dialog of the callee
// is one of its own towards the caller (flow C2).
func (c *Call) ringing(l *leg, res *message.Message) {
	l.peer.learn(res)
	if !l.rang {
		l.rang = true
		if c.rangAt.IsZero() {
			c.rangAt = time.Now()
		}
		l.stop(timerTry)
		l.after(timerRing, orDefault(l.hop.target.Ring, c.route.Ring))
	}
	tag := c.a.dialog.Local
	if f := l.fork(res); f != nil {
		tag = f.caller.Local
	}
	out := c.toCaller(res, tag)
	if res.ToTag() != "" {
		out.Set("Contact", c.a.contact())
		c.introduce(out)
	}
	if c.wants(HookProgress) {
		d := shown(out, res, c.rules(c.a), func() Decided { return c.router.Progress(c.view(), l.view(), out) })
		if _, suppressed := d.Decision.(Suppress); suppressed {
			c.decidedBy("on_progress", "suppress", d.Where)
			return
		}
	}
	c.respond(c.a.tx, c.a, out)
}
