package b2bua

import (
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// over ends a B leg's attempt without an answer.
func (c *Call) over(l *leg, code int, reason string, origin Origin) {
	if l.state != legCancelled {
		l.state = legOver
	}
	l.stop(timerTry)
	l.stop(timerRing)
	l.invite = nil
	c.finishAttempt(l, code, reason, origin)
	c.freeTrunk(l)
}

// finishAttempt closes the line of an attempt in the record.
func (c *Call) finishAttempt(l *leg, code int, reason string, origin Origin) {
	a := &c.record.Attempts[l.attempt]
	if a.Origin != "" {
		return
	}
	a.Code, a.Reason, a.Origin, a.Rang = code, reason, origin, l.rang
	a.Duration = time.Since(a.Started).Seconds()
	c.fared(l, code, origin)
	if l.trunk == nil || l.client == nil {
		return
	}
	if state := c.server.trunks.Of(l.trunk.Name); code/100 == 2 {
		state.Answered()
	} else {
		state.Failed()
	}
}

// answeredBy notes that the caller gets its 2xx.
func (c *Call) answeredBy(l *leg, res *message.Message) {
	c.answered = true
	c.record.Answered = time.Now()
	c.record.Code, c.record.Reason = res.Status, res.Reason
	c.talksTo(l)
	c.tell(Event{Kind: EventAnswered, Record: c.record})
}

// joined notes a leg that we did not call as an attempt that was answered.
func (c *Call) joined(l *leg) {
	c.record.Attempts = append(c.record.Attempts, Attempt{
		Target: l.dialog.Target, Trunk: l.trunkName(), Code: 200, Reason: message.ReasonPhrase(200), Origin: OriginPeer, Started: time.Now(),
	})
}

// talksTo notes who a leg leads to.
func (c *Call) talksTo(l *leg) {
	c.record.Target, c.record.TargetTrunk = l.place().uri, l.trunkName()
	if l.place().uri == "" { // we did not call it
		c.record.Target = l.dialog.Target
	}
}

// freeTrunk gives the trunk's place back.
func (c *Call) freeTrunk(l *leg) {
	if l.load != nil {
		l.load.Release()
		l.load = nil
	}
}

// settled says that the INVITE of a leg has its final response, or none comes.
func (c *Call) settled(l *leg) {
	if l.client != nil && !l.settled {
		l.settled = true
		c.open--
	}
}

// closeRecord fills in how the call ended.
func (c *Call) closeRecord(g goodbye) {
	r := c.record
	r.Ended = time.Now()
	r.mask()
	if r.HungUpBy == "" {
		r.HungUpBy = g.by
	}
	if c.answered {
		r.Duration = r.Ended.Sub(r.Answered).Seconds()
	}
	if !c.rangAt.IsZero() {
		until := r.Ended
		if c.answered {
			until = r.Answered
		}
		r.Ringing = until.Sub(c.rangAt).Seconds()
	}
	c.log().Info("call ended", "code", r.Code, "reason", r.Reason, "by", r.HungUpBy, "target", r.Target, "dur", r.Duration)
}

// mask takes the passwords out of a record's URIs: nobody asks it for them.
func (r *Record) mask() {
	r.From, r.To, r.Target = message.MaskURI(r.From), message.MaskURI(r.To), message.MaskURI(r.Target)
	for i := range r.Attempts {
		r.Attempts[i].Target = message.MaskURI(r.Attempts[i].Target)
	}
}

// State is a call at one moment.
type State struct {
	ID       string
	Phase    string // routing inviting talking clearing
	From     string // URI of the caller
	To       string // Request-URI of the caller's INVITE
	Trunk    string // that it came from
	Target   string // that it went to
	CallID   string
	Script   string
	Started  time.Time
	Answered time.Time // zero: not yet
	Attempts int
	Legs     []Leg // A first
}

// state is a snapshot for those outside.
func (c *Call) state() State {
	s := State{
		ID: c.id, Phase: c.phaseName(), From: c.record.From, To: c.record.To, Trunk: c.record.Trunk, CallID: c.record.CallID,
		Script: c.record.Script, Started: c.started, Answered: c.record.Answered, Attempts: len(c.legs),
		Legs: []Leg{c.a.view()},
	}
	for _, l := range c.legs {
		s.Legs = append(s.Legs, l.view())
	}
	if c.b != nil {
		s.Target = c.b.place().uri
	}
	return s
}

func (c *Call) phaseName() string {
	switch {
	case c.ended:
		return "clearing"
	case c.answered:
		return "talking"
	case c.b != nil:
		return "inviting"
	}
	return "routing"
}

// Calls is a snapshot of all calls, asked through their mailboxes.
func (s *Server) Calls() []State {
	calls := s.index.all()
	answers := make(chan State, len(calls))
	for _, c := range calls {
		c.post(asked{answers})
	}
	states := make([]State, 0, len(calls))
	for range calls {
		states = append(states, <-answers)
	}
	return states
}

// Call is a snapshot of one call.
func (s *Server) Call(id string) (State, bool) {
	c := s.index.call(id)
	if c == nil {
		return State{}, false
	}
	answer := make(chan State, 1)
	c.post(asked{answer})
	return <-answer, true
}

// HangUp ends a call for an operator; false when there is none of that id.
func (s *Server) HangUp(id, by string) bool {
	c := s.index.call(id)
	if c != nil {
		c.post(hangUp{code: 480, by: by})
	}
	return c != nil
}

// Active is the number of calls that are not over.
func (s *Server) Active() int { return int(s.active.Load()) }

// Draining tells whether new calls are refused for good.
func (s *Server) Draining() bool { return s.draining.Load() }

// Trunks is what is counted about the trunks.
func (s *Server) Trunks() *trunk.States { return s.trunks }

// Matches lists the entries of trunks that a source fits, the one that
// decides first.
func (s *Server) Matches(source string) []trunk.Hit { return s.settings().Trunks.Fits(source) }

// Transport counts what comes and goes over sockets.
func (s *Server) Transport() transport.Counters { return s.transport.Counters() }

// Malformed counts the messages that were refused or dropped as such, Faults
// the panics of ours that were caught.
func (s *Server) Malformed() int64 { return s.malformed.Load() }

// Faults counts the panics of ours that a call survived.
func (s *Server) Faults() int64 { return s.faults.Load() }

// Counters are the transaction layer's.
func (s *Server) Counters() transaction.Counters { return s.layer.Counters() }
