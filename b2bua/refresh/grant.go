package refresh

import "legwork/b2bua/message"

// Refuse tells why a request of the peer's is refused: code 0, it is not; 422
// when it asks for less than we accept and would understand that answer (RFC
// 4028 section 9); 420 when it requires what is switched off.
func (s *State) Refuse(req *message.Message) (code int, header message.Header) {
	if s.terms.Off {
		if req.HasToken("Require", Tag) {
			return 420, message.Header{Name: "Unsupported", Value: Tag}
		}
		return 0, message.Header{}
	}
	if seconds, _, ok := expires(req); ok && seconds < s.min() && supports(req) {
		return 422, message.Header{Name: "Min-SE", Value: decimal(s.min())}
	}
	return 0, message.Header{}
}

// supports tells whether the sender of a request knows session timers.
func supports(req *message.Message) bool {
	return req.HasToken("Supported", Tag) || req.HasToken("Require", Tag)
}

// Grant settles the session timer by an INVITE, re-INVITE or UPDATE of the peer
// and writes it into our 2xx (RFC 4028 section 9 and its table 2).
func (s *State) Grant(req, res *message.Message) {
	if s.terms.Off {
		return
	}
	s.least = max(s.least, minSE(req))
	seconds, refresher, asked := expires(req)
	before := s.interval
	if s.interval = s.granted(seconds, asked); s.interval == 0 {
		return
	}
	known := supports(req)
	s.alone = !known && !asked
	switch {
	case !known:
		s.ours = true
	case refresher != Any:
		s.ours = refresher == UAS
	case before == 0:
		s.ours = s.terms.Refresher == UAS
	}
	write(res, s.interval, s.refresher(UAS))
	if known {
		res.AddToken("Require", Tag)
	}
}

// granted is the interval of our 2xx. What was asked for may be shortened, not
// below the peer's Min-SE or ours. It is prolonged only where it is too short
// and a 422 would not be understood (erratum 1687).
func (s *State) granted(seconds uint32, asked bool) uint32 {
	least := max(s.min(), s.least)
	switch {
	case asked && seconds < s.min():
		return s.min()
	case asked && s.terms.Expires == 0:
		return seconds
	case asked:
		return min(seconds, max(s.terms.Expires, least))
	case s.interval > 0:
		return max(s.interval, least)
	case s.terms.Expires > 0:
		return max(s.terms.Expires, least)
	}
	return 0
}
