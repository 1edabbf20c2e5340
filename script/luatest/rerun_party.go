package luatest

import (
	"bytes"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/script/journal"
)

// part is what a target did in the call that is played again.
type part struct {
	trunk, target string
	origin        b2bua.Origin
	tries         [][]said // by INVITE: one that was challenged comes again
	refuses       bool
	known         bool // it was called before
	taken         bool
	leg           string // the key it plays under
}

// said is one response.
type said struct {
	after time.Duration // since the INVITE
	code  int
	bytes string // "": none is known
}

// partsOf takes the parts out of a call, in the order of its attempts.
func partsOf(e *journal.Entry) []*part {
	parts := make([]*part, len(e.Record.Attempts))
	for i := range e.Record.Attempts {
		a := &e.Record.Attempts[i]
		p := &part{trunk: a.Trunk, target: a.Target, origin: a.Origin, known: true}
		p.tries = triesOf(e.Steps, i+1)
		switch {
		case a.Origin == b2bua.OriginTransport || a.Origin == b2bua.OriginDNS:
			p.refuses = true
		case len(p.tries) == 0 && a.Code >= 300:
			p.tries = [][]said{{{code: a.Code}}}
		}
		parts[i] = p
	}
	return parts
}

// triesOf are the responses of a leg, by the INVITE that they answer.
func triesOf(steps []journal.Step, leg int) (tries [][]said) {
	var sent time.Duration
	cancelled, over := false, false
	for i := range steps {
		s := &steps[i]
		if s.Leg != leg || over {
			continue
		}
		switch {
		case s.Kind == b2bua.EventSent && s.Method == "INVITE" && s.Code == 0:
			sent, tries = s.After, append(tries, nil)
		case s.Kind == b2bua.EventSent && s.Method == "CANCEL":
			cancelled = true
		case s.Kind == b2bua.EventReceived && s.Method == "INVITE" && s.Code > 100 && len(tries) > 0:
			if over = s.Code/100 == 2; s.Code != 487 || !cancelled { // whoever is cancelled says that by himself
				tries[len(tries)-1] = append(tries[len(tries)-1], said{s.After - sent, s.Code, s.Bytes})
			}
		}
	}
	return tries
}

// cast finds who plays a leg: what this target did, or another of its trunk, or
// one that was not called before.
func (r *run) cast(l b2bua.Leg) *part {
	uri := message.MaskURI(l.Target)
	for _, same := range []func(*part) bool{
		func(p *part) bool { return p.trunk == l.Trunk && p.target == uri },
		func(p *part) bool { return p.trunk != "" && p.trunk == l.Trunk },
		func(p *part) bool { return p.trunk == "" && l.Trunk == "" && hostOf(p.target) == hostOf(uri) },
	} {
		for _, p := range r.parts {
			if !p.taken && p.known && same(p) {
				p.taken = true
				return p
			}
		}
	}
	r.again.Unknown = append(r.again.Unknown, nameOf(l))
	p := &part{trunk: l.Trunk, target: uri, refuses: r.world.order.Unknown.Refuses, taken: true}
	var acts []said
	after := time.Duration(0)
	for _, a := range r.world.order.Unknown.Acts {
		after += a.After
		acts = append(acts, said{after: after, code: a.Code})
	}
	p.tries = [][]said{acts}
	r.parts = append(r.parts, p)
	return p
}

func nameOf(l b2bua.Leg) string {
	if l.Trunk != "" {
		return l.Trunk
	}
	return hostOf(l.Target)
}

func hostOf(uri string) string {
	u, err := message.ParseURI(uri)
	if err != nil {
		return uri
	}
	return u.Host
}

// calls is asked before an INVITE leaves.
func (w *rerun) calls(call string, l b2bua.Leg, invite *message.Message) {
	w.with(call, func(r *run) {
		p := r.cast(l)
		p.leg = keyOf(invite.CallID(), invite.FromTag())
		w.legs[p.leg] = &party{run: r, part: p}
		if p.refuses {
			w.refusing++
		}
	})
}

// leave lets go of a part; the world's mu is held.
func (p *part) leave(w *rerun) {
	one := w.legs[p.leg]
	if one == nil {
		return
	}
	delete(w.legs, p.leg)
	one.stop()
	if p.refuses {
		w.refusing--
	}
}

