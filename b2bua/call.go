package b2bua

import (
	"slices"
	"time"

	"legwork/b2bua/message"
)

// Call is everything between the caller's INVITE and the last goodbye. Its
// mailbox owns it: every field belongs to the goroutine that runs the mailbox.
type Call struct {
	owner

	phase  phase
	invite *message.Message // the caller's, after the inbound profile
	folded []byte           // its text, once the call is answered and invite is nil
	a      *leg
	b      *leg        // the leg that answered, or the last one tried
	legs   []*leg      // all B legs, in order
	seats  int         // legs that ever were, but for the first A: the last index
	keys   []dialogKey // that lead to its legs
	clocks [callTimers]clock

	route    Route
	stages   [][]hop // places not yet tried; those of a stage are tried together
	failure  failure
	answered bool

	crossing []*exchange // requests on their way to the other leg
	modify   *exchange   // the one among them that changes the session
	errands  []*errand   // requests of our own

	provisionals []*provisional // reliable 1xx that the caller has not acknowledged
	waiting      *response      // the 2xx that waits for that
	earlyOf      *fork          // the early dialog that alone crosses
	inviteSeq    uint32         // CSeq of the caller's INVITE
	repeat       *repeat        // our 2xx that waits for its ACK
	parting      *parting       // the BYE that waits for that ACK
	open         int            // what keeps the call findable: transactions, repeats, on_end

	transfers

	record   *Record // on its own: observers keep it longer than the call
	mergeKey string
	started  time.Time
	rangAt   time.Time
	onEnd    []func()
	ended    bool // the record is closed
	silent   bool // a search has said how it ended
}

// phase is the state of a call: it takes one event and returns the phase that
// follows. The story is routing, inviting, talking, clearing.
type phase func(*Call, event) phase

// handle is the whole of a call's life: one event after the other.
func (c *Call) handle(ev event) {
	defer c.survive()
	switch e := ev.(type) {
	case faulted:
		panic(e.why)
	case noted:
		c.keepNote(e.text, e.where)
		return
	case elapsed:
		if e.set != c.clock(e.leg, e.timer).set {
			return
		}
	case reached:
		e.then(e.flow, e.err)
		if c.ended {
			c.lingering() // a goodbye that can't be sent may have been the last
		}
		return
	case derived:
		if m, err := message.Parse(e.bytes); err == nil {
			c.sent(e.leg, m, e.bytes)
		}
		return
	case witnessed:
		c.heard(e.leg, e.m)
		return
	case whenOver:
		c.whenOver(e.f)
		return
	case asked:
		e.to <- c.state()
		return
	default:
		if c.amongCalls(ev) {
			return
		}
	}
	c.phase = c.phase(c, ev)
	if c.debt != nil {
		c.phase = c.pay()
	}
	if len(c.errands) > 0 {
		c.runErrands()
	}
}

// survive keeps a fault of ours inside the call: both legs are cleared, the
// process goes on.
func (c *Call) survive() {
	if r := recover(); r != nil {
		c.fault(r)
		c.phase = c.collapse()
	}
}

// collapse clears a call after a fault; a second fault leaves it as it is.
func (c *Call) collapse() (next phase) {
	defer func() {
		if r := recover(); r != nil {
			c.fault(r)
			next = (*Call).clearing
		}
	}()
	if c.ended {
		return (*Call).clearing
	}
	c.rejectCaller(500, "", "fault")
	return c.clear(goodbye{by: "fault", cause: reasonHeader(500)})
}

// newCall makes the call of an INVITE that was admitted.
func (s *Server) newCall(in *admitted) *Call {
	now := time.Now()
	c := &Call{invite: in.req, mergeKey: in.mergeKey, started: now, phase: (*Call).routing}
	s.own(&c.owner, c, in)
	c.a = s.legA(c, in)
	c.inviteSeq, _, _ = in.req.CSeq()
	c.router = s.cfg.Policy.Router(c)
	c.plain = plain(c.router)
	c.record = &Record{
		ID: c.id, Started: now, From: message.URIOf(in.req.Get("From")), To: in.req.URI, CallID: in.req.CallID(),
		Source: in.flow.Remote.String(), Transport: in.source.Transport, Trunk: in.source.Trunk, Script: c.router.Name(), Attempts: []Attempt{},
	}
	return c
}

// plain tells whether a call asks no hook that a reader's goroutine may not ask.
func plain(r Router) bool {
	return !wantsAny(r, HookProgress, HookAnswer, HookRequest, HookResponse, HookBye, HookInbound, HookOutbound)
}

func wantsAny(r Router, hooks ...Hook) bool { return slices.ContainsFunc(hooks, r.Wants) }

// view is what a hook may know of the call.
func (c *Call) view() View {
	v := View{ID: c.id, Source: c.source, Request: c.request(), Started: c.started, Attempt: len(c.legs), A: c.a.view()}
	for _, l := range c.legs {
		v.Legs = append(v.Legs, l.view())
	}
	return v
}

// decidedBy tells of a decision.
func (c *Call) decidedBy(hook string, d Decided) {
	if len(c.server.cfg.Observers) > 0 {
		c.tell(Event{Kind: EventDecided, Leg: c.a.view(), Hook: hook, Text: describe(d.Decision), Where: d.Where, Decision: d.Decision})
	}
}

// note is a line of the engine's own.
func (c *Call) note(text, where string) {
	c.keepNote(text, where)
	c.tell(Event{Kind: EventNote, Leg: c.a.view(), Text: text, Where: where})
}

func (c *Call) keepNote(text, where string) {
	if len(c.record.Notes) < 100 {
		c.record.Notes = append(c.record.Notes, text)
	}
	c.log().Info("note", "text", text, "script", where)
}

// Opening is how the call begins; see there.
func (c *Call) Opening() Opening {
	return Opening{ID: c.id, Trunk: c.source.Trunk, Caller: message.URIOf(c.invite.Get("From")), Call: c.onBehalf == nil}
}

// Note adds a line to the call's story, in the order of what its hook tells
// besides; see Handle.
func (c *Call) Note(text, where string) {
	if c.Watched() {
		c.Tell(Event{Kind: EventNote, Text: text, Where: where})
	}
	c.post(noted{text, where})
}

// OnEnd runs f when the call is over; see Handle.
func (c *Call) OnEnd(f func()) { c.post(whenOver{f}) }

func (c *Call) whenOver(f func()) {
	if c.ended {
		f()
		return
	}
	c.onEnd = append(c.onEnd, f)
}

// HangUp ends the call; see Handle.
func (c *Call) HangUp(code int) { c.post(hangUp{code: code, by: "script"}) }
