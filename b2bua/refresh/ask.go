package refresh

import "legwork/b2bua/message"

// Ask writes into an INVITE, re-INVITE or UPDATE of ours what we want (RFC 4028
// sections 7.1 and 7.4). In a dialog with a timer the refresher stays who it is.
func (s *State) Ask(req *message.Message) {
	if s.terms.Off {
		return
	}
	req.AddToken("Supported", Tag)
	least := max(s.min(), s.least)
	refresher := s.terms.Refresher
	if s.asked = s.terms.Expires; s.interval > 0 {
		s.asked, refresher = s.interval, s.refresher(UAC)
	}
	if s.asked > 0 {
		s.asked = max(s.asked, least)
		write(req, s.asked, refresher)
	}
	if s.asked > 0 || least > Least {
		req.Set("Min-SE", decimal(least))
	}
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
	s.raised = 0
	seconds, refresher, ok := expires(res)
	if ok {
		s.interval, s.ours, s.alone = max(seconds, Least), refresher != UAS, false
		return
	}
	s.interval, s.ours, s.alone = 0, true, true
	if s.terms.Expires > 0 {
		s.interval = max(s.terms.Expires, s.min(), s.least)
	}
}

// TooSmall takes a 422 to such a request and tells whether to send it again,
// with what Ask writes then (RFC 4028 section 7.3): not when the peer wants no
// more than it was asked for, nor without end.
func (s *State) TooSmall(res *message.Message) bool {
	wanted := minSE(res)
	if s.asked == 0 || wanted <= s.asked || s.raised == maxRaised {
		return false
	}
	s.least = max(s.least, wanted)
	s.raised++
	return true
}
