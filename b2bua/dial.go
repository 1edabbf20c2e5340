package b2bua

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// Why a target was given up before it could answer.
var (
	errSkipped  = errors.New("skipped by on_branch")
	errBusy     = errors.New("trunk is at its limit")
	errNotFound = errors.New("target can't be resolved")
	errFault    = errors.New("target can't be reached")
)

// failure is why the last target was lost.
type failure struct {
	leg    *leg
	res    *message.Message // the callee's, or one made here
	origin Origin
	was    *message.Message // res before on_failure; nil: not asked
	told   *message.Message // the last failure that a callee itself sent
}

// edited tells whether on_failure wrote into the failure.
func (f *failure) edited() bool {
	return f.was != nil && (f.res.Status != f.was.Status || f.res.Reason != f.was.Reason ||
		!bytes.Equal(f.res.Body, f.was.Body) || !slices.Equal(f.res.Headers, f.was.Headers))
}

// addWritten adds what on_failure wrote and no preset lets through: the script
// is last.
func (f *failure) addWritten(out *message.Message, rules *trunk.Headers) {
	if f.was == nil {
		return
	}
	for _, h := range f.res.Headers {
		if !rules.Crosses(h.Name) && !trunk.Owned(h.Name) && !slices.Contains(f.was.Headers, h) {
			out.Headers = append(out.Headers, h)
		}
	}
}

// inviting is the second phase: one callee is being tried.
func (c *Call) inviting(ev event) phase {
	switch e := ev.(type) {
	case response:
		if l, ok := e.to.(*leg); ok && l == c.b && l.state == legCalling {
			return c.progress(l, e.res)
		}
		return c.crossBack(e, (*Call).inviting)
	case failed:
		if l, ok := e.to.(*leg); ok && l == c.b && l.state <= legCalling {
			return c.unreachable(l, e.err)
		}
		return c.crossFailed(e, (*Call).inviting)
	case elapsed:
		return c.patience(e.timer)
	}
	return c.beforeAnswer(ev, (*Call).inviting)
}

// patience ends an attempt whose time is over (flows C6 and C7).
func (c *Call) patience(t timer) phase {
	l := c.b
	switch t {
	case timerTry:
		l.cancel("")
		return c.lost(l, c.failureOf(408, ""), OriginTimeout)
	case timerRing:
		l.cancel("")
		return c.lost(l, c.failureOf(480, ""), OriginTimeout)
	case timerBudget:
		l.cancel("")
		c.hops = nil
		return c.lost(l, c.failureOf(408, ""), OriginTimeout)
	}
	return (*Call).inviting
}

// next tries the next hop; without one the last failure goes to the caller.
func (c *Call) next() phase {
	if len(c.hops) == 0 {
		return c.failCaller()
	}
	h := c.hops[0]
	c.hops = c.hops[1:]
	c.dial(h)
	return (*Call).inviting
}

// dial makes a leg for the hop and finds the way to it. Whatever goes wrong
// comes back as an event.
func (c *Call) dial(h hop) {
	l := &leg{call: c, role: RoleB, index: len(c.legs) + 1, trunk: h.trunk, hop: h, attempt: len(c.record.Attempts)}
	c.legs, c.b = append(c.legs, l), l
	a := Attempt{Target: h.uri, Started: time.Now(), CDR: h.target.CDR}
	listener := ""
	if h.trunk != nil {
		a.Trunk, listener = h.trunk.Name, h.trunk.Listen
	}
	c.record.Attempts = append(c.record.Attempts, a)
	c.after(timerTry, orDefault(h.target.Try, c.route.Try))
	if h.trunk != nil {
		state := c.server.trunks.Of(h.trunk.Name)
		if err := state.Admit(); err != nil {
			c.post(failed{l, errBusy})
			return
		}
		l.load = state
	}
	c.reach(h.next, listener, func(f transport.Flow, err error) {
		if l.state != legIdle {
			return
		}
		if err == nil {
			l.flow = f
			err = l.call.send(l)
		}
		if err != nil {
			c.post(failed{l, err})
		}
	})
}

// reach finds the flow to a URI: at once for an address, else by a look-up
// outside the mailbox.
func (c *Call) reach(uri, listener string, then func(transport.Flow, error)) {
	if u, err := message.ParseURI(uri); err != nil || isAddress(u.BareHost()) {
		then(c.server.flow(c.server.ctx, uri, listener))
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(c.server.ctx, lookupLimit)
		defer cancel()
		f, err := c.server.flow(ctx, uri, listener)
		c.post(reached{then, f, err})
	}()
}

// lookupLimit bounds a DNS look-up; try ends the attempt sooner.
const lookupLimit = 10 * time.Second

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// send builds the INVITE, lets the script see it, and sends it.
func (c *Call) send(l *leg) error {
	invite := c.buildInvite(l)
	if c.wants(HookBranch) {
		d := c.router.Branch(c.view(), l.view(), invite)
		if _, skip := d.Decision.(Skip); skip {
			c.decidedBy("on_branch", "skip", d.Where)
			return errSkipped
		}
	}
	if c.wants(HookOutbound) {
		c.router.Outbound(l.view(), invite)
	}
	l.state = legCalling
	id := dialog.ID{CallID: invite.CallID(), Local: invite.FromTag()}
	l.half = &dialog.Dialog{ID: id, LocalURI: message.WithTag(invite.Get("From"), ""), Target: invite.URI, LocalSeq: 1}
	c.server.index.add(id.CallID, id.Local, l)
	c.open++
	if l.load != nil {
		l.load.Attempted()
	}
	l.client = c.server.layer.Request(invite, l.flow, l)
	c.sent(l, invite, l.client.Sent())
	return nil
}