// refuses is asked by the network, which must not be called.
func (w *rerun) refuses(p simnet.Packet) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refusing == 0 || !bytes.HasPrefix(p.Bytes, []byte("INVITE ")) {
		return false
	}
	m, err := message.Parse(p.Bytes)
	if err != nil {
		return false
	}
	one := w.legs[keyOf(m.CallID(), m.FromTag())]
	return one != nil && one.part.refuses
}

// party is one end of a leg that is played: the caller, or a callee. The
// world's mu guards it.
type party struct {
	run    *run
	part   *part // of a callee
	calls  bool  // it is the caller
	agent  *simnet.Agent
	peer   string
	invite *message.Message // of the caller
	tries  int              // INVITEs of a callee so far
	open   *simnet.Incoming // an INVITE that has no final answer
	dialog *dialog.Dialog
	final  bool
	gone   bool // a BYE has passed
	timers []*time.Timer
}

func (p *party) stop() {
	for _, t := range p.timers {
		t.Stop()
	}
	p.timers = nil
}

// hear takes what reaches an agent, in the socket's reader.
func (w *rerun) hear(a *simnet.Agent, in *simnet.Incoming) {
	w.mu.Lock()
	p := w.legs[keyOf(in.CallID(), in.FromTag())]
	if p == nil {
		p = w.legs[keyOf(in.CallID(), in.ToTag())]
	}
	if p == nil {
		for _, tag := range []string{in.FromTag(), in.ToTag()} {
			if r := w.byKey[keyOf(in.CallID(), tag)]; r != nil {
				p = r.caller
			}
		}
	}
	then := func() {}
	switch {
	case !in.IsRequest():
		if p != nil {
			then = p.answered(in)
		}
	case in.Method == "ACK":
	case in.Method == "INVITE" && in.ToTag() == "":
		then = func() { in.Reply(480, nil) }
		if p != nil && !p.calls {
			then = p.called(a, in)
		}
	case in.Method == "CANCEL":
		if p != nil {
			then = p.cancelled()
		}
	default:
		if p != nil && in.Method == "BYE" {
			p.gone = true
			p.stop()
		}
		then = func() { accept200(a, in) }
	}
	w.mu.Unlock()
	then()
}

// accept200 agrees to what comes in a dialog.
func accept200(a *simnet.Agent, in *simnet.Incoming) {
	in.Reply(200, func(res *message.Message) {
		if !isSDP(in.Message) || in.Method == "ACK" {
			return
		}
		if body, err := answer(a.Addr.Addr(), 2, in.Body); err == nil {
			withSDP(res, body)
		}
	})
}

// called begins to answer an INVITE as the target did.
func (p *party) called(a *simnet.Agent, in *simnet.Incoming) func() {
	p.agent, p.open, p.peer = a, in, in.Flow().Remote.String()
	n := min(p.tries, len(p.part.tries)-1)
	p.tries++
	if n < 0 {
		return func() {}
	}
	p.await(in, p.part.tries[n], time.Now())
	return func() {}
}

// await sets the clock for the first of the responses to an INVITE that came
// then; the world's mu is held.
func (p *party) await(in *simnet.Incoming, rest []said, came time.Time) {
	if len(rest) == 0 {
		return
	}
	p.timers = append(p.timers, time.AfterFunc(max(time.Until(came.Add(rest[0].after)), time.Nanosecond), func() {
		p.say(in, rest[0])
		p.run.world.mu.Lock()
		defer p.run.world.mu.Unlock()
		if p.open == in {
			p.await(in, rest[1:], came)
		}
	}))
}

// say sends one response.
func (p *party) say(in *simnet.Incoming, one said) {
	w := p.run.world
	w.mu.Lock()
	if p.open != in {
		w.mu.Unlock()
		return
	}
	if one.code >= 200 {
		p.open = nil
	}
	w.mu.Unlock()
	sent := in.Reply(one.code, func(res *message.Message) { p.word(in, one, res) })
	if one.code/100 == 2 {
		w.mu.Lock()
		p.dialog = p.agent.Dialog(in.Message, sent, true)
		w.mu.Unlock()
		if after, hungUp := talked(p.run.was, "BYE", false); hungUp {
			p.later(after, p.hangUp)
		}
	}
}

