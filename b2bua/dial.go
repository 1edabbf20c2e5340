package b2bua

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
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
	rang   bool             // that target rang, or one beside it
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

// inviting is the second phase: one callee is being tried, or several at once.
func (c *Call) inviting(ev event) phase {
	switch e := ev.(type) {
	case response:
		if l, ok := e.to.(*leg); ok && l.state == legCalling {
			return c.progress(l, e.res)
		}
		return c.crossBack(e, (*Call).inviting)
	case failed:
		if l, ok := e.to.(*leg); ok && l.state <= legCalling {
			return c.unreachable(l, e.err)
		}
		return c.crossFailed(e, (*Call).inviting)
	case elapsed:
		return c.patience(e)
	}
	return c.beforeAnswer(ev, (*Call).inviting)
}

// patience ends an attempt whose time is over (flows C6 and C7).
func (c *Call) patience(e elapsed) phase {
	switch e.timer {
	case timerReliable:
		return c.repeatProvisional()
	case timerTry:
		c.happened(EventTimer, e.leg, "try: no word of %s in time", e.leg.place().uri)
		c.unheard(e.leg, nil)
		e.leg.cancel("")
		return c.lost(e.leg, c.failureOf(408, ""), OriginTimeout)
	case timerRing:
		c.happened(EventTimer, e.leg, "ring: nobody answers at %s", e.leg.place().uri)
		e.leg.cancel("")
		return c.lost(e.leg, c.failureOf(480, ""), OriginTimeout)
	case timerBudget:
		c.happened(EventTimer, nil, "budget: %v for all targets are over", c.route.Budget)
		c.stages = nil
		l := c.trying()
		l.place().others = nil
		c.giveUp(l, "", 408, OriginTimeout)
		l.cancel("")
		return c.lost(l, c.failureOf(408, ""), OriginTimeout)
	}
	return (*Call).inviting
}

// next tries the next stage; without one the last failure goes to the caller.
func (c *Call) next() phase {
	if len(c.stages) == 0 {
		return c.failCaller()
	}
	together := c.stages[0]
	c.stages = c.stages[1:]
	c.failure.leg, c.failure.rang = nil, false
	for _, h := range together {
		c.dial(h, nil)
	}
	return (*Call).inviting
}

// trying is the last leg that may still be answered; nil when there is none.
func (c *Call) trying() *leg {
	for _, l := range slices.Backward(c.legs) {
		if l.state <= legCalling {
			return l
		}
	}
	return nil
}

// giveUp ends the attempts beside a leg.
func (c *Call) giveUp(beside *leg, reason string, code int, origin Origin) {
	for _, l := range c.legs {
		if l != beside && l.state <= legCalling {
			l.cancel(reason)
			c.over(l, code, "", origin)
		}
	}
}

// dial makes a leg for the hop and finds the way to it. Whatever goes wrong
// comes back as an event. load is where the call is counted already, when it was
// at another address of the same target; nil: nowhere.
func (c *Call) dial(h hop, load *trunk.State) {
	l := &leg{call: c, role: RoleB, index: c.seat(), trunk: h.trunk, hop: &h, load: load, attempt: len(c.record.Attempts)}
	c.legs, c.b = append(c.legs, l), l
	a := Attempt{Target: h.uri, Started: time.Now(), CDR: h.target.CDR}
	listener := ""
	if h.trunk != nil {
		a.Trunk, listener = h.trunk.Name, h.trunk.Listen
	}
	c.record.Attempts = append(c.record.Attempts, a)
	l.after(timerTry, orDefault(h.target.Try, c.route.Try))
	if h.trunk != nil && load == nil {
		state := c.server.trunks.Of(h.trunk.Name)
		if err := state.Admit(); err != nil {
			c.happened(EventLimited, l, "%s: %v", h.trunk.Name, err)
			c.post(failed{l, errBusy})
			return
		}
		l.load = state
	}
	c.find(l, listener, func(f transport.Flow, err error) {
		if l.state != legIdle {
			return
		}
		if err == nil {
			l.flow, l.home = f, h.home()
			c.watch(l)
			err = l.call.send(l)
		}
		if err != nil {
			c.post(failed{l, err})
		}
	})
}

