// Package refresh is RFC 4028 as data: what two sides agree on about the
// session timer of one dialog. It reads and writes Session-Expires, Min-SE and
// the option tag "timer" in messages that others build and send.
//
// It knows no clock, socket or call: whoever owns a State sets timers by what
// it says, and sends what must be sent. Start with State; ask.go is our side
// as UAC of a transaction, grant.go as UAS.
package refresh

import (
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// Tag is the option tag of session timers (RFC 4028 section 7.1).
const Tag = "timer"

// Least is the shortest interval that RFC 4028 section 4 allows, in seconds.
const Least = 90

// Role is a side of one transaction; the refresher is named by it.
type Role uint8

// The roles. Any leaves the choice to the other side, or to whoever can.
const (
	Any Role = iota
	UAC
	UAS
)

// RoleOf reads a role as the refresher parameter, scripts and configuration
// write it; what is neither "uac" nor "uas" is Any.
func RoleOf(s string) Role {
	switch {
	case strings.EqualFold(s, "uac"):
		return UAC
	case strings.EqualFold(s, "uas"):
		return UAS
	}
	return Any
}

func (r Role) String() string {
	switch r {
	case UAC:
		return "uac"
	case UAS:
		return "uas"
	}
	return ""
}

// Terms are what we want of a dialog's session timer. Times are in seconds.
type Terms struct {
	Expires   uint32 // 0: none is asked for; a peer's is honoured
	Min       uint32 // the least that is accepted; below Least counts as Least
	Refresher Role   // of the dialog's first transaction, where we may choose
	Off       bool   // neither asked for nor taken part in
}

// State is the session timer of one dialog. The zero value takes part in the
// peer's and asks for none.
type State struct {
	terms    Terms
	interval uint32 // 0: no timer runs
	least    uint32 // the highest Min-SE that the peer has told; 0: none
	asked    uint32 // by the last Ask; 0: nothing
	raised   uint8  // how often a 422 has raised that
	ours     bool   // we refresh
	alone    bool   // and nobody else keeps the timer
}

// maxRaised bounds what a peer can make us ask again by raising its Min-SE.
const maxRaised = 3

// New is the state before the dialog's first transaction.
func New(t Terms) State { return State{terms: t} }

// Off tells that session timers are neither offered nor taken part in.
func (s *State) Off() bool { return s.terms.Off }

// Runs tells whether a session timer is agreed on, or kept by us alone.
func (s *State) Runs() bool { return s.interval > 0 }

// Ours tells whether the refreshes are ours to send.
func (s *State) Ours() bool { return s.ours }

// Alone tells whether nobody but us keeps the timer: the peer takes no part, so
// that any answer of its shows that it is there.
func (s *State) Alone() bool { return s.alone }

// Half is when the refresher sends the next refresh, in seconds after the last
// (RFC 4028 section 10).
func (s *State) Half() uint32 { return s.interval / 2 }

// End is when the dialog is ended for want of a refresh, in seconds after the
// last: slightly before the interval is over (RFC 4028 section 10).
func (s *State) End() uint32 { return s.interval - min(32, s.interval/3) }

// min is the least interval that we accept.
func (s *State) min() uint32 { return max(s.terms.Min, Least) }

// Asks tells whether a message of the dialog asks for, or grants, a session
// timer.
func Asks(m *message.Message) bool {
	_, _, ok := expires(m)
	return ok
}

// expires reads Session-Expires; one that can't be read is none at all.
func expires(m *message.Message) (seconds uint32, refresher Role, ok bool) {
	value, params, _ := strings.Cut(m.Get("Session-Expires"), ";")
	seconds, ok = delta(value)
	who, _ := message.ParamIn(params, "refresher")
	return seconds, RoleOf(who), ok
}

// minSE reads Min-SE; 0 when there is none that can be read.
func minSE(m *message.Message) uint32 {
	value, _, _ := strings.Cut(m.Get("Min-SE"), ";")
	seconds, _ := delta(value)
	return seconds
}

// delta reads delta-seconds (RFC 3261 section 25.1) up to 32 bits.
func delta(s string) (seconds uint32, ok bool) {
	if s == "" { // as nearly always: an error would be made for it
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0, false
	}
	return uint32(n), true
}

// write sets Session-Expires.
func write(m *message.Message, seconds uint32, refresher Role) {
	value := decimal(seconds)
	if refresher != Any {
		value += ";refresher=" + refresher.String()
	}
	m.Set("Session-Expires", value)
}

func decimal(seconds uint32) string { return strconv.FormatUint(uint64(seconds), 10) }
