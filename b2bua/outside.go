package b2bua

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/trunk"
)

// txn is one request outside any dialog that is no INVITE, and what becomes of
// it: answered here, stored by the registrar (register.go), relayed as a
// transaction of its own (pair.go), or grown into a pair of subscriptions
// (subscription.go). Its mailbox owns it as a call's owns a call.
//
// Observers hear of its messages and of what is decided, but of no beginning and
// no end: it is no call and makes no record. Message profiles see its messages. The other hooks of calls are not asked:
// there is no call whose on_branch, on_failure or on_final could edit, and a
// response map that turns codes into others would break REGISTER and PUBLISH,
// where codes are the protocol.
type txn struct {
	owner
	tx      *transaction.Server
	req     *message.Message // after the inbound profile; read only
	a       *leg             // where it came from
	tag     string           // of To in our answers
	started time.Time
	clocks  [txnTimers]clock
	onEnd   []func()
	keys    []dialogKey // that lead here

	relaying
	pair *subscription // nil: none
}

// timers of a txn.
const (
	timerAll  timer = iota // budget: all targets together
	timerMove              // try: on to the next target
	timerLife              // of a subscription
	txnTimers
)

// maxWaiting bounds the requests outside dialogs that wait for something at
// once: a hook, the registrar's store, a target.
const maxWaiting = 10_000

// arrived starts a txn.
type arrived struct{}

func (arrived) event() {}

// outside takes a request outside any dialog that is no INVITE. It runs in the
// reader's goroutine; what no hook is asked about is answered in it, too.
func (s *Server) outside(in *admitted) {
	switch in.req.Method {
	case "BYE", "CANCEL", "PRACK", "UPDATE":
		s.refuse(in.tx, in.req, refusedDialog, 481)
		return
	}
	if s.waiting.Load() >= maxWaiting {
		s.refuse(in.tx, in.req, refusedWaiting, 503, later())
		return
	}
	t := s.newTxn(in)
	s.waiting.Add(1)
	t.take(arrived{})
}

func (s *Server) newTxn(in *admitted) *txn {
	t := &txn{tx: in.tx, req: in.req, tag: s.newTag(), started: time.Now()}
	s.own(&t.owner, t, in)
	t.a = &leg{role: RoleA, trunk: in.trunk, flow: in.flow, sips: isSIPS(in.req.URI), rule: &trunk.Headers{}}
	if in.trunk != nil {
		t.a.rule = &in.trunk.Headers
	}
	in.tx.SetToTag(t.tag)
	t.router = s.cfg.Policy.Router(t)
	t.plain = !wantsAny(t.router, HookInbound, HookOutbound)
	return t
}

// Opening is how it begins; see there.
func (t *txn) Opening() Opening {
	return Opening{ID: t.id, Trunk: t.source.Trunk, Caller: message.URIOf(t.req.Get("From"))}
}

// handle is the whole life of a txn: one event after the other.
func (t *txn) handle(ev event) {
	defer t.survive()
	switch e := ev.(type) {
	case faulted:
		panic(e.why)
	case noted:
		t.log().Info("note", "text", e.text, "script", e.where)
		return
	case whenOver:
		t.whenOver(e.f)
		return
	case reached:
		e.then(e.flow, e.err)
		return
	case elapsed:
		if e.set != t.clocks[e.timer].set {
			return
		}
	}
	switch e := ev.(type) {
	case request:
		t.within(e)
		return
	case response:
		if t.brings(e.to, e.res, nil) {
			return
		}
	case failed:
		if t.brings(e.to, nil, e.err) {
			return
		}
	}
	switch {
	case t.forgotten:
	case t.pair != nil && t.pair.answered:
		t.watch(ev)
	default:
		t.pend(ev)
	}
}

// brings takes the end of a request in a subscription; false: it is another's.
func (t *txn) brings(to user, res *message.Message, err error) bool {
	switch p := to.(type) {
	case *passage:
		switch {
		case t.forgotten:
		case res != nil:
			t.passed(p, res)
		default:
			t.strayed(p, err)
		}
	case *parted:
		if !t.forgotten {
			t.goneBy(p, res)
		}
	default:
		return false
	}
	return true
}

// watch takes what else happens to a subscription.
func (t *txn) watch(ev event) {
	switch e := ev.(type) {
	case hangUp:
		t.part()
	case elapsed:
		if e.timer == timerLife {
			t.finish()
		}
	}
}

// pend takes what happens until the request has its answer.
func (t *txn) pend(ev event) {
	switch e := ev.(type) {
	case arrived:
		t.begin()
	case decided:
		if e.asked == t.asked {
			t.obey(e.Decided)
		}
	case examined:
		if e.asked == t.asked {
			t.judged(e.verdict)
		}
	case filed:
		t.registered(e)
	case returned:
		t.conclude(e.res)
	case hangUp:
		t.reply(max(e.code, 400), "", nil, nil)
	default:
		t.relay(ev)
	}
}

// survive keeps a fault of ours inside the txn.
func (t *txn) survive() {
	if r := recover(); r != nil {
		t.fault(r)
		t.collapse()
	}
}

// collapse ends a txn after a fault; a second fault leaves it as it is.
func (t *txn) collapse() {
	defer func() {
		if r := recover(); r != nil {
			t.fault(r)
		}
	}()
	t.tx.Respond(t.req.Respond(500, "", t.tag))
	t.finish()
}

// begin asks the router, outside the mailbox: it may wait.
func (t *txn) begin() {
	t.heard(t.a, t.req)
	if t.wants(HookInbound) {
		t.req = t.req.Clone()
		t.router.Inbound(t.a.view(), t.req)
	}
	t.decide()
}