// send builds the INVITE, lets the script see it, and sends it.
func (c *Call) send(l *leg) error {
	if err := c.hides(l); err != nil {
		return err
	}
	invite := c.buildInvite(l)
	if err := tuneOffer(invite, c.a, l); err != nil {
		return err
	}
	if c.wants(HookBranch) {
		d := c.router.Branch(c.view(), l.view(), invite)
		if _, skip := d.Decision.(Skip); skip {
			c.decidedBy("on_branch", d)
			return errSkipped
		}
	}
	if c.wants(HookOutbound) {
		c.router.Outbound(l.view(), invite)
	}
	l.state = legCalling
	id := dialog.ID{CallID: invite.CallID(), Local: invite.FromTag()}
	l.half = &talk{Dialog: dialog.Dialog{ID: id, LocalURI: message.WithTag(invite.Get("From"), ""), Target: invite.URI, LocalSeq: 1}}
	l.half.carry(offer.INVITE, offer.Local, hasSDP(invite))
	c.server.index.add(dialogKey{id.CallID, id.Local}, l)
	if l.load != nil {
		l.load.Attempted()
	}
	c.transmit(l, invite)
	return nil
}

// resend sends a leg's INVITE once more because its callee wants it said
// another way: with credentials, or with a longer session timer.
func (c *Call) resend(l *leg, invite *message.Message) {
	setSeq(invite, l.half.Next())
	l.forks, l.settled = nil, false
	c.transmit(l, invite)
}

func (c *Call) transmit(l *leg, invite *message.Message) {
	c.open++
	l.invite = invite
	l.client = c.server.layer.Request(invite, l.flow, l)
	c.sent(l, invite, l.client.Sent())
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

// Derived posts the CANCEL or the ACK that the INVITE's transaction sent; see
// transaction.Witness.
func (l *leg) Derived(_ *transaction.Client, b []byte) { l.derived(b) }

// derived posts what a transaction sent of its own accord, when anybody watches.
func (l *leg) derived(b []byte) {
	if len(l.call.server.cfg.Observers) > 0 {
		l.call.post(derived{l, b})
	}
}

// Withdrawn posts the answer to its CANCEL.
func (l *leg) Withdrawn(_ *transaction.Client, res *message.Message) { l.witnessed(res) }

// witnessed posts a message that a transaction has taken for itself, for those who
// watch.
func (l *leg) witnessed(m *message.Message) {
	if len(l.call.server.cfg.Observers) > 0 {
		l.call.post(witnessed{l, m})
	}
}

// unreachable gives a target up that could not be asked.
func (c *Call) unreachable(l *leg, err error) phase {
	c.settled(l)
	if !errors.Is(err, errSkipped) && !errors.Is(err, errBusy) {
		c.happened(EventFailed, l, "%s: %v", l.place().uri, err)
	}
	switch {
	case errors.Is(err, errSkipped):
		c.over(l, 0, err.Error(), OriginLocal)
		return c.next()
	case errors.Is(err, errCodecs):
		return c.lost(l, c.failureOf(488, ""), OriginLocal)
	case errors.Is(err, errPrivacy):
		return c.lost(l, c.failureOf(500, ""), OriginLocal)
	case errors.Is(err, errMissing):
		return c.lost(l, c.failureOf(l.place().at.missing, ""), OriginLocal)
	case errors.Is(err, errInsecure):
		return c.lost(l, c.failureOf(480, noSIPS), OriginLocal)
	case errors.Is(err, errBusy):
		return c.lost(l, c.failureOf(503, ""), OriginLocal)
	case errors.Is(err, errNotFound):
		return c.lost(l, c.failureOf(503, ""), OriginDNS)
	case errors.Is(err, transaction.ErrTimeout):
		c.unheard(l, err)
		return c.lost(l, c.failureOf(408, ""), OriginTimeout)
	}
	c.unheard(l, err)
	c.log().Warn("target can't be reached", "target", l.place().uri, "err", err)
	return c.lost(l, c.failureOf(503, ""), OriginTransport)
}

// lost ends an attempt without 2xx and asks on_failure what now, unless the
// target has another address.
func (c *Call) lost(l *leg, res *message.Message, origin Origin) phase {
	if origin == OriginPeer {
		c.respectRetryAfter(l, res)
	}
	if l.goesOn(res.Status, origin) && len(c.legs) < maxAttempts {
		load := l.load
		l.load = nil
		c.over(l, res.Status, res.Reason, origin)
		c.dial(l.place().elsewhere(), load)
		return (*Call).inviting
	}
	c.over(l, res.Status, res.Reason, origin)
	retry := l.place().missing() || c.route.Retry.Has(res.Status, origin) && !l.rang
	if then := l.place().then; len(then) > 0 && retry && c.trying() != nil {
		then[0].then = then[1:]
		c.dial(then[0], nil)
		return (*Call).inviting
	}
	c.failure.weigh(l, res, origin)
	if res.Status >= 600 {
		c.giveUp(l, "", 487, OriginLocal)
	}
	if c.trying() != nil {
		return (*Call).inviting
	}
	if !c.wants(HookFailure) {
		return c.onward(Decided{})
	}
	f := &c.failure
	f.was = f.res.Clone()
	v, view, worst, from := c.view(), f.leg.view(), f.res, f.origin
	c.ask(func(ctx context.Context) Decided { return c.router.Failure(ctx, v, view, worst, from) })
	return (*Call).failing
}

// weigh takes a failure unless a better one of the same stage is known.
func (f *failure) weigh(l *leg, res *message.Message, origin Origin) {
	f.rang = f.rang || l.rang
	if origin == OriginPeer && (f.told == nil || f.leg == nil || rank(res.Status) < rank(f.told.Status)) {
		f.told = res
	}
	if f.leg == nil || rank(res.Status) < rank(f.res.Status) {
		f.leg, f.res, f.origin, f.was = l, res, origin, nil
	}
}

// rank orders failures as RFC 3261 section 16.7 step 6 does: a lower one is
// better.
func rank(code int) int {
	switch {
	case code >= 600:
		return 0
	case code < 400:
		return 1
	case code == 401 || code == 407 || code == 415 || code == 420 || code == 484:
		return 2
	case code < 500:
		return 3
	}
	return 4
}

// respectRetryAfter keeps others from a target that asked for a rest.
func (o *owner) respectRetryAfter(l *leg, res *message.Message) {
	if res.Status != 503 || l.trunk == nil && !l.place().several() {
		return
	}
	if seconds := res.RetryAfter(); seconds > 0 {
		rest := min(time.Duration(seconds)*time.Second, maxRetryAfter)
		if l.place().several() {
			o.server.dead.bury(l.flow, rest)
			return
		}
		o.server.restTarget(l.trunk.Name, l.place().next, rest)
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
			c.happened(EventTimer, nil, "budget: %v for all targets are over", c.route.Budget)
			c.stages = nil
		}
		return (*Call).failing
	}
	return c.beforeAnswer(ev, (*Call).failing)
}

