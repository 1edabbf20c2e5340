// Package offer is RFC 3264 as data: whose turn it is to offer in a dialog, and
// an SDP that can be edited without disturbing what was not edited.
//
// It knows SDP texts and the order in which offers and answers may follow each
// other. It does not know SIP messages, sockets, time or media, and holds
// nothing that outlives a value. Values belong to whoever holds them; none is
// safe for use by two goroutines at once.
//
// Start reading here (State, then carry.go for which message may carry what);
// splice.go joins what two peers say into one session of a third.
// The SDP starts in sdp.go; each kind of edit has its file.
package offer

import "errors"

// Errors of State. A leg turns ErrPending into 491 (RFC 3261 14.2, RFC 3311
// 5.2) and, when the peer is the offender, ErrOwn into 500 with Retry-After.
var (
	ErrPending  = errors.New("the other side's offer is not answered yet")
	ErrOwn      = errors.New("this side's own offer is not answered yet")
	ErrNoOffer  = errors.New("no offer to answer")
	ErrNoAnswer = errors.New("the answer or offer that this message owes is missing")
)

// Side is one end of a dialog, seen from Legwork's leg.
type Side uint8

// The sides of a leg.
const (
	Local  Side = iota + 1 // we sent it
	Remote                 // the peer sent it
)

// Other returns the opposite side.
func (s Side) Other() Side {
	if s == Local {
		return Remote
	}
	return Local
}

// State is the offer/answer state of one dialog (RFC 3264 section 4, RFC 3261
// 13.2.1 and 14). The zero value has negotiated nothing. It is a plain value:
// an INVITE that forks is followed by copying it for each early dialog.
type State struct {
	offerer    Side    // whose offer is open, 0 when none is
	via        Message // what carried that offer, 0 when not told
	asker      Side    // who sent an INVITE without an offer, while that offer is owed
	negotiated bool
}

// Stable reports whether no offer is open and none is owed.
func (s State) Stable() bool { return s.offerer == 0 && s.asker == 0 }

// Negotiated reports whether an offer was ever answered.
func (s State) Negotiated() bool { return s.negotiated }

// Offerer returns the side whose offer is open, or 0.
func (s State) Offerer() Side { return s.offerer }

// MayOffer tells whether from may send an offer now: ErrPending when the other
// side's offer is open, ErrOwn when its own is, or when it has asked the other
// side for one (RFC 3264 section 4, RFC 3311 5.1).
func (s State) MayOffer(from Side) error {
	switch {
	case s.offerer == from.Other():
		return ErrPending
	case s.offerer == from, s.asker == from:
		return ErrOwn
	}
	return nil
}

// Offer opens an offer of that side, or says as MayOffer why it may not.
func (s *State) Offer(from Side) error { return s.open(from, 0) }

func (s *State) open(from Side, via Message) error {
	if err := s.MayOffer(from); err != nil {
		return err
	}
	s.offerer, s.via, s.asker = from, via, 0
	return nil
}

// Answer closes the other side's offer: ErrNoOffer when there is none, ErrOwn
// when the open offer is from's own.
func (s *State) Answer(from Side) error {
	switch s.offerer {
	case 0:
		return ErrNoOffer
	case from:
		return ErrOwn
	}
	s.offerer, s.via, s.negotiated = 0, 0, true
	return nil
}

// Reject withdraws whatever is open or owed. What was negotiated before stays
// in force (RFC 3261 14.1, RFC 3311 5.1).
func (s *State) Reject() { s.offerer, s.via, s.asker = 0, 0, 0 }
