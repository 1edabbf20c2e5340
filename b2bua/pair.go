package b2bua

import (
	"errors"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// relaying is a request on its way as transactions of our own, one target after
// the other. The first 2xx wins, also that of a target which was thought dead.
type relaying struct {
	route    Route
	hops     []hop      // not yet tried
	attempts []*attempt // in order
	told     *attempt   // whose failure is the caller's when nothing better comes
	loans    []loan     // contacts of a REGISTER
}

// attempt is the request at one target.
type attempt struct {
	txn    *txn
	leg    *leg
	out    *message.Message
	client *transaction.Client
	res    *message.Message // its final response
	over   bool
}

// Response brings a response to the relayed request; see transaction.User.
func (a *attempt) Response(_ *transaction.Client, res *message.Message) {
	a.txn.take(response{a, res})
}

// Failed posts that a target did not answer.
func (a *attempt) Failed(_ *transaction.Client, err error) { a.txn.post(failed{a, err}) }

// leave stops listening to a target.
func (a *attempt) leave() {
	if a.client != nil && !a.over {
		a.client.Abandon()
	}
	a.over = true
}

// follow relays the request to the first target. No budget outlives the peer's
// own transaction, of 64*T1: an answer behind it would reach nobody.
func (t *txn) follow(r Route) {
	r.Try = orDefault(r.Try, defaultTry)
	t.route = r
	for _, target := range t.server.order(&r, t.req, t.dice()) {
		t.hops = append(t.hops, t.server.places(target, t.req.URI, t.dice())...)
	}
	if len(t.hops) == 0 {
		t.reply(404, "", nil, nil)
		return
	}
	if t.req.Method == "REGISTER" && t.borrow() != nil {
		t.reply(400, "Bad Contact", nil, nil)
		return
	}
	if subscribes(t.req.Method) && !t.subscribe() {
		t.reply(503, "", []message.Header{later()}, nil)
		return
	}
	budget := min(orDefault(r.Budget, defaultBudget), 62*t.server.cfg.T1-time.Since(t.started))
	if budget <= 0 {
		t.reply(408, "", nil, nil)
		return
	}
	t.after(timerAll, budget)
	t.next()
}

// relay takes what happens while targets are tried.
func (t *txn) relay(ev event) {
	switch e := ev.(type) {
	case response:
		if a, ok := e.to.(*attempt); ok && !a.over {
			t.responded(a, e.res)
		}
	case failed:
		if a, ok := e.to.(*attempt); ok && !a.over {
			t.unanswered(a, e.err)
		}
	case elapsed:
		switch e.timer {
		case timerAll:
			t.fail(408)
		case timerMove:
			last := t.attempts[len(t.attempts)-1]
			t.unheard(last.leg, nil)
			if t.movedOn(last, 408, OriginTimeout) {
				return
			}
			if t.route.Retry.Has(408, OriginTimeout) && len(t.hops) > 0 {
				t.next()
			}
		}
	}
}

// next tries the next hop. The time for it counts only while there is another:
// the last one may take all that is left.
func (t *txn) next() {
	h := t.hops[0]
	t.hops = t.hops[1:]
	t.try(h)
}

// try sends the request to a hop.
func (t *txn) try(h hop) {
	l := &leg{role: RoleB, index: len(t.attempts) + 1, trunk: h.trunk, hop: &h}
	rule := t.route.Headers
	listener := ""
	if h.trunk != nil {
		rule, listener = rule.Merge(h.trunk.Headers), h.trunk.Listen
	}
	l.rule = &rule
	a := &attempt{txn: t, leg: l}
	t.attempts = append(t.attempts, a)
	t.after(timerMove, 0)
	if len(t.hops)+len(h.others) > 0 {
		t.after(timerMove, orDefault(h.target.Try, t.route.Try))
	}
	t.find(l, listener, func(f transport.Flow, err error) {
		switch {
		case a.over || t.forgotten:
		case err != nil:
			t.post(failed{a, err})
		default:
			l.flow = f
			if len(t.hops) == 0 && len(l.place().others) > 0 {
				t.after(timerMove, orDefault(h.target.Try, t.route.Try))
			}
			t.send(a, t.request(a))
		}
	})
}

// send sends a request to a target.
func (t *txn) send(a *attempt, out *message.Message) {
	if t.wants(HookOutbound) {
		t.router.Outbound(a.leg.view(), out)
	}
	a.out = out
	a.client = t.server.layer.Request(out, a.leg.flow, a)
	t.sent(a.leg, out, a.client.Sent())
}

// request builds what a target gets: our own Call-ID, tags, CSeq, Via and
// Contact, and the headers that cross.
func (t *txn) request(a *attempt) *message.Message {
	req, l := t.req, a.leg
	callID := t.server.newCallID()
	if t.route.KeepCallID {
		callID = req.CallID()
	}
	m := &message.Message{Method: req.Method, URI: l.place().uri, Body: req.Body, Raw: req.Raw, Headers: make([]message.Header, 0, 24)}
	l.place().addRoutes(m)
	m.Add("Max-Forwards", hops(req))
	m.Add("From", message.WithTag(t.fromFor(req, l), t.server.newTag()))
	m.Add("To", message.WithTag(req.Get("To"), ""))
	m.Add("Call-ID", callID)
	m.Add("CSeq", "1 "+req.Method)
	switch _, has := req.Lookup("Contact"); {
	case req.Method == "REGISTER":
		t.lend(m, l)
	case has || refreshesTarget(req.Method):
		m.Add("Contact", l.contact())
	}
	if req.Method != "REGISTER" {
		writeNumbers(m, t.a, l)
		t.veiling(req, t.a, l).parties(m)
	}
	t.carry(m, req, t.a, l)
	if to := m.Get("Refer-To"); to != "" {
		m.Set("Refer-To", t.veiling(req, t.a, l).place(to))
	}
	t.carryProofs(m, req, l)
	if refreshesTarget(req.Method) {
		t.introduce(m)
	}
	t.sign(m)
	m.Replace(l.place().target.Headers)
	t.lead(dialogKey{callID, m.FromTag()}, a)
	return m
}

// meaning are the headers without which these requests and their answers mean
// nothing: they cross whatever the preset (RFC 3903, RFC 6665).
var meaning = [...]string{
	"Event", "Subscription-State", "Expires", "Min-Expires", "SIP-ETag", "SIP-If-Match", "Suppress-If-Match",
}

// carry copies what crosses from a leg to another.
func (t *txn) carry(out, in *message.Message, from, to *leg) {
	t.crossHeaders(out, in, from, to, to.rule)
	for _, name := range meaning {
		if v, has := in.Lookup(name); has {
			if _, there := out.Lookup(name); !there {
				out.Add(name, v)
			}
		}
	}
}

// responded takes a response of a target. A provisional one crosses nowhere
// (RFC 4320 section 4.1).
func (t *txn) responded(a *attempt, res *message.Message) {
	t.heard(a.leg, res)
	t.spoken(a.leg)
	if res.Status < 200 {
		return
	}
	if t.wants(HookInbound) {
		res = res.Clone()
		t.router.Inbound(a.leg.view(), res)
	}
	a.over, a.res = true, res
	t.respectRetryAfter(a.leg, res)
	latest := a == t.attempts[len(t.attempts)-1]
	switch {
	case res.Status < 300 || res.Status >= 600:
		t.cross(a)
	case t.authorize(a):
	case (res.Status == 401 || res.Status == 407) && a.leg.account() != nil: // not the peer's affair
		if latest {
			t.lost(a, 503, OriginLocal)
		}
	case !latest:
		t.told = a
	case t.redirected(a):
		t.next()
	default:
		t.lost(a, res.Status, OriginPeer)
	}
}

// unanswered takes that a target gave no answer.
func (t *txn) unanswered(a *attempt, err error) {
	a.over = true
	switch latest := a == t.attempts[len(t.attempts)-1]; {
	case !latest:
	case errors.Is(err, transaction.ErrTimeout):
		t.unheard(a.leg, err)
		t.lost(a, 408, OriginTimeout)
	case errors.Is(err, errMissing):
		t.lost(a, a.leg.place().at.missing, OriginLocal)
	case errors.Is(err, errInsecure):
		t.lost(a, 480, OriginLocal)
	case errors.Is(err, errNotFound):
		t.lost(a, 503, OriginDNS)
	default:
		t.unheard(a.leg, err)
		t.log().Warn("target can't be reached", "target", a.leg.place().uri, "err", err)
		t.lost(a, 503, OriginTransport)
	}
}

// lost goes on with the next target, or tells the peer.
func (t *txn) lost(a *attempt, code int, origin Origin) {
	if origin == OriginPeer {
		t.told = a
	}
	if t.movedOn(a, code, origin) {
		return
	}
	if len(t.hops) > 0 && (a.leg.place().missing() || t.route.Retry.Has(code, origin)) {
		t.next()
		return
	}
	t.fail(code)
}

// movedOn tries the next address of a target that is a dead end.
func (t *txn) movedOn(a *attempt, code int, origin Origin) bool {
	if !a.leg.goesOn(code, origin) || len(t.attempts) >= maxAttempts {
		return false
	}
	t.try(a.leg.place().elsewhere())
	return true
}

// fail ends a request that no target took: by the words of the last that spoke,
// else by a code of ours.
func (t *txn) fail(code int) {
	if t.told != nil {
		t.cross(t.told)
		return
	}
	headers := []message.Header(nil)
	if code == 503 {
		headers = []message.Header{later()}
	}
	t.reply(code, "", headers, nil)
}

// redirected puts the contacts of a 3xx before the hops that are left; false
// when there is none to follow.
func (t *txn) redirected(a *attempt) bool {
	if !followed(a.res.Status) || t.route.Redirects == PassRedirects {
		return false
	}
	var found []hop
	for _, uri := range byQ(a.res) {
		h := a.leg.place().redirected(uri, a.res.Status)
		if len(t.attempts)+len(found) < maxAttempts && !t.tried(h, found) {
			found = append(found, h)
		}
	}
	t.hops = append(found, t.hops...)
	return len(found) > 0
}

// tried tells whether a hop was tried before, or is among those to come.
func (t *txn) tried(h hop, found []hop) bool {
	for _, a := range t.attempts {
		if a.leg.place().same(&h) {
			return true
		}
	}
	for _, one := range found {
		if one.same(&h) {
			return true
		}
	}
	return false
}

// cross sends a target's final response to where the request came from.
func (t *txn) cross(a *attempt) {
	res := a.res
	out := t.responseTo(t.req, res.Status, res.Reason, t.tag)
	t.carry(out, res, a.leg, t.a)
	t.carryProofs(out, res, a.leg)
	out.Body, out.Raw = res.Body, res.Raw
	switch {
	case res.Status < 300 && t.pair != nil && !refusesSubscription(res):
		t.established(a, out)
		return
	case res.Status < 300 && t.req.Method == "REGISTER":
		t.giveBack(res, out)
		return
	case res.Status/100 == 3:
		for _, contact := range res.List("Contact") {
			out.Add("Contact", t.veiling(res, a.leg, t.a).place(contact))
		}
	case res.Status == 405: // what the target allows, not what we do
		out.Add("Allow", res.Get("Allow"))
	}
	t.conclude(out)
}

// request takes a NOTIFY in the dialog that a target has made; others believe in
// one where there is none.
func (a *attempt) request(tx *transaction.Server, req *message.Message, tag string) {
	a.txn.take(request{leg: a.leg, tx: tx, req: req, tag: tag})
}

func (a *attempt) acked(*message.Message, transport.Flow) {}
