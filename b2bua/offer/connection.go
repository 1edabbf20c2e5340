package offer

import (
	"errors"
	"fmt"
	"strings"
)

// ErrAddress is an address that cannot stand in an SDP.
var ErrAddress = errors.New("bad address")

// Connection returns the session's address (RFC 8866 5.7) with a multicast
// suffix if it has one: the session's own, else the first stream's, else "".
func (s *Session) Connection() string {
	if addr := connectionOf(s.head); addr != "" {
		return addr
	}
	for _, m := range s.streams {
		if addr := connectionOf(m.lines); addr != "" {
			return addr
		}
	}
	return ""
}

// SetConnection sends all media to an address: the session's c= line and those
// of its streams, but for a stream that is held by the unspecified address. An
// a=rtcp line (RFC 3605) that named the old address names the new one.
func (s *Session) SetConnection(addr string) error {
	if !address(addr) {
		return fmt.Errorf("%w: %q", ErrAddress, addr)
	}
	moved := 0
	for _, m := range s.streams {
		switch own := connectionOf(m.lines); {
		case own == "":
			m.moveRTCP(m.Connection(), addr)
		case !unspecified(own):
			m.connect(addr)
			moved++
		}
	}
	if connectionOf(s.head) != "" || moved < len(s.streams) || moved == 0 {
		s.head = s.connect(s.head, addr, sessionPlace(s.head))
	}
	return nil
}

// Connection returns the address in force for the stream, or "".
func (m *Stream) Connection() string {
	if addr := connectionOf(m.lines); addr != "" {
		return addr
	}
	return connectionOf(m.of.head)
}

// SetConnection writes the address of this stream alone; one that is in force
// already is not written again. An a=rtcp line follows as for the session.
func (m *Stream) SetConnection(addr string) error {
	if !address(addr) {
		return fmt.Errorf("%w: %q", ErrAddress, addr)
	}
	if addr != m.Connection() {
		m.connect(addr)
	}
	return nil
}

func (m *Stream) connect(addr string) {
	m.moveRTCP(m.Connection(), addr)
	place := 1
	if len(m.lines) > 1 && strings.HasPrefix(m.lines[1].text, "i=") {
		place = 2
	}
	m.lines = m.of.connect(m.lines, addr, place)
}

// connect writes the c= lines of a section, or one at place when it has none.
func (s *Session) connect(lines []line, addr string, place int) []line {
	found := false
	for i, l := range lines {
		if !strings.HasPrefix(l.text, "c=") {
			continue
		}
		found = true
		if len(words(l.text[2:])) < 3 {
			lines[i].text = "c=IN " + family(addr) + " " + addr
		} else if from, to := span(l.text, 2); l.text[from:to] != addr {
			lines[i].text = withWord(withWord(l.text, 2, addr), 1, family(addr))
		}
	}
	if !found {
		lines = s.insert(lines, place, "c=IN "+family(addr)+" "+addr)
	}
	return lines
}

// moveRTCP rewrites "a=rtcp:53020 IN IP4 192.0.2.4".
func (m *Stream) moveRTCP(from, to string) {
	for i, l := range m.lines {
		value, ok := attrValue(l.text, "rtcp")
		if f := words(value); ok && len(f) == 4 && f[3] == from && from != to {
			m.lines[i].text = "a=rtcp:" + f[0] + " " + f[1] + " " + family(to) + " " + to
		}
	}
}

// connectionOf returns the address of the first complete c= line, or "".
func connectionOf(lines []line) string {
	for _, l := range lines {
		if !strings.HasPrefix(l.text, "c=") {
			continue
		}
		if f := words(l.text[2:]); len(f) >= 3 {
			return f[2]
		}
	}
	return ""
}

// sessionPlace is where a session's c= line goes (RFC 8866 section 5).
func sessionPlace(head []line) int {
	for i, l := range head {
		if l.text == "" || i > 0 && strings.IndexByte("vosiuep", l.text[0]) < 0 {
			return i
		}
	}
	return len(head)
}

// Origin is the o= line (RFC 8866 5.2). ID and Version are decimal numbers of up
// to 20 digits; a description that changes must count Version up (RFC 3264
// section 8).
type Origin struct {
	User, ID, Version, Address string
}

// Origin returns the o= line, and false when it is missing or incomplete.
func (s *Session) Origin() (Origin, bool) {
	for _, l := range s.head {
		if !strings.HasPrefix(l.text, "o=") {
			continue
		}
		f := words(l.text[2:])
		if len(f) < 6 {
			return Origin{}, false
		}
		return Origin{User: f[0], ID: f[1], Version: f[2], Address: f[5]}, true
	}
	return Origin{}, false
}

// SetOrigin writes the o= line.
func (s *Session) SetOrigin(o Origin) error {
	switch {
	case !address(o.Address):
		return fmt.Errorf("%w: origin %q", ErrAddress, o.Address)
	case !decimal(o.ID) || !decimal(o.Version):
		return fmt.Errorf("origin id %q or version %q is not a number", o.ID, o.Version)
	case o.User == "" || strings.ContainsFunc(o.User, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("origin user %q is empty or has a blank", o.User)
	}
	if old, ok := s.Origin(); ok && old == o {
		return nil
	}
	text := "o=" + strings.Join([]string{o.User, o.ID, o.Version, "IN", family(o.Address), o.Address}, " ")
	for i, l := range s.head {
		if strings.HasPrefix(l.text, "o=") {
			s.head[i].text = text
			return nil
		}
	}
	s.head = s.insert(s.head, 1, text)
	return nil
}

func decimal(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// address accepts what an address or a host name is made of, without brackets;
// whether it exists is not known here.
func address(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && strings.IndexByte(".:-_/", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

func family(addr string) string {
	if strings.Contains(addr, ":") {
		return "IP6"
	}
	return "IP4"
}
