package b2bua

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// subscription is what a relayed SUBSCRIBE grows into (RFC 6665), or a REFER
// outside dialogs (RFC 3515): a dialog with the subscriber and one with the
// notifier. Refreshes cross one way and NOTIFYs the other, each as a request of
// our own. The txn owns it, and on_request is not asked: there is no call.
//
// The notifier's dialog is made by what comes first, a NOTIFY or the 2xx; of a
// forked SUBSCRIBE it is the only one, and others hear 481.
type subscription struct {
	near     *talk // with the subscriber
	far      *talk // with the notifier; nil: not made yet
	b        *leg  // of far
	event    string
	answered bool // the SUBSCRIBE has its 2xx
	over     bool // it was terminated: what is under way is the rest
	passing  []*passage
	partings int // of our own requests that have no answer yet
}

const (
	// maxSubscriptions bounds the pairs at once.
	maxSubscriptions = 50_000
	// maxPassing bounds what one pair has under way.
	maxPassing = 32
	// usualExpires is for who does not say: RFC 6665 section 4.1.2.1 leaves it to
	// the event package, an hour is the usual one.
	usualExpires = time.Hour
)

// subscribes tells the methods that make a subscription.
func subscribes(method string) bool { return method == "SUBSCRIBE" || method == "REFER" }

// refusesSubscription tells the 2xx of a REFER that makes none (RFC 4488).
func refusesSubscription(res *message.Message) bool {
	return strings.EqualFold(strings.TrimSpace(res.Get("Refer-Sub")), "false")
}

// passage is a request on its way from one dialog of a pair to the other.
type passage struct {
	txn      *txn
	from, to *leg
	near     *talk // where it came in
	far      *talk // where it goes out
	tx       *transaction.Server
	req      *message.Message
	out      *message.Message
	client   *transaction.Client
}

// Response brings a response to the request that crossed.
func (p *passage) Response(_ *transaction.Client, res *message.Message) {
	p.txn.take(response{p, res})
}

// Failed posts that the request that crossed got no answer.
func (p *passage) Failed(_ *transaction.Client, err error) { p.txn.post(failed{p, err}) }

// subscriber is the party of the subscriber's dialog.
type subscriber struct{ *txn }

func (s subscriber) request(tx *transaction.Server, req *message.Message, tag string) {
	s.take(request{leg: s.a, tx: tx, req: req, tag: tag})
}

func (subscriber) acked(*message.Message, transport.Flow) {}

// subscribe makes the subscriber's dialog; false when there are too many.
func (t *txn) subscribe() bool {
	if t.server.subscribed.Load() >= maxSubscriptions {
		return false
	}
	req, contact := t.req, addressOf(t.a.flow)
	if a, ok := req.Contact(); ok {
		contact = a.URI
	}
	cseq, _, _ := req.CSeq()
	id := dialog.ID{CallID: req.CallID(), Local: t.tag, Remote: req.FromTag()}
	near := dialog.UAS(id, message.WithTag(req.Get("To"), ""), message.WithTag(req.Get("From"), ""), contact, req.List("Record-Route"), cseq)
	t.a.home = home(req, t.a.flow)
	t.pair = &subscription{near: &talk{Dialog: *near}, event: req.Get("Event")}
	if req.Method == "REFER" {
		t.pair.event = "refer"
	}
	t.lead(dialogKey{id.CallID, id.Local}, subscriber{t})
	return true
}

// open makes the notifier's dialog from what it sent first, m.
func (s *subscription) open(a *attempt, m *message.Message) {
	contact := a.leg.place().uri
	if c, ok := m.Contact(); ok {
		contact = c.URI
	}
	cseq, _, _ := a.out.CSeq()
	id := dialog.ID{CallID: a.out.CallID(), Local: a.out.FromTag(), Remote: m.ToTag()}
	local, remote := message.WithTag(a.out.Get("From"), ""), message.WithTag(a.out.Get("To"), "")
	d := dialog.UAC(id, local, remote, contact, m.List("Record-Route"), cseq)
	if m.IsRequest() {
		id.Remote = m.FromTag()
		d = dialog.UAS(id, local, remote, contact, m.List("Record-Route"), 0)
		d.LocalSeq = cseq
	}
	s.far, s.b = &talk{Dialog: *d}, a.leg
}

// established answers the SUBSCRIBE with the notifier's 2xx.
func (t *txn) established(a *attempt, out *message.Message) {
	s := t.pair
	if s.far == nil {
		s.open(a, a.res)
	}
	out.Set("Contact", t.a.contact())
	t.sign(out)
	t.respond(t.tx, t.a, out)
	s.answered = true
	t.after(timerAll, 0)
	t.after(timerMove, 0)
	for _, other := range t.attempts {
		other.leave()
	}
	t.server.waiting.Add(-1)
	t.server.subscribed.Add(1)
	t.server.index.subscribe(t)
	t.grant(lasts(a.res, t.req))
	t.rest()
}

