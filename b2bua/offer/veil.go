package offer

import "strings"

// Veil writes a description of somebody else's as one of whoever is at address:
// the origin has that address, the id that renamed makes of the one it had, and no
// user; session name, links, mail addresses, phone numbers and the tool that made
// it go. Its version stays, so that it counts up as before (RFC 3264 section 8),
// and so does where media goes. What is no SDP is unchanged.
func Veil(sdp []byte, address string, renamed func(Origin) string) []byte {
	s, err := Parse(sdp)
	if err != nil {
		return sdp
	}
	if o, ok := s.Origin(); ok && s.SetOrigin(Origin{"-", renamed(o), o.Version, address}) != nil {
		return sdp
	}
	s.head = without(s.head, tells)
	for i, l := range s.head {
		if strings.HasPrefix(l.text, "s=") {
			s.head[i].text = "s=-"
		}
	}
	for _, m := range s.streams {
		m.lines = without(m.lines, func(text string) bool { return strings.HasPrefix(text, "i=") || strings.HasPrefix(text, "a=tool:") })
	}
	return s.Bytes()
}

// tells are the lines of a session that say whose it is.
func tells(text string) bool {
	for _, start := range [...]string{"i=", "u=", "e=", "p=", "a=tool:"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}