// ownFields of a response belong to the transaction and the agent.
var ownFields = []string{"Via", "From", "To", "Call-ID", "CSeq", "Record-Route", "Content-Length"}

// word gives a response what it said.
func (p *party) word(in *simnet.Incoming, one said, res *message.Message) {
	was, err := message.ParseMasked(one.bytes)
	if err != nil || one.bytes == "" {
		if one.code == 183 || one.code/100 == 2 {
			describe(p.agent, in, res)
		}
		return
	}
	res.Reason = was.Reason
	for _, h := range was.Headers {
		if message.SameAny(h.Name, ownFields) || message.Same(h.Name, "Contact") && one.code < 300 {
			continue
		}
		res.Add(h.Name, h.Value)
	}
	res.Body = was.Body
}

// cancelled ends the INVITE: 487 (RFC 3261 section 9.2).
func (p *party) cancelled() func() {
	in := p.open
	if p.open = nil; in == nil {
		return func() {}
	}
	p.stop()
	return func() { in.Reply(487, nil) }
}

// answered takes a response to the caller.
func (p *party) answered(in *simnet.Incoming) func() {
	if in.Method != "INVITE" || !p.calls {
		return func() {}
	}
	cseq, _, _ := in.CSeq()
	switch {
	case in.Status < 200:
		if rseq := in.Get("RSeq"); rseq != "" {
			early := p.agent.Dialog(p.invite, in.Message, false)
			return func() {
				m := p.agent.In(early, "PRACK", cseq+1)
				m.Set("RAck", rseq+" "+in.Get("CSeq"))
				_, _ = p.agent.Send(m, p.peer)
			}
		}
		return func() {}
	case in.Status >= 300:
		p.final = true
		if r := p.run; r.engine == "" { // nobody was asked
			p.run.world.finish(r)
		}
		return func() {}
	}
	first := !p.final
	p.final = true
	if first {
		p.dialog = p.agent.Dialog(p.invite, in.Message, false)
	}
	ack := p.agent.In(p.dialog, "ACK", cseq)
	return func() {
		_, _ = p.agent.SendACK(ack, p.peer) // the flow exists: an INVITE went over it
		if first {
			p.later(p.run.talk(), p.hangUp)
		}
	}
}

// giveUp cancels, unless there is an answer.
func (p *party) giveUp(cancel func()) {
	w := p.run.world
	w.mu.Lock()
	late := p.final || p.run.closed
	w.mu.Unlock()
	if !late {
		cancel()
	}
}

func (p *party) later(d time.Duration, f func()) {
	w := p.run.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.timers = append(p.timers, time.AfterFunc(max(d, time.Nanosecond), f))
}

// hangUp sends a BYE, if nobody has.
func (p *party) hangUp() {
	w := p.run.world
	w.mu.Lock()
	if p.gone || p.dialog == nil {
		w.mu.Unlock()
		return
	}
	p.gone = true
	bye := p.agent.In(p.dialog, "BYE", p.dialog.Next())
	w.mu.Unlock()
	_, _ = p.agent.Send(bye, p.peer)
}

// moment is when the caller, or a callee, sent a request.
func moment(e *journal.Entry, method string, caller bool) (after time.Duration, ok bool) {
	for i := range e.Steps {
		if s := &e.Steps[i]; s.Kind == b2bua.EventReceived && s.Code == 0 && s.Method == method && (s.Leg == 0) == caller {
			return s.After, true
		}
	}
	return 0, false
}

// talked is how long after the answer one side sent a request.
func talked(e *journal.Entry, method string, caller bool) (time.Duration, bool) {
	after, ok := moment(e, method, caller)
	if e.Record.Answered.IsZero() {
		return 0, false
	}
	return max(after-e.Record.Answered.Sub(e.Began()), time.Millisecond), ok
}

// talk is how long the caller talks: as long as he did, or until the other has
// hung up.
func (r *run) talk() time.Duration {
	if after, hungUp := talked(r.was, "BYE", true); hungUp {
		return after
	}
	if r.was.Record.Answered.IsZero() {
		return time.Second
	}
	return time.Duration(r.was.Record.Duration*float64(time.Second)) + 2*time.Second
}
