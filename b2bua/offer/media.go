package offer

import (
	"fmt"
	"strconv"
	"strings"
)

// Stream is one m= line and what follows it (RFC 8866 5.14). It belongs to its
// Session.
type Stream struct {
	of    *Session
	lines []line // lines[0] is the m= line
}

// The words of an m= line: m=<kind> <port>[/<count>] <protocol> <format> ...
const (
	wordKind = iota
	wordPort
	wordProtocol
	wordFormats
)

// Kind returns the first word of the m= line in lower case: "audio", "video",
// "image", "application", "message", "text".
func (m *Stream) Kind() string { return strings.ToLower(m.word(wordKind)) }

// Protocol returns the transport, such as "RTP/AVP" or "udptl".
func (m *Stream) Protocol() string { return m.word(wordProtocol) }

// RTP reports whether the stream's transport is a profile of RTP. Only such a
// stream has codecs and can be held.
func (m *Stream) RTP() bool {
	return strings.Contains(strings.ToUpper(m.Protocol()), "RTP/")
}

// Port returns the port, 0 when the stream is rejected or removed, and also for
// a bundle-only stream (RFC 9143).
func (m *Stream) Port() int {
	port, _, _ := strings.Cut(m.word(wordPort), "/")
	n, _ := strconv.Atoi(port) // Parse and SetPort let nothing else in
	return n
}

// SetPort writes the port and keeps a port count; a=rtcp is left alone. Port 0
// is Remove.
func (m *Stream) SetPort(port int) error {
	switch {
	case port < 0 || port > 65535:
		return fmt.Errorf("port %d is not 0 to 65535", port)
	case port == 0:
		m.Remove()
	case port != m.Port():
		_, count, counted := strings.Cut(m.word(wordPort), "/")
		text := strconv.Itoa(port)
		if counted {
			text += "/" + count
		}
		m.setWord(wordPort, text)
	}
	return nil
}

// Removed reports whether the stream is rejected or removed: port 0 and not
// bundle-only.
func (m *Stream) Removed() bool {
	_, bundled := m.Attr("bundle-only")
	return m.Port() == 0 && !bundled
}

// Remove sets the port to 0 and keeps the m= line, since the count and order of
// streams never change (RFC 3264 section 6 and 8.2). The stream leaves its
// groups (RFC 5888, RFC 9143); a group that it leaves empty goes.
func (m *Stream) Remove() {
	if m.Removed() {
		return
	}
	m.setWord(wordPort, "0")
	m.DelAttr("bundle-only")
	if mid, ok := m.Attr("mid"); ok {
		m.of.ungroup(strings.TrimSpace(mid))
	}
}

// ungroup takes a mid out of each a=group line.
func (s *Session) ungroup(mid string) {
	for i, l := range s.head {
		value, ok := attrValue(l.text, "group")
		if !ok {
			continue
		}
		old := words(value)
		kept := make([]string, 0, len(old))
		for n, w := range old {
			if n == 0 || w != mid {
				kept = append(kept, w)
			}
		}
		if len(kept) < len(old) {
			s.head[i].text = "a=group:" + strings.Join(kept, " ")
		}
	}
	s.head = without(s.head, func(text string) bool {
		value, ok := attrValue(text, "group")
		return ok && len(words(value)) == 1
	})
}

// word returns word n of the m= line.
func (m *Stream) word(n int) string {
	from, to := span(m.lines[0].text, n)
	return m.lines[0].text[from:to]
}

// setWord replaces word n and leaves the others and their spacing.
func (m *Stream) setWord(n int, word string) {
	m.lines[0].text = withWord(m.lines[0].text, n, word)
}

func withWord(text string, n int, word string) string {
	from, to := span(text, n)
	return text[:from] + word + text[to:]
}

// span finds word n of the value of an "x=" line.
func span(text string, n int) (from, to int) {
	for to = len("x="); ; n-- {
		from = to
		for from < len(text) && blank(text[from]) {
			from++
		}
		to = from
		for to < len(text) && !blank(text[to]) {
			to++
		}
		if n == 0 || to == len(text) {
			return from, to
		}
	}
}

// words splits as span does.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' })
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// formats returns the formats of the m= line, for RTP the payload types.
func (m *Stream) formats() []string {
	from, _ := span(m.lines[0].text, wordFormats)
	return words(m.lines[0].text[from:])
}

// setFormats replaces all formats.
func (m *Stream) setFormats(formats []string) {
	text := m.lines[0].text
	from, _ := span(text, wordFormats)
	m.lines[0].text = text[:from] + strings.Join(formats, " ")
}
