package offer

import (
	"fmt"
	"strings"
)

// Direction is a media direction (RFC 8866 6.7), as its describer sees it.
type Direction string

// The directions. A stream that names none has its session's, or SendRecv.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

func (d Direction) valid() bool {
	return d == SendRecv || d == SendOnly || d == RecvOnly || d == Inactive
}

// Direction returns the direction in force for the stream.
func (m *Stream) Direction() Direction {
	for _, lines := range [][]line{m.lines, m.of.head} {
		for _, l := range lines {
			if d := directionOf(l.text); d != "" {
				return d
			}
		}
	}
	return SendRecv
}

// SetDirection writes the direction for this stream alone; one that is in force
// already is not written again.
func (m *Stream) SetDirection(d Direction) error {
	if !d.valid() {
		return fmt.Errorf("direction %q is not sendrecv, sendonly, recvonly or inactive", string(d))
	}
	if d == m.Direction() {
		return nil
	}
	written := false
	for i, l := range m.lines {
		if !written && directionOf(l.text) != "" {
			m.lines[i].text, written = "a="+string(d), true
		}
	}
	if !written {
		m.append("a=" + string(d))
	}
	m.lines = without(m.lines, func(text string) bool {
		other := directionOf(text)
		return other != "" && other != d
	})
	return nil
}

// directionOf returns the direction that a line names, or "".
func directionOf(text string) Direction {
	rest, ok := strings.CutPrefix(text, "a=")
	if d := Direction(strings.TrimRight(rest, " \t")); ok && d.valid() {
		return d
	}
	return ""
}

// Hold makes an offer that puts the other side on hold: sendrecv becomes
// sendonly, recvonly becomes inactive (RFC 3264 section 8.4). Streams that are
// removed or are not RTP stay.
func (s *Session) Hold() {
	for _, m := range s.streams {
		if m.Removed() || !m.RTP() {
			continue
		}
		switch m.Direction() {
		case SendRecv:
			_ = m.SetDirection(SendOnly) // fails for unknown directions only
		case RecvOnly:
			_ = m.SetDirection(Inactive)
		}
	}
}

// IsHold reports whether the session puts its reader on hold: it has live RTP
// streams and all of them do.
func (s *Session) IsHold() bool {
	held := false
	for _, m := range s.streams {
		if m.Removed() || !m.RTP() {
			continue
		}
		if !m.IsHold() {
			return false
		}
		held = true
	}
	return held
}

// IsHold reports whether the stream wants nothing from its reader: sendonly or
// inactive, or the unspecified address of RFC 2543 (RFC 3264 section 8.4).
// Port 9 with that address is an ICE agent without candidates yet (RFC 8840),
// which is no hold.
func (m *Stream) IsHold() bool {
	if m.Removed() || !m.RTP() {
		return false
	}
	d := m.Direction()
	return d == SendOnly || d == Inactive || unspecified(m.Connection()) && m.Port() != 9
}

func unspecified(addr string) bool { return addr == "0.0.0.0" || addr == "::" }
