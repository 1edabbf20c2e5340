package refresh

import "legwork/b2bua/message"

// Ask writes into an INVITE, re-INVITE or UPDATE of ours what we want (RFC 4028
// sections 7.1 and 7.4). In a dialog with a timer the refresher stays who it is.
func (s *State) Ask(req *message.Message) {
	if s.terms.Off {
		return
	}
	list(req, "Supported")
	least := max(s.min(), s.least)
	switch {
	case s.interval > 0:
		write(req, max(s.interval, least), s.refresher(UAC))
	case s.terms.Expires > 0:
		write(req, max(s.terms.Expires, least), s.terms.Refresher)
	case least == Least:
		return
	}
	req.Set("Min-SE", decimal(least))
}

// refresher is who refreshes, said in a transaction in which we are own.
func (s *State) refresher(own Role) Role {
	if s.ours {
		return own
	}
	return UAC + UAS - own
}

// Accepted takes the 2xx to such a request (RFC 4028 section 7.2). Without
// Session-Expires the peer takes no part: then the timer is over, unless we
// want one; the refreshes are ours. An interval too short to be allowed counts
// as the least, so that no peer makes us send without end.
func (s *State) Accepted(res *message.Message) {
	if s.terms.Off {
		return
	}
	seconds, refresher, ok := expires(res)
	if !ok {
		s.interval, s.ours = 0, true
		if s.terms.Expires > 0 {
			s.interval = max(s.terms.Expires, s.min(), s.least)
		}
		return
	}
	s.interval, s.ours = max(seconds, Least), refresher != UAS
}

// TooSmall takes a 422 to such a request and tells whether it may be sent again,
// with what Ask writes then: not when the peer wants no more than it was asked
// for (RFC 4028 section 7.3).
func (s *State) TooSmall(res *message.Message, req *message.Message) bool {
	wanted := minSE(res)
	if asked, _, ok := expires(req); s.terms.Off || !ok || wanted <= asked {
		return false
	}
	s.least = max(s.least, wanted)
	return true
}