// onward does what on_failure decided; by default the next target is tried
// when the route says so and this one has not rung (flow C8).
func (c *Call) onward(d Decided) phase {
	if d.Decision != nil || d.Where != "" {
		c.decidedBy("on_failure", d)
	}
	switch e := d.Decision.(type) {
	case Next:
		if len(e.Targets) > 0 && c.exhausted() {
			return c.failCaller()
		}
		along(c.stages, e.Headers)
		c.stages = append(c.expand(e.Targets, false), c.stages...)
		return c.next()
	case Route:
		if c.exhausted() {
			return c.failCaller()
		}
		return c.follow(e)
	case Reject:
		return c.reject(e)
	case Fail:
		return c.fail(c.failure.res, c.failure.origin)
	}
	if c.redirected() {
		return c.next()
	}
	retry := c.failure.leg.place().missing() || c.route.Retry.Has(c.failure.res.Status, c.failure.origin) && !c.failure.rang
	if retry && len(c.stages) > 0 || c.listed() {
		return c.next()
	}
	return c.failCaller()
}

// along gives all targets that are still to come these headers too.
func along(stages [][]hop, headers []message.Header) {
	for _, hops := range stages {
		for i := range hops {
			h := &hops[i]
			h.target.Headers = slices.Concat(h.target.Headers, headers)
			along([][]hop{h.then}, headers)
		}
	}
}

// maxTargets bounds how far on_failure may name targets on and on: with a callee
// that refuses at once it would be a storm, and a new route has a new budget.
const maxTargets = 100

// exhausted tells whether on_failure may name no more targets.
func (c *Call) exhausted() bool {
	if len(c.legs) < maxTargets {
		return false
	}
	c.log().Warn("on_failure names targets without end", "tried", len(c.legs))
	c.happened(EventFailed, nil, "%d targets were tried; on_failure may name no more", len(c.legs))
	return true
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
	out := c.toCaller(c.failure.leg, res, c.a.dialog.Local)
	if res == c.failure.res {
		c.failure.addWritten(out, c.rules(c.a))
	}
	for _, name := range []string{"Require", "Unsupported"} { // of 421 and 420
		if value := res.Get(name); value != "" && (res.Status == 421 || res.Status == 420) {
			out.Set(name, value)
		}
	}
	if res.Status < 400 {
		for _, contact := range res.List("Contact") {
			out.Add("Contact", c.veiling(res, c.failure.leg, c.a).place(contact))
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
