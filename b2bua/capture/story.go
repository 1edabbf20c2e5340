package capture

import (
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// Story is one call as data: what JSON shows, and what every drawing is made
// of. Secrets are masked in it. It belongs to whoever has asked for it.
type Story struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	From    string    `json:"from"`    // URI of the caller
	To      string    `json:"to"`      // Request-URI of the caller's INVITE
	Local   string    `json:"local"`   // our side as the caller sees it
	Parties []Party   `json:"parties"` // by leg: the caller, then the callees
	Steps   []Step    `json:"steps"`
	Missing int       `json:"missing,omitempty"` // steps left out where the numbers jump
	Outcome *Outcome  `json:"outcome,omitempty"` // nil: the call is in progress
}

// Party is who is at the far end of a leg.
type Party struct {
	Trunk  string `json:"trunk,omitempty"`
	Remote string `json:"remote,omitempty"`
}

func (p Party) name() string {
	if p.Trunk != "" {
		return p.Trunk
	}
	return p.Remote
}

// partyName is who is at the far end of a leg; "": nobody knows.
func (s *Story) partyName(leg int) string {
	if leg >= len(s.Parties) {
		return ""
	}
	return s.Parties[leg].name()
}

// Step is one thing that happened.
type Step struct {
	N       int      `json:"n"` // counted from 1
	After   float64  `json:"after_seconds"`
	Kind    Kind     `json:"kind"`
	Leg     int      `json:"leg"` // 0 is the caller's
	Message *Message `json:"message,omitempty"`
	Hook    string   `json:"hook,omitempty"`
	Text    string   `json:"text,omitempty"`
	Where   string   `json:"where,omitempty"` // script line
	Took    float64  `json:"took_seconds,omitempty"`
	Edits   []Edit   `json:"edits,omitempty"`
	Into    int      `json:"into,omitempty"` // of edits: the step of the message that left with them
}

// Kind of a step.
type Kind string

// What a step may be.
const (
	Received Kind = "received"
	Sent     Kind = "sent"
	Decision Kind = "decision"
	Edited   Kind = "edit"
	Lookup   Kind = "lookup"
	Limit    Kind = "limit"
	Timer    Kind = "timer"
	Failure  Kind = "failure"
	Note     Kind = "note"
)

// kindOf is "" for what no ladder shows.
func kindOf(k b2bua.Kind) Kind {
	switch k {
	case b2bua.EventReceived:
		return Received
	case b2bua.EventSent:
		return Sent
	case b2bua.EventDecided:
		return Decision
	case b2bua.EventEdited:
		return Edited
	case b2bua.EventLookedUp:
		return Lookup
	case b2bua.EventLimited:
		return Limit
	case b2bua.EventTimer:
		return Timer
	case b2bua.EventFailed:
		return Failure
	case b2bua.EventNote:
		return Note
	default:
		return ""
	}
}

// Message is one that came or left.
type Message struct {
	Method  string   `json:"method"` // of a response: what it answers
	Code    int      `json:"code,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	SDP     bool     `json:"sdp,omitempty"`
	Text    string   `json:"text,omitempty"`    // "": it was not kept
	Cut     bool     `json:"cut,omitempty"`     // Text is only its beginning
	Source  int      `json:"source,omitempty"`  // the step whose message this one was made of; 0: of none
	Headers []Origin `json:"headers,omitempty"` // of one that left: where each of its fields came from
	Left    []Origin `json:"left,omitempty"`    // fields of the source that did not cross
}

// Edit is what a script wrote into a message.
type Edit struct {
	Op    string `json:"op"`   // set add remove keep drop map
	Name  string `json:"name"` // of the header field, or uri status reason body sdp
	Value string `json:"value,omitempty"`
	Where string `json:"where,omitempty"` // script line
}

// Outcome is how a call ended.
type Outcome struct {
	Code     int     `json:"code"` // final code the caller got; 0: none
	Reason   string  `json:"reason"`
	HungUpBy string  `json:"hung_up_by,omitempty"`
	Answered bool    `json:"answered"`
	Talked   float64 `json:"talked_seconds"`
	Script   string  `json:"script,omitempty"`
}

// Story tells a call that is in the ring, in progress or over. Numbers, if
// asked for, are masked besides the secrets.
func (r *Ring) Story(id string, mask Mask) (*Story, bool) {
	kept, ok := r.story(id)
	if !ok {
		return nil, false
	}
	return kept.tell(mask), true
}

// tell makes the story of what was kept.
func (k *story) tell(mask Mask) *Story {
	s := &Story{ID: k.id, Started: k.started, From: mask.text(k.from), To: mask.text(k.to), Local: k.local, Parties: k.parties}
	if s.Parties == nil {
		s.Parties = []Party{}
	}
	s.Steps = make([]Step, 0, len(k.steps))
	for i := range k.steps {
		s.Steps = append(s.Steps, k.step(&k.steps[i], mask))
	}
	s.Missing = k.seen - len(k.steps)
	if r := k.record; r != nil {
		s.Outcome = &Outcome{
			Code: r.Code, Reason: r.Reason, HungUpBy: r.HungUpBy, Answered: !r.Answered.IsZero(), Talked: r.Duration, Script: r.Script,
		}
	}
	return s
}

func (k *story) step(st *step, mask Mask) Step {
	out := Step{N: int(st.n), After: st.after.Seconds(), Kind: kindOf(st.kind), Leg: int(st.leg)}
	if in := st.inside; in != nil {
		out.Hook, out.Where, out.Took = in.hook, in.where, in.took.Seconds()
	}
	switch out.Kind {
	case Received, Sent:
		out.Message = &Message{
			Method: st.method, Code: int(st.code), Reason: mask.text(st.text), SDP: st.sdp, Cut: st.cut, Source: int(st.link),
			Text: mask.message(string(st.bytes)),
		}
		if out.Kind == Sent && len(st.bytes) > 0 && !st.cut {
			out.Message.Headers, out.Message.Left = k.origins(st, mask)
		}
	case Edited:
		out.Into = int(st.link)
		for i := range st.inside.edits {
			e := &st.inside.edits[i]
			out.Edits = append(out.Edits, Edit{e.Op.String(), e.Name, mask.field(e.Name, e.Value), e.Where()})
		}
	default:
		out.Text = mask.text(st.text)
	}
	return out
}

// step finds a step by its number; nil when it is not there.
func (s *Story) step(n int) *Step {
	for i := range s.Steps {
		if s.Steps[i].N == n {
			return &s.Steps[i]
		}
	}
	return nil
}

// parsed reads a message that was kept; nil when it is none.
func parsed(b []byte) *message.Message {
	if len(b) == 0 {
		return nil
	}
	m, err := message.Parse(b)
	if err != nil {
		return nil
	}
	return m
}