func (t *txn) decide() {
	lent := lentTo(t.req.URI)
	if t.req.Method == "REGISTER" {
		lent = nil
	}
	if !t.wants(HookOutside) && lent == nil {
		t.obey(Decided{})
		return
	}
	v, asked := t.view(), t.wants(HookOutside)
	t.ask(func(ctx context.Context) (d Decided) {
		if asked {
			d = t.router.Outside(ctx, v)
		}
		if d.Decision == nil {
			d.Decision = lent
		}
		return d
	})
}

// view is what a hook may know of the request.
func (t *txn) view() View {
	v := View{ID: t.id, Source: t.source, Request: t.req, Started: t.started, Attempt: len(t.attempts), A: t.a.view()}
	for _, a := range t.attempts {
		v.Legs = append(v.Legs, a.leg.view())
	}
	return v
}

// decidedBy tells of a decision.
func (t *txn) decidedBy(d Decided) {
	if len(t.server.cfg.Observers) > 0 {
		hook := cmp.Or(d.Hook, "on_"+strings.ToLower(t.req.Method))
		t.tell(Event{Kind: EventDecided, Leg: t.a.view(), Hook: hook, Text: describe(d.Decision), Where: d.Where, Decision: d.Decision})
	}
}

// obey does what the script decided.
func (t *txn) obey(d Decided) {
	t.decidedBy(d)
	switch e := d.Decision.(type) {
	case nil:
		t.byDefault()
	case Reply:
		t.reply(e.Code, e.Reason, e.Headers, e.Body)
	case Reject:
		t.reply(e.Code, e.Reason, e.Headers, nil)
	case Challenge:
		t.challenge(e)
	case Accept:
		t.accept(e)
	case Route:
		t.follow(e)
	case Failed:
		t.reply(500, "", nil, nil)
	default:
		t.unfit(e)
	}
}

// unfit answers for a decision that means nothing here.
func (t *txn) unfit(d Decision) {
	t.log().Error("decision is not one for this request", "method", t.req.Method, "err", fmt.Sprintf("%T", d))
	t.reply(500, "", nil, nil)
}

// byDefault is what happens when no script says otherwise.
func (t *txn) byDefault() {
	switch method := t.req.Method; {
	case method == "OPTIONS":
		t.reply(200, "", t.server.capabilities(), nil)
	case method == "REGISTER":
		t.register()
	case method == "NOTIFY" || method == "BENOTIFY" || method == "INFO":
		t.reply(481, "", nil, nil)
	case !methods[method]:
		t.reply(501, "", []message.Header{{Name: "Allow", Value: t.server.allows()}}, nil)
	default:
		t.reply(405, "", []message.Header{{Name: "Allow", Value: t.server.allows()}}, nil)
	}
}

// capabilities is the truth about us (RFC 3261 section 11.2).
func (s *Server) capabilities() []message.Header {
	supported := extensions
	if s.settings().Registrar != nil {
		supported += ", path"
	}
	return []message.Header{{Name: "Allow", Value: s.allows()}, {Name: "Accept", Value: accept}, {Name: "Supported", Value: supported}}
}

// allows are the methods that are taken without a script.
func (s *Server) allows() string {
	if s.settings().Registrar != nil {
		return allow + ", REGISTER"
	}
	return allow
}

// reply gives the request its final response.
func (t *txn) reply(code int, reason string, headers []message.Header, body []byte) {
	res := t.responseTo(t.req, code, reason, t.tag)
	res.Replace(headers)
	res.Body = body
	t.conclude(res)
}

// conclude sends the final response. A 408 does not leave: the peer's own timer
// says so, and says it in time (RFC 4320 section 4.2).
func (t *txn) conclude(res *message.Message) {
	t.sign(res)
	t.respond(t.tx, t.a, res)
	t.finish()
}

// finish lets go of everything.
func (t *txn) finish() {
	if t.forgotten {
		return
	}
	if t.abandon != nil {
		t.abandon()
	}
	t.asked++
	t.question = nil
	for which := range txnTimers {
		t.after(which, 0)
	}
	for _, a := range t.attempts {
		a.leave()
	}
	if t.pair != nil {
		t.breakOff()
	}
	for _, f := range t.onEnd {
		f()
	}
	t.server.index.leave(t.keys)
	t.forgotten = true
	t.router.Close()
	if t.pair == nil || !t.pair.answered {
		t.server.waiting.Add(-1)
		return
	}
	t.server.index.unsubscribe(t)
	t.server.subscribed.Add(-1)
}

// after sets a timer; a zero or negative duration only stops it.
func (t *txn) after(which timer, d time.Duration) {
	t.clocks[which].start(&t.mailbox, elapsed{timer: which}, d)
}

// Note adds a line to the log, and to the story if there is one; see Handle.
func (t *txn) Note(text, where string) {
	if t.Watched() {
		t.Tell(Event{Kind: EventNote, Text: text, Where: where})
	}
	t.post(noted{text, where})
}

// HangUp answers the request with a failure; see Handle.
func (t *txn) HangUp(code int) { t.post(hangUp{code: code, by: "script"}) }

// OnEnd runs f when the request has its answer; see Handle.
func (t *txn) OnEnd(f func()) { t.post(whenOver{f}) }

func (t *txn) whenOver(f func()) {
	if t.forgotten {
		f()
		return
	}
	t.onEnd = append(t.onEnd, f)
}

// lead enters a dialog key that leads to a party of this txn.
func (t *txn) lead(key dialogKey, p party) {
	if !slices.Contains(t.keys, key) {
		t.keys = append(t.keys, key)
	}
	t.server.index.enter(key, p)
}
