package offer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrAttr is an attribute that cannot be written: not a token, a value with a
// line end or NUL, or one that names no payload where it must.
var ErrAttr = errors.New("bad attribute")

// Attr returns the value of the stream's first a= line of that name, "" for a
// flag, and whether there is one. Names are case-sensitive.
// A name with a payload, "rtpmap:8" or "fmtp:101", is the line of that payload.
func (m *Stream) Attr(name string) (value string, ok bool) {
	for _, l := range m.lines[1:] {
		if value, ok = attrValue(l.text, name); ok {
			return value, true
		}
	}
	return "", false
}

// SetAttr replaces all a= lines of that name with one, in the place of the
// first, or adds it at the end; an empty value makes a flag. What belongs to a
// payload (rtpmap, fmtp, rtcp-fb, imageattr) needs one in the name: "fmtp:101".
// Writing a direction is SetDirection.
func (m *Stream) SetAttr(name, value string) error {
	key, payload, keyed := strings.Cut(name, ":")
	switch {
	case !token(key) || keyed && !digits(payload):
		return fmt.Errorf("%w: %q is not a name", ErrAttr, name)
	case strings.ContainsAny(value, "\r\n\x00"):
		return fmt.Errorf("%w: the value of %s has a CR, LF or NUL", ErrAttr, name)
	case keyed && !perPayload(key):
		return fmt.Errorf("%w: %s does not belong to a payload", ErrAttr, key)
	case !keyed && perPayload(key):
		return fmt.Errorf("%w: %s belongs to a payload, write %s:101 or the like", ErrAttr, key, key)
	case !m.of.room(len("a=:\r\n") + len(name) + len(value)):
		return fmt.Errorf("%w for a=%s", ErrTooLarge, name)
	}
	if d := Direction(name); d.valid() {
		return m.SetDirection(d)
	}
	switch {
	case keyed:
		m.setLine(name, "a="+name+" "+value)
	case value == "":
		m.setLine(name, "a="+name)
	default:
		m.setLine(name, "a="+name+":"+value)
	}
	return nil
}

// DelAttr removes all a= lines of that name, or of that name and payload.
func (m *Stream) DelAttr(name string) {
	m.lines = without(m.lines, func(text string) bool {
		_, ok := attrValue(text, name)
		return ok
	})
}

// PTime returns the packet time in milliseconds, 0 when none is named or it is
// not a whole number (RFC 8866 6.4).
func (m *Stream) PTime() int {
	value, _ := m.Attr("ptime")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// SetPTime writes the packet time, 1 to 10000 ms; 0 removes it.
func (m *Stream) SetPTime(ms int) error {
	switch {
	case ms < 0 || ms > 10000:
		return fmt.Errorf("ptime %d is not 0 to 10000", ms)
	case ms == 0:
		m.DelAttr("ptime")
	case ms != m.PTime():
		m.setLine("ptime", "a=ptime:"+strconv.Itoa(ms))
	}
	return nil
}

// setLine makes text the only a= line of that name.
func (m *Stream) setLine(name, text string) {
	at := 0
	for i, l := range m.lines[1:] {
		if _, ok := attrValue(l.text, name); ok {
			at = i + 1
			break
		}
	}
	if at == 0 {
		m.append(text)
		return
	}
	m.lines[at].text = text
	tail := without(m.lines[at+1:], func(text string) bool {
		_, ok := attrValue(text, name)
		return ok
	})
	m.lines = m.lines[:at+1+len(tail)]
}

// append adds a line behind the last that is not empty.
func (m *Stream) append(text string) {
	i := len(m.lines)
	for i > 1 && m.lines[i-1].text == "" {
		i--
	}
	m.lines = m.of.insert(m.lines, i, text)
}

// attrValue returns the value of an a= line of that name, "" for a flag. With a
// payload in the name ("fmtp:101") it is what follows the payload.
func attrValue(text, name string) (value string, ok bool) {
	key, payload, keyed := strings.Cut(name, ":")
	rest, ok := strings.CutPrefix(text, "a=")
	if ok {
		rest, ok = strings.CutPrefix(rest, key)
	}
	if !ok {
		return "", false
	}
	rest = strings.TrimRight(rest, " \t")
	switch {
	case rest == "":
		return "", !keyed
	case rest[0] != ':' || keyed && !perPayload(key):
		return "", false
	case !keyed:
		return rest[1:], true
	}
	of, value := payloadOf(rest[1:])
	return value, of >= 0 && strconv.Itoa(of) == payload
}

// payloadOf splits "101 0-16" into payload and rest; -1 when no payload leads.
func payloadOf(value string) (payload int, rest string) {
	value = strings.TrimLeft(value, " \t")
	i := strings.IndexAny(value, " \t")
	if i < 0 {
		i = len(value)
	}
	return number(value[:i]), strings.TrimLeft(value[i:], " \t")
}

// number reads a payload type, 0 to 127, else -1.
func number(s string) int {
	n, err := strconv.ParseUint(s, 10, 7)
	if err != nil {
		return -1
	}
	return int(n)
}

// perPayload tells the attributes whose value begins with a payload type:
// RFC 8866 6.6 and 6.15, RFC 4585 4.2, RFC 6236.
func perPayload(name string) bool {
	switch name {
	case "rtpmap", "fmtp", "rtcp-fb", "imageattr":
		return true
	}
	return false
}

// token is RFC 8866's token.
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]", c) >= 0 {
			return false
		}
	}
	return s != ""
}

func digits(s string) bool { return number(s) >= 0 && strconv.Itoa(number(s)) == s }