// lasts is how long an answer to a SUBSCRIBE makes it live.
func lasts(res, req *message.Message) time.Duration {
	for _, m := range []*message.Message{res, req} {
		if n, err := strconv.ParseUint(m.Get("Expires"), 10, 32); err == nil {
			return time.Duration(n) * time.Second
		}
	}
	return usualExpires
}

// grant keeps the pair alive. The notifier has a transaction's time more to say
// that it is over.
func (t *txn) grant(d time.Duration) { t.after(timerLife, d+64*t.server.cfg.T1) }

// within takes a request in one of the dialogs.
func (t *txn) within(e request) {
	s := t.pair
	if t.forgotten || s == nil {
		t.server.answer(e.tx, e.req, 481)
		return
	}
	t.heard(e.leg, e.req)
	p := &passage{txn: t, from: e.leg, to: t.a, tx: e.tx, req: e.req, near: s.far, far: s.near}
	if e.leg == t.a {
		p.near, p.to, p.far = s.near, s.b, s.far
	} else if s.far == nil {
		t.meet(e)
		p.near = s.far
	}
	if code := t.mayPass(p); code != 0 {
		t.respond(e.tx, e.leg, t.signed(t.responseTo(e.req, code, "", "")))
		return
	}
	t.pass(p)
}

// meet makes the notifier's dialog from a NOTIFY that came before the 2xx.
func (t *txn) meet(e request) {
	for _, a := range t.attempts {
		if a.leg == e.leg && a.out != nil && e.req.Method == "NOTIFY" {
			t.pair.open(a, e.req)
		}
	}
}

// mayPass is the answer to a request that goes no further; 0: it crosses.
func (t *txn) mayPass(p *passage) int {
	s := t.pair
	switch {
	case s.far == nil || p.near.Remote != p.req.FromTag() || p.from != t.a && p.from != s.b:
		return 481
	case !t.server.knows(p.from, p.near, p.tx.Flow()):
		return 481
	}
	cseq, _, _ := p.req.CSeq()
	down := p.req.Method == "NOTIFY" || p.req.Method == "BENOTIFY"
	switch {
	case p.near.Receive(cseq) != nil:
		return 500
	case p.from == t.a && p.req.Method != "SUBSCRIBE", p.from != t.a && !down:
		return 405
	case s.over && down:
		return 200 // we have said goodbye already
	case s.over:
		return 481
	case len(s.passing) >= maxPassing:
		return 503
	}
	return 0
}

// pass sends the request on in the other dialog.
func (t *txn) pass(p *passage) {
	if t.wants(HookInbound) {
		p.req = p.req.Clone()
		t.router.Inbound(p.from.view(), p.req)
	}
	out := t.inDialog(p.far, p.req.Method, p.far.Next())
	out.Set("Max-Forwards", hops(p.req))
	t.carry(out, p.req, p.from, p.to)
	out.Body = p.req.Body
	fragment(out, p.to.rule)
	out.Set("Contact", p.to.contact())
	p.to.authorize(out)
	t.pair.passing = append(t.pair.passing, p)
	t.passOn(p, out)
}

func (t *txn) passOn(p *passage, out *message.Message) {
	if t.wants(HookOutbound) {
		t.router.Outbound(p.to.view(), out)
	}
	p.out = out
	t.along(p.to, p.far, func(f transport.Flow, err error) {
		switch {
		case !slices.Contains(t.pair.passing, p):
		case err != nil:
			t.post(failed{p, err})
		default:
			p.client = t.server.layer.Request(out, f, p)
			t.sent(p.to, out, p.client.Sent())
		}
	})
}

// passed takes the response to a request that crossed.
func (t *txn) passed(p *passage, res *message.Message) {
	t.heard(p.to, res)
	if res.Status < 200 || !slices.Contains(t.pair.passing, p) {
		return
	}
	if again := t.withCredentials(p.to, p.out, res); again != nil {
		setSeq(again, p.far.Next())
		t.passOn(p, again)
		return
	}
	if t.wants(HookInbound) {
		res = res.Clone()
		t.router.Inbound(p.to.view(), res)
	}
	out := t.responseTo(p.req, res.Status, res.Reason, "")
	t.carry(out, res, p.to, p.from)
	out.Body = res.Body
	if res.Status < 300 {
		out.Set("Contact", p.from.contact())
		refreshBoth(p, res)
	}
	t.respond(p.tx, p.from, t.signed(out))
	t.settle(p, res.Status, res)
}

