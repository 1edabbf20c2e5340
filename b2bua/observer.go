package b2bua

import (
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// Observer is told what happens in calls. Observe is called inside the call's
// mailbox: it must return at once, keep no lock over I/O and drop rather than
// wait. What it is given is read only and may be kept.
type Observer interface{ Observe(Event) }

// Event is one thing that happened in a call, or outside of calls.
type Event struct {
	Call string
	At   time.Time
	Kind Kind
	Leg  Leg
	// Message that came or left; Bytes are those of one that left, as far as they
	// are known. Wire has both.
	Message *message.Message
	Bytes   []byte
	Hook    string // of Decided, Edited, Failed: on_invite ...
	Text    string // of all but messages and Edited: one line
	Where   string // script line
	// Record of Ended. Of Began and Answered it still grows: it is read inside
	// Observe and not kept.
	Record *Record
	Change Change // of Changed

	Decision Decision       // of Decided; nil: the default
	Edits    *Edits         // of Edited
	Rules    *trunk.Headers // of Sent: which of the peer's headers cross to this leg; nil: nothing crossed yet
	Took     time.Duration  // of LookedUp
}

// Wire is the event's message as it came or left.
func (ev *Event) Wire() []byte {
	switch {
	case ev.Bytes != nil:
		return ev.Bytes
	case ev.Kind != EventSent && ev.Message.Raw != nil: // else what it was made of
		return ev.Message.Raw
	}
	return ev.Message.Bytes()
}

// Kind of an event.
type Kind uint8

// What an observer hears about.
const (
	EventBegan    Kind = iota // a new INVITE
	EventReceived             // a message came
	EventSent                 // a message left
	EventDecided              // a hook decided, or the engine in its place
	EventNote                 // call:note, or the engine's
	EventEnded                // both legs are gone; Record is set
	EventChanged              // of no call: Change says what is another than it was, Text how
	EventAnswered             // the caller gets its 2xx; it has no Leg
	EventEdited               // a hook wrote into a message, which is told next if it leaves
	EventLookedUp             // a script asked somebody else, and Took so long
	EventLimited              // a limit was asked, or met
	EventTimer                // time ran out
	EventFailed               // a hook, or the way to a target
)

// Change is what became another than it was, outside of calls.
type Change string

// The changes: of a trunk, of one of its targets, of our registration with it.
// Leg.Trunk is its name and Leg.Target the target. Others are of a source.
const (
	TrunkUp            Change = "trunk.up"   // a target is alive again
	TrunkDown          Change = "trunk.down" // the last of its targets went down
	TrunkEnabled       Change = "trunk.enabled"
	TrunkDisabled      Change = "trunk.disabled"
	TargetUp           Change = "target.up"
	TargetDown         Change = "target.down"
	RegistrationUp     Change = "registration.up"
	RegistrationFailed Change = "registration.failed" // an attempt; a binding may be left
	RegistrationDown   Change = "registration.down"   // it has run out, or was ended

	SourceBanned   Change = "source.banned" // Leg.Remote, an address or a network
	SourceUnbanned Change = "source.unbanned"
)

// Record is the story of a finished call; a CDR is the line written from it.
type Record struct {
	ID          string         `json:"id"`
	Started     time.Time      `json:"started"`
	Answered    time.Time      `json:"answered,omitzero"`
	Ended       time.Time      `json:"ended"`
	From        string         `json:"from"`    // URI of the caller's From
	To          string         `json:"to"`      // Request-URI of the caller's INVITE
	CallID      string         `json:"call_id"` // of the A leg
	Source      string         `json:"source"`  // ip:port
	Transport   string         `json:"transport"`
	Trunk       string         `json:"trunk,omitempty"` // that the call came from
	Target      string         `json:"target,omitempty"`
	TargetTrunk string         `json:"target_trunk,omitempty"` // that it went to
	Code        int            `json:"code"`                   // final code the caller got; 0: none
	Reason      string         `json:"reason"`
	HungUpBy    string         `json:"hung_up_by"`       // caller callee script admin timer shutdown
	Duration    float64        `json:"duration_seconds"` // answer to hang-up
	Ringing     float64        `json:"ringing_seconds"`
	Script      string         `json:"script,omitempty"` // name@hash
	Attempts    []Attempt      `json:"attempts"`
	Notes       []string       `json:"notes,omitempty"`
	Fields      map[string]any `json:"fields,omitempty"` // call.data and what on_end added
}

// Attempt is one target that was tried.
type Attempt struct {
	Target   string            `json:"target"`
	Trunk    string            `json:"trunk,omitempty"`
	Code     int               `json:"code"`
	Reason   string            `json:"reason"`
	Origin   Origin            `json:"origin,omitempty"`
	Rang     bool              `json:"rang"`
	Started  time.Time         `json:"started"`
	Duration float64           `json:"duration_seconds"`
	CDR      map[string]string `json:"cdr,omitempty"`
}

// report tells the observers what has changed, and of which trunk and target;
// text says how, in one line.
func (s *Server) report(change Change, name, target, text string) {
	for _, one := range s.cfg.Observers {
		one.Observe(Event{At: time.Now(), Kind: EventChanged, Change: change, Leg: Leg{Trunk: name, Target: target}, Text: text})
	}
}

// reportBan tells the observers whom the door is shut to, or open again.
func (s *Server) reportBan(change Change, source, text string) {
	for _, one := range s.cfg.Observers {
		one.Observe(Event{At: time.Now(), Kind: EventChanged, Change: change, Leg: Leg{Remote: source}, Text: text})
	}
}
