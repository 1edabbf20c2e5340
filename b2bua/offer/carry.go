package offer

// Message is a message of a dialog that may carry an SDP.
type Message uint8

// The messages of RFC 6337 table 1. INVITE is also a re-INVITE.
const (
	INVITE      Message = iota + 1
	Provisional         // 1xx to INVITE, sent unreliably
	Reliable            // 1xx to INVITE, sent reliably (RFC 3262)
	OK                  // 2xx to INVITE
	ACK                 // ACK to that 2xx
	PRACK
	PRACKOK // 2xx to PRACK
	UPDATE
	UPDATEOK // 2xx to UPDATE
)

// Role is what the SDP of one message is.
type Role uint8

// The roles. A Preview changes nothing: the answer shown early in an
// unreliable 1xx, or a copy of an answer that was already given.
const (
	None Role = iota
	Offer
	Answer
	Preview
)

// Carry tells what the SDP of message m is and moves the state accordingly;
// sdp says whether m has one. These are the six patterns of RFC 6337 table 1:
//
//	offer in    answer in
//	INVITE      2xx, or an earlier reliable 1xx
//	2xx         ACK                (INVITE without SDP)
//	reliable    PRACK              (INVITE without SDP)
//	PRACK       2xx to PRACK
//	UPDATE      2xx to UPDATE
//
// An offer at the wrong moment is ErrPending or ErrOwn, as in MayOffer; a 2xx
// that overtakes the PRACK answering its sender's offer is ErrOwn (RFC 3262
// section 3). A message without the SDP it owes is ErrNoAnswer. After an error
// the state is as before. Whether two INVITEs cross is not asked here: that is
// the INVITE transaction's to know (RFC 3261 14.2).
func (s *State) Carry(m Message, from Side, sdp bool) (Role, error) {
	switch m {
	case INVITE:
		if !sdp {
			return None, s.ask(from)
		}
		return s.offer(from, m)
	case Reliable, OK:
		return s.respond(m, from, sdp)
	case ACK:
		return s.answer(from, OK, sdp)
	case PRACK:
		if sdp && !s.answers(from, Reliable) {
			return s.offer(from, m)
		}
		return s.answer(from, Reliable, sdp)
	case UPDATE:
		if sdp {
			return s.offer(from, m)
		}
	case PRACKOK:
		return s.answer(from, PRACK, sdp)
	case UPDATEOK:
		return s.answer(from, UPDATE, sdp)
	case Provisional:
		return preview(sdp), nil
	}
	return None, nil
}

// Fail notes the final failure of an INVITE, PRACK or UPDATE: the offer that
// it carried, or owed, is withdrawn (RFC 3261 14.1, RFC 3311 5.1).
func (s *State) Fail(m Message) {
	switch {
	case m == INVITE && (s.asker != 0 || s.via == Reliable):
		s.Reject()
	case s.offerer != 0 && (s.via == m || s.via == 0):
		s.Reject()
	}
}

// ask notes an INVITE without SDP: the other side owes the offer.
func (s *State) ask(from Side) error {
	if err := s.MayOffer(from); err != nil {
		return err
	}
	s.asker = from
	return nil
}

func (s *State) offer(from Side, m Message) (Role, error) {
	if err := s.open(from, m); err != nil {
		return None, err
	}
	return Offer, nil
}

// respond is a reliable response to INVITE: it answers the INVITE's offer or
// makes the offer that the INVITE left to it. A reliable 1xx may leave that to
// a later one; the 2xx is the last chance.
func (s *State) respond(m Message, from Side, sdp bool) (Role, error) {
	switch {
	case s.asker == from.Other() && sdp:
		return s.offer(from, m)
	case s.answers(from, INVITE) && sdp:
		return Answer, s.Answer(from)
	case m == Reliable:
		return preview(sdp), nil
	case s.answers(from.Other(), Reliable):
		return None, ErrOwn
	case s.asker == from.Other() || s.answers(from, INVITE):
		return None, ErrNoAnswer
	}
	return preview(sdp), nil
}

// answer is a message that can answer offers carried by via, and no others.
func (s *State) answer(from Side, via Message, sdp bool) (Role, error) {
	switch {
	case !s.answers(from, via):
		return preview(sdp), nil
	case !sdp:
		return None, ErrNoAnswer
	}
	return Answer, s.Answer(from)
}

// answers reports whether the other side's offer, carried by via, is open.
func (s *State) answers(from Side, via Message) bool {
	return s.offerer == from.Other() && (s.via == via || s.via == 0)
}

func preview(sdp bool) Role {
	if sdp {
		return Preview
	}
	return None
}