// Response brings a response to the INVITE; see transaction.User. A failure may
// lead to the next target, and so to on_branch.
func (l *leg) Response(_ *transaction.Client, res *message.Message) {
	if res.Status < 300 {
		l.call.take(response{l, res})
		return
	}
	l.call.post(response{l, res})
}

// Failed posts that the INVITE found no answer.
func (l *leg) Failed(_ *transaction.Client, err error) { l.call.post(failed{l, err}) }

// Derived posts the CANCEL or the ACK that the INVITE's transaction sent, when
// anybody watches; see transaction.Witness.
func (l *leg) Derived(_ *transaction.Client, b []byte) {
	if len(l.call.server.cfg.Observers) > 0 {
		l.call.post(derived{l, b})
	}
}

// unreachable gives a target up that could not be asked.
func (c *Call) unreachable(l *leg, err error) phase {
	c.settled(l)
	switch {
	case errors.Is(err, errSkipped):
		c.over(l, 0, err.Error(), OriginLocal)
		return c.next()
	case errors.Is(err, errBusy):
		return c.lost(l, c.failureOf(503, ""), OriginLocal)
	case errors.Is(err, errNotFound):
		return c.lost(l, c.failureOf(503, ""), OriginDNS)
	case errors.Is(err, transaction.ErrTimeout):
		return c.lost(l, c.failureOf(408, ""), OriginTimeout)
	}
	c.log().Warn("target can't be reached", "target", l.hop.uri, "err", err)
	return c.lost(l, c.failureOf(503, ""), OriginTransport)
}

// lost ends an attempt without 2xx and asks on_failure what now.
func (c *Call) lost(l *leg, res *message.Message, origin Origin) phase {
	c.over(l, res.Status, res.Reason, origin)
	c.failure.leg, c.failure.res, c.failure.origin, c.failure.was = l, res, origin, nil
	if origin == OriginPeer {
		c.failure.told = res
		c.respectRetryAfter(l, res)
	}
	if !c.wants(HookFailure) {
		return c.onward(Decided{})
	}
	c.failure.was = res.Clone()
	v, view := c.view(), l.view()
	c.ask(func(ctx context.Context) Decided { return c.router.Failure(ctx, v, view, res, origin) })
	return (*Call).failing
}

// respectRetryAfter keeps other calls from a target that asked for a rest.
func (c *Call) respectRetryAfter(l *leg, res *message.Message) {
	if res.Status != 503 || l.trunk == nil {
		return
	}
	if seconds := res.RetryAfter(); seconds > 0 {
		rest := min(time.Duration(seconds)*time.Second, maxRetryAfter)
		c.server.trunks.Of(l.trunk.Name).PenalizeTarget(l.hop.next, time.Now().Add(rest))
	}
}

// maxRetryAfter caps what a neighbour may take itself out for.
const maxRetryAfter = 60 * time.Second

// failing is the phase in which on_failure is asked.
func (c *Call) failing(ev event) phase {
	switch e := ev.(type) {
	case decided:
		if e.asked == c.asked {
			return c.onward(e.Decided)
		}
		return (*Call).failing
	case elapsed:
		if e.timer == timerBudget {
			c.hops = nil
		}
		return (*Call).failing
	}
	return c.beforeAnswer(ev, (*Call).failing)
}

// onward does what on_failure decided; by default the next target is tried
// when the route says so and this one has not rung (flow C8).
func (c *Call) onward(d Decided) phase {
	if d.Decision != nil || d.Where != "" {
		c.decidedBy("on_failure", c.describe(d.Decision), d.Where)
	}
	switch e := d.Decision.(type) {
	case Next:
		c.hops = append(c.expand(e.Targets), c.hops...)
		return c.next()
	case Route:
		return c.follow(e)
	case Reject:
		return c.reject(e)
	case Fail:
		return c.fail(c.failure.res, c.failure.origin)
	}
	if c.route.Retry.Has(c.failure.res.Status, c.failure.origin) && !c.failure.leg.rang && len(c.hops) > 0 {
		return c.next()
	}
	return c.failCaller()
}

// failCaller tells the caller how it ended: by what on_failure made of it, the
// callee's own words when one spoke, 480 when one rang, else 503
// (design/house.md, "A call" 8).
func (c *Call) failCaller() phase {
	f := c.failure
	switch {
	case f.res == nil:
		return c.refuse(c.failureOf(503, ""), OriginLocal, "callee")
	case f.origin == OriginPeer || f.origin == OriginLocal || f.edited():
		return c.fail(f.res, f.origin)
	case f.leg.rang:
		return c.fail(c.failureOf(480, ""), f.origin)
	case f.told != nil:
		return c.fail(f.told, OriginPeer)
	}
	return c.fail(c.failureOf(503, ""), f.origin)
}

// fail sends a callee's failure to the caller.
func (c *Call) fail(res *message.Message, origin Origin) phase {
	out := c.toCaller(res, c.a.dialog.Local)
	if res == c.failure.res {
		c.failure.addWritten(out, c.rules(c.a))
	}
	if res.Status < 400 {
		for _, contact := range res.All("Contact") {
			out.Add("Contact", contact)
		}
	}
	return c.refuse(out, origin, "callee")
}

// refuse sends the caller its failure and clears the call. Every failure
// passes on_final and the response maps, also those made here.
func (c *Call) refuse(res *message.Message, origin Origin, by string) phase {
	c.finalize(res, origin)
	c.record.Code, c.record.Reason = res.Status, res.Reason
	c.respond(c.a.tx, c.a, res)
	return c.clear(goodbye{by: by})
}
