package offer

import (
	"slices"
	"strings"
)

// Continue makes next what follows last in a session that one peer sees, though
// they come from two others, as behind a transfer: next takes the origin of last
// and counts its version up by one, unless nothing else is new (RFC 3264 section
// 8). Streams that last has beyond those of next follow as removed ones. A last
// that is empty or either that is no SDP changes nothing.
func Continue(last, next []byte) []byte {
	before, err := Parse(last)
	if err != nil {
		return next
	}
	after, err := Parse(next)
	if err != nil {
		return next
	}
	o, ok := before.Origin()
	if !ok {
		return next
	}
	for _, m := range before.streams[min(len(after.streams), len(before.streams)):] {
		after.addRemoved(m)
	}
	if after.SetOrigin(o) != nil {
		return next
	}
	if text := after.Bytes(); string(text) == string(last) {
		return text
	}
	o.Version = successor(o.Version)
	if after.SetOrigin(o) != nil {
		return next
	}
	return after.Bytes()
}

// addRemoved appends the m= line of another session with port 0.
func (s *Session) addRemoved(m *Stream) {
	if len(s.streams) == MaxStreams || !s.room(len(m.lines[0].text)+2) {
		return
	}
	s.endLast()
	gone := &Stream{of: s, lines: []line{{m.lines[0].text, s.end}}}
	gone.setWord(wordPort, "0")
	s.streams = append(s.streams, gone)
}

// endLast gives the last line of all its line end.
func (s *Session) endLast() {
	lines := s.head
	if n := len(s.streams); n > 0 {
		lines = s.streams[n-1].lines
	}
	if n := len(lines); n > 0 && lines[n-1].end == "" {
		lines[n-1].end = s.end
	}
}

// successor counts a decimal number up; at its full length it begins anew.
func successor(number string) string {
	digits := []byte(number)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] < '9' {
			digits[i]++
			return string(digits)
		}
		digits[i] = '0'
	}
	if len(digits) == 20 {
		return "1"
	}
	return "1" + string(digits)
}

// Fit cuts off the streams of an answer beyond those of the offer it is for:
// the offer came longer to who answered it, by Continue.
func Fit(answer, offer []byte) []byte {
	a, err := Parse(answer)
	if err != nil {
		return answer
	}
	o, err := Parse(offer)
	if err != nil || len(o.streams) == 0 || len(a.streams) <= len(o.streams) {
		return answer
	}
	a.streams = a.streams[:len(o.streams)]
	return a.Bytes()
}

// Awaken undoes a hold in what is to be offered to somebody new: every RTP
// stream that is not removed is sendrecv. An address of 0.0.0.0 stays.
func Awaken(sdp []byte) []byte {
	s, err := Parse(sdp)
	if err != nil {
		return sdp
	}
	for _, m := range s.streams {
		if !m.Removed() && m.RTP() {
			_ = m.SetDirection(SendRecv) // fails for unknown directions only
		}
	}
	return s.Bytes()
}

// Agree tells whether who was offered one description may go on with it though
// its peer has meanwhile said the other: media goes to the same places by the
// same keys, and each codec still has the payload that it was offered by.
func Agree(offered, said []byte) bool {
	a, err := Parse(offered)
	if err != nil {
		return false
	}
	b, err := Parse(said)
	if err != nil || len(a.streams) != len(b.streams) || !slices.Equal(secrets(a.head), secrets(b.head)) {
		return false
	}
	for i, m := range a.streams {
		if !m.agrees(b.streams[i]) {
			return false
		}
	}
	return true
}

func (m *Stream) agrees(said *Stream) bool {
	if m.Removed() || said.Removed() {
		return m.Removed() == said.Removed()
	}
	if m.Kind() != said.Kind() || m.Port() != said.Port() || m.Connection() != said.Connection() ||
		!strings.EqualFold(m.Protocol(), said.Protocol()) || m.Direction() != said.Direction() ||
		!slices.Equal(secrets(m.lines), secrets(said.lines)) {
		return false
	}
	known := m.Codecs()
	for _, c := range said.Codecs() {
		same := func(k Codec) bool {
			return k.Payload == c.Payload && strings.EqualFold(k.Name, c.Name) && k.Clock == c.Clock && k.Channels == c.Channels
		}
		if !slices.ContainsFunc(known, same) {
			return false
		}
	}
	return true
}

// secrets are the lines that a transport of media stands on: keys and ICE (RFC
// 4568, 8122, 8839).
func secrets(lines []line) (all []string) {
	for _, l := range lines {
		for _, name := range [...]string{"crypto", "fingerprint", "setup", "ice-ufrag", "ice-pwd", "candidate", "rtcp-mux"} {
			if _, ok := attrValue(l.text, name); ok {
				all = append(all, l.text)
			}
		}
	}
	slices.Sort(all)
	return all
}
