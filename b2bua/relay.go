package b2bua

import (
	"errors"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// exchange is a request in a dialog that crosses to the other leg, and the way
// back of its response.
type exchange struct {
	call     *Call
	from, to *leg
	near     *talk // the dialog it came in
	far      *talk // the dialog it goes out in
	tx       *transaction.Server
	req      *message.Message // as received, after the inbound profile
	method   string           // on the other leg
	out      *message.Message // as sent there, until it is answered
	client   *transaction.Client
	cseq     uint32 // of the request that went out
	modifies bool   // a re-INVITE, or an UPDATE with an offer
	rack     string // of a PRACK
	late     bool   // a re-INVITE without an offer: its ACK crosses
	ack      *transaction.Outgoing
	done     bool // a final response crossed, or none will
	settled  bool // its transaction has ended
}

// Response posts a response to the request that crossed.
func (x *exchange) Response(_ *transaction.Client, res *message.Message) {
	x.call.post(response{x, res})
}

// Failed posts that the request that crossed got no answer.
func (x *exchange) Failed(_ *transaction.Client, err error) { x.call.post(failed{x, err}) }

// Derived and Withdrawn tell those who watch; see transaction.Witness.
func (x *exchange) Derived(_ *transaction.Client, b []byte) { x.to.derived(b) }

func (x *exchange) Withdrawn(_ *transaction.Client, res *message.Message) { x.to.witnessed(res) }

// between finds both dialogs of a request: near, where it came, and the leg and
// dialog where it goes. Before the answer these are early ones.
func (c *Call) between(e request) (near *talk, to *leg, far *talk) {
	from := e.req.FromTag()
	if c.answered && (e.leg == c.a || e.leg == c.b) {
		if to = e.leg.other(); e.leg.dialog.Remote == from {
			return e.leg.dialog, to, to.dialog
		}
		return nil, nil, nil
	}
	for _, l := range c.legs {
		for _, f := range l.forks {
			switch {
			case l.state != legCalling:
			case e.leg == c.a && f.caller.Local == e.tag && f.caller.Remote == from:
				return f.caller, l, f.dialog
			case e.leg == l && f.dialog.Remote == from:
				return f.dialog, c.a, f.caller
			}
		}
	}
	return nil, nil, nil
}

// inDialogRequest takes a request of either leg: BYE ends the call, all others
// cross.
func (c *Call) inDialogRequest(e request, stay phase) phase {
	if next, taken := c.aside(e, stay); taken {
		return next
	}
	near, to, far := c.between(e)
	if near == nil {
		return c.withoutFarSide(e, stay)
	}
	if !c.server.knows(e.leg, near, e.tx.Flow()) && !c.hasMoved(e) {
		return stay
	}
	c.returned(e)
	c.heard(e.leg, e.req)
	cseq, _, _ := e.req.CSeq()
	if err := near.Receive(cseq); err != nil {
		c.reply(e, 500, nil)
		return stay
	}
	if e.req.Method == "BYE" {
		return c.saidGoodbye(e)
	}
	if c.wants(HookInbound) {
		e.req = e.req.Clone()
		c.router.Inbound(e.leg.view(), e.req)
	}
	e.leg.peer.learn(e.req)
	if code, header := c.untimely(e); code != 0 {
		c.reply(e, code, []message.Header{header})
		return stay
	}
	if e.req.Method == "REFER" {
		return c.refer(&referral{request: e, near: near, to: to, far: far}, stay)
	}
	x := &exchange{call: c, from: e.leg, to: to, near: near, far: far, tx: e.tx, req: e.req, method: e.req.Method}
	if x.method == "PRACK" {
		return c.acknowledged(x, e, stay)
	}
	if c.mayCross(x, e) {
		c.cross(x, e)
	}
	return stay
}

// withoutFarSide answers a request while there is no dialog for it on the
// other leg: only a BYE of the caller means something then.
func (c *Call) withoutFarSide(e request, stay phase) phase {
	if e.req.Method == "BYE" && e.leg == c.a && !c.answered && e.req.FromTag() == c.a.dialog.Remote && c.server.knows(c.a, c.a.dialog, e.tx.Flow()) {
		c.heard(e.leg, e.req)
		return c.saidGoodbye(e)
	}
	c.reply(e, 481, nil)
	return stay
}

// cross builds the request on the other leg and sends it.
func (c *Call) cross(x *exchange, e request) {
	x.cseq = x.far.Next()
	out := c.inDialog(x.far, x.method, x.cseq)
	out.Set("Max-Forwards", hops(x.req))
	c.crossHeaders(out, x.req, x.from, x.to, c.rules(x.to))
	out.Body, out.Raw = x.req.Body, x.req.Raw
	if x.method == "NOTIFY" {
		fragment(out, c.rules(x.to))
	}
	if err := x.tune(out); err != nil {
		c.unspoken(x, e)
		return
	}
	x.to.splice(out, nil)
	c.renumber(x, out)
	if refreshesTarget(x.method) {
		out.Set("Contact", x.to.contact())
		c.introduce(out)
	}
	c.askTimer(x.to, out)
	if x.rack != "" {
		out.Set("RAck", x.rack)
	} else if c.wants(HookRequest) {
		d := shown(out, x.req, c.rules(x.to), func() Decided { return c.router.Request(c.view(), x.from.view(), out) })
		if r, ok := d.Decision.(Reply); ok {
			x.far.LocalSeq--
			c.decidedBy("on_request", d)
			c.replyWith(e, r)
			c.crossed(x)
			return
		}
	}
	if c.onlyRefreshes(x) {
		x.far.LocalSeq--
		c.acceptHere(x, e)
		return
	}
	if c.wants(HookOutbound) {
		c.router.Outbound(x.to.view(), out)
	}
	c.crossing = append(c.crossing, x)
	near, far := carrierOf(x.req.Method), carrierOf(x.method)
	x.near.carry(near.request, offer.Remote, hasSDP(x.req))
	x.far.carry(far.request, offer.Local, hasSDP(out))
	x.to.authorize(out)
	c.carryOver(x, out)
}

// saidAnotherWay is the request as the far peer wants it; nil: what it answered
// is its answer.
func (c *Call) saidAnotherWay(x *exchange, res *message.Message) *message.Message {
	if again := c.withCredentials(x.to, x.out, res); again != nil {
		x.to.keepProof(again)
		return again
	}
	if !c.refusedUpdate(x, res) {
		return nil
	}
	again := x.out.Clone()
	again.Method = x.method
	return again
}

// crossAgain sends it once more because the far peer wants it said another way.
func (c *Call) crossAgain(x *exchange, out *message.Message) {
	x.cseq = x.far.Next()
	setSeq(out, x.cseq)
	c.carryOver(x, out)
}

// carryOver sends the request of an exchange.
func (c *Call) carryOver(x *exchange, out *message.Message) {
	x.out, x.client, x.settled = out, nil, false
	c.along(x.to, x.far, func(f transport.Flow, err error) {
		switch {
		case x.done:
			return
		case err != nil:
			c.post(failed{x, err})
			return
		}
		c.open++
		x.client = c.server.layer.Request(out, f, x)
		c.sent(x.to, out, x.client.Sent())
	})
}

// refreshesTarget is true for requests that carry a Contact for the dialog
// (RFC 3261 section 12.2, RFC 3311, RFC 6665, RFC 3515).
func refreshesTarget(method string) bool {
	switch method {
	case "INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER":
		return true
	}
	return false
}

// crossBack takes a response that is not the one a phase waits for.
func (c *Call) crossBack(e response, stay phase) phase {
	switch to := e.to.(type) {
	case *exchange:
		return c.answerCrosses(to, e.res, stay)
	case *errand:
		return c.errandAnswered(to, e.res, stay)
	case *leg:
		c.heard(to, e.res)
		c.late(to, e.res)
	case *farewell:
		c.heard(to.leg, e.res)
		if e.res.Status >= 200 {
			c.insist(to, e.res)
			c.saidTo(to)
		}
	}
	return stay
}

// answerCrosses sends a response back to the leg where its request came from.
func (c *Call) answerCrosses(x *exchange, res *message.Message, stay phase) phase {
	c.heard(x.to, res)
	if res.Status >= 200 {
		c.settle(x)
	}
	if x.done {
		if res.Status/100 == 2 && x.method == "INVITE" && !x.unacked() {
			c.acknowledgeModify(x, nil)
		}
		return stay
	}
	if again := c.saidAnotherWay(x, res); again != nil {
		c.crossAgain(x, again)
		return stay
	}
	if c.wants(HookInbound) {
		res = res.Clone()
		c.router.Inbound(x.to.view(), res)
	}
	if res.Status == 100 || res.Status < 200 && x.req.Method != "INVITE" {
		return stay
	}
	if res.Status == 422 && x.to.timing.TooSmall(res) {
		again := x.out.Clone()
		x.to.timing.Ask(again)
		c.crossAgain(x, again)
		return stay
	}
	out := c.responseTo(x.req, res.Status, res.Reason, "")
	c.crossHeaders(out, res, x.to, x.from, c.rules(x.from))
	out.Body, out.Raw = res.Body, res.Raw
	x.tuneBack(out)
	x.from.splice(out, x.req)
	if refreshesTarget(x.req.Method) && res.Status < 300 {
		out.Set("Contact", x.from.contact())
	}
	c.grantTimer(x.from, x.req, out)
	if c.wants(HookResponse) {
		shown(out, res, c.rules(x.from), func() Decided {
			c.router.Response(c.view(), x.from.view(), out)
			return Decided{}
		})
	}
	if res.Status >= 200 {
		c.finishExchange(x, res, out)
	}
	c.respond(x.tx, x.from, out)
	switch {
	case res.Status < 200:
	case x.modifies && res.Status < 300:
		c.modified(x)
	default:
		c.crossed(x)
	}
	if x.ofTheCall() && (res.Status == 481 || res.Status == 408) {
		return c.clear(goodbye{by: x.to.who(), from: x.to, cause: reasonHeader(res.Status)})
	}
	return stay // before the answer, that of the INVITE is on its way
}

// ofTheCall tells whether the call is over when the far peer has forgotten the
// dialog of a request, or does not answer. A subscription within the dialog has a
// life of its own: that of a REFER may be gone while its call goes on (RFC 5057
// section 5.1).
func (x *exchange) ofTheCall() bool {
	return x.call.answered && x.method != "NOTIFY" && x.method != "SUBSCRIBE"
}

// finishExchange takes what a final response settles: a 2xx refreshes the
// remote targets of both legs (RFC 3261 section 12.2.1.2), no other does.
func (c *Call) finishExchange(x *exchange, res, out *message.Message) {
	x.done = true
	near, far := carrierOf(x.req.Method), carrierOf(x.method)
	if res.Status >= 300 {
		x.near.offers.Fail(near.request)
		x.far.offers.Fail(far.request)
		return
	}
	x.near.carry(near.ok, offer.Local, hasSDP(out))
	x.far.carry(far.ok, offer.Remote, hasSDP(res))
	x.to.peer.learn(res)
	c.acceptTimer(x.to, x.method, res)
	if !refreshesTarget(x.req.Method) {
		return
	}
	if x.modifies {
		x.from.keepTheirs(x.req)
		x.to.keepOurs(x.out)
		x.to.keepTheirs(res)
		x.from.keepOurs(out)
	}
	if a, ok := x.req.Contact(); ok {
		x.near.Refresh(a.URI)
	}
	if a, ok := res.Contact(); ok {
		x.far.Refresh(a.URI)
	}
}

// settle says that the transaction of an exchange has ended.
func (c *Call) settle(x *exchange) {
	if x.client != nil && !x.settled {
		x.settled = true
		c.open--
	}
}

// crossed forgets an exchange.
func (c *Call) crossed(x *exchange) {
	x.done = true
	if c.modify == x {
		c.modify = nil
	}
	for i, other := range c.crossing {
		if other == x {
			c.crossing = append(c.crossing[:i], c.crossing[i+1:]...)
			return
		}
	}
}

// crossFailed takes that a request of ours got no answer: 408 from silence, 503
// from the network (RFC 3261 section 8.1.3.1). Silence ends the dialog.
func (c *Call) crossFailed(e failed, stay phase) phase {
	switch to := e.to.(type) {
	case *leg:
		c.settled(to)
	case *farewell:
		if !to.done && c.movesOn(to.leg, to.client, e.err) {
			again := to.req.Clone()
			setSeq(again, to.talk.Next())
			c.sayGoodbye(&farewell{call: c, leg: to.leg, talk: to.talk, req: again})
		}
		c.saidTo(to)
	case *errand:
		return c.errandFailed(to, e.err, stay)
	case *exchange:
		c.settle(to)
		if to.done {
			return stay
		}
		if c.movesOn(to.to, to.client, e.err) {
			c.crossAgain(to, to.out.Clone())
			return stay
		}
		code := 503
		if errors.Is(e.err, transaction.ErrTimeout) {
			code = 408
		}
		c.respond(to.tx, to.from, c.responseTo(to.req, code, "", ""))
		c.crossed(to)
		if to.ofTheCall() {
			return c.clear(goodbye{by: to.to.who(), cause: reasonHeader(code)})
		}
	}
	return stay
}

// along finds the flow of a request in a dialog. A connection that the peer
// opened is used while it lasts and the request goes to the same host (RFC 3261
// section 18.2.2 does so for responses; peers behind NAT need it for requests
// too). One that we opened serves its own address only: another port is another
// neighbour.
func (o *owner) along(l *leg, d *talk, then func(transport.Flow, error)) {
	_, _, next := d.Path()
	then = safely(l.sips || l.place().sips, then)
	switch direct := len(d.Routes) == 0 && l.leadsTo(next); {
	case direct && l.cutOff() && l.call != nil:
		l.call.rejoin(l, next, then, func() {
			if l.flow.Listener.Web() {
				then(transport.Flow{}, transport.ErrClosed)
				return
			}
			o.toward(l, next, then)
		})
	case direct && (!l.flow.Stream() || l.flow.Accepted() || l.flow.Listener.Web()):
		then(l.flow, nil)
	default:
		o.toward(l, next, then)
	}
}

// toward finds the way to a URI that others may be met at, too.
func (o *owner) toward(l *leg, next string, then func(transport.Flow, error)) {
	listener := ""
	if l.flow.Listener != nil {
		listener = l.flow.Listener.Name
	}
	o.reach(next, listener, func(flows []transport.Flow, err error) {
		if err != nil {
			then(transport.Flow{}, err)
			return
		}
		then(o.nearest(l, flows), nil)
	})
}

// leadsTo tells whether a URI is the peer's own address, which only its flow
// leads to.
func (l *leg) leadsTo(uri string) bool {
	switch {
	case l.flow.Listener != nil && l.flow.Listener.Web():
		return true
	case l.home == "":
		return false
	}
	u, err := message.ParseURI(uri)
	return err == nil && u.Host == l.home
}

// serves reports whether the leg's connection leads where f does, and is no less
// safe.
func (l *leg) serves(f transport.Flow) bool {
	if l.flow.Listener == nil || !l.flow.Stream() || f.Secure() && !l.flow.Secure() {
		return false
	}
	return f.Remote == l.flow.Remote || l.flow.Accepted() && f.Remote.Addr() == l.flow.Remote.Addr()
}

// reply answers a request here.
func (c *Call) reply(e request, code int, headers []message.Header) {
	c.replyWith(e, Reply{Code: code, Headers: headers})
}

func (c *Call) replyWith(e request, r Reply) {
	res := c.responseTo(e.req, r.Code, r.Reason, "")
	res.Replace(r.Headers)
	res.Body = r.Body
	c.grantTimer(e.leg, e.req, res)
	c.respond(e.tx, e.leg, res)
}