// refreshBoth takes over where both ends say that they are now.
func refreshBoth(p *passage, res *message.Message) {
	if a, ok := p.req.Contact(); ok {
		p.near.Refresh(a.URI)
	}
	if a, ok := res.Contact(); ok {
		p.far.Refresh(a.URI)
	}
}

// strayed takes that a request that crossed got no answer. A subscriber who is
// silent is gone: the notifier is told so (RFC 6665 section 4.2.2).
func (t *txn) strayed(p *passage, err error) {
	if !slices.Contains(t.pair.passing, p) {
		return
	}
	code := 503
	if errors.Is(err, transaction.ErrTimeout) {
		code = 408
	}
	t.respond(p.tx, p.from, t.signed(t.responseTo(p.req, code, "", "")))
	if code == 408 && p.to == t.a && !t.pair.over {
		t.pair.over = true
		t.unsubscribe()
	}
	t.settle(p, code, nil)
}

// settle draws the conclusions from the end of a request that crossed.
func (t *txn) settle(p *passage, code int, res *message.Message) {
	s := t.pair
	s.passing = slices.DeleteFunc(s.passing, func(o *passage) bool { return o == p })
	state, params, _ := strings.Cut(p.req.Get("Subscription-State"), ";")
	state = strings.TrimSpace(state)
	switch notify := p.to == t.a; {
	case endsSubscription(code), notify && strings.EqualFold(state, "terminated"):
		s.over = true
	case code >= 300:
	case !notify:
		t.grant(lasts(res, p.req))
	case state != "":
		text, _ := message.ParamIn(params, "expires")
		if n, err := strconv.ParseUint(text, 10, 32); err == nil {
			t.grant(time.Duration(n) * time.Second)
		}
	}
	t.rest()
}

// endsSubscription tells the failures that end the dialog they came in (RFC 6665
// section 4.1.2.2, RFC 5057 section 5.1).
func endsSubscription(code int) bool {
	switch code {
	case 404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604:
		return true
	}
	return false
}

// rest forgets a pair that is over once nothing of it is under way.
func (t *txn) rest() {
	if s := t.pair; s.over && s.answered && len(s.passing) == 0 && s.partings == 0 {
		t.finish()
	}
}

// part ends a pair from here. The subscriber hears that another of us may serve
// it at once (RFC 6665 section 4.1.3, deactivated), the notifier that nobody
// listens.
func (t *txn) part() {
	s := t.pair
	if s.over {
		return
	}
	s.over = true
	bye := t.inDialog(s.near, "NOTIFY", s.near.Next())
	bye.Add("Event", s.event)
	bye.Add("Subscription-State", "terminated;reason=deactivated")
	t.sayParting(t.a, s.near, bye)
	t.unsubscribe()
	t.rest()
}

func (t *txn) unsubscribe() {
	s := t.pair
	bye := t.inDialog(s.far, "SUBSCRIBE", s.far.Next())
	bye.Add("Event", s.event)
	bye.Add("Expires", "0")
	s.b.authorize(bye)
	t.sayParting(s.b, s.far, bye)
}

// parted is a request of our own that ends a subscription.
type parted struct {
	txn  *txn
	leg  *leg
	talk *talk
	req  *message.Message
}

// Response posts the answer to it.
func (w *parted) Response(_ *transaction.Client, res *message.Message) {
	w.txn.post(response{w, res})
}

// Failed posts that it got none.
func (w *parted) Failed(_ *transaction.Client, err error) { w.txn.post(failed{w, err}) }

func (t *txn) sayParting(l *leg, d *talk, req *message.Message) {
	req.Set("Contact", l.contact())
	if t.wants(HookOutbound) {
		t.router.Outbound(l.view(), req)
	}
	t.pair.partings++
	t.along(l, d, func(f transport.Flow, err error) {
		w := &parted{t, l, d, req}
		if err != nil {
			t.post(failed{w, err})
			return
		}
		t.sent(l, req, t.server.layer.Request(req, f, w).Sent())
	})
}

// goneBy takes the answer to such a request; res is nil when none came.
func (t *txn) goneBy(w *parted, res *message.Message) {
	if res != nil {
		t.heard(w.leg, res)
		if res.Status < 200 {
			return
		}
		if again := t.withCredentials(w.leg, w.req, res); again != nil {
			setSeq(again, w.talk.Next())
			t.sayParting(w.leg, w.talk, again)
		}
	}
	t.pair.partings--
	t.rest()
}

// breakOff answers what crosses no more.
func (t *txn) breakOff() {
	for _, p := range t.pair.passing {
		if p.client != nil {
			p.client.Abandon()
		}
		t.respond(p.tx, p.from, t.signed(t.responseTo(p.req, 481, "", "")))
	}
	t.pair.passing = nil
}

// signed is a response with our name in it.
func (t *txn) signed(res *message.Message) *message.Message {
	t.sign(res)
	return res
}
