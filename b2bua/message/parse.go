package message

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Malformed says why a message can't be taken and what to answer.
type Malformed struct {
	Status int    // 400, 505, 513 ...
	Why    string // for the log and a Warning; never the peer's bytes
	// Partial holds what could be read: enough to answer a request when it has
	// a Via; nil or a response: drop it.
	Partial *Message
}

func (e *Malformed) Error() string { return e.Why }

// parser splits start line and header fields and interprets none of them: a
// header parser of sipgo would drop parameters, join Vias or refuse the whole
// message (facts/sipgo.md section 4).
var parser = sip.NewParser(sip.WithHeadersParsers(nil))

// Parse reads one message that fills b: a datagram, or a frame cut from a
// stream. It keeps b. Bytes after Content-Length are ignored (RFC 3261 section
// 18.3). The error is a *Malformed.
func Parse(b []byte) (*Message, error) {
	split, n, err := parser.ParseHeaders(b, false)
	if err != nil {
		return nil, &Malformed{Status: 400, Why: plainCause(err), Partial: Salvage(b)}
	}
	m, bad := startLine(b)
	if bad != nil {
		bad.Partial = Salvage(b)
		return nil, bad
	}
	m.Headers = fields(split)
	m.Raw = b
	if m.Status != 0 {
		_, m.Method, _ = m.CSeq()
	}
	if bad = m.takeBody(b[n:]); bad != nil {
		return nil, bad
	}
	return m, nil
}

// plainCause keeps the peer's bytes out of logs and answers.
func plainCause(err error) string {
	if errors.Is(err, sip.ErrParseLineNoCRLF) {
		return "a line does not end in CRLF"
	}
	return "not a SIP message"
}

// startLine takes method and URI as they stand: sipgo upper-cases the method,
// which is case-sensitive, and rebuilds the URI.
func startLine(b []byte) (*Message, *Malformed) {
	end := bytes.IndexByte(b, '\r')
	if end < 0 {
		return nil, &Malformed{Status: 400, Why: "no start line"}
	}
	first, rest, _ := strings.Cut(string(b[:end]), " ")
	second, third, _ := strings.Cut(rest, " ")
	if len(first) < 4 || !strings.EqualFold(first[:4], "SIP/") {
		if !strings.EqualFold(third, "SIP/2.0") {
			return nil, &Malformed{Status: 505, Why: "SIP version is not 2.0"}
		}
		return &Message{Method: first, URI: second}, nil
	}
	code, err := strconv.Atoi(second)
	if err != nil || code < 100 || code > 699 || !strings.EqualFold(first, "SIP/2.0") {
		return nil, &Malformed{Status: 400, Why: "status line is not of SIP/2.0"}
	}
	return &Message{Status: code, Reason: third}, nil
}

func fields(split sip.Message) []Header {
	var from []sip.Header
	switch s := split.(type) {
	case *sip.Request:
		from = s.Headers()
	case *sip.Response:
		from = s.Headers()
	}
	headers := make([]Header, 0, len(from)+4)
	for _, h := range from {
		headers = append(headers, Header{LongName(h.Name()), h.Value()})
	}
	return headers
}

// takeBody cuts the body by Content-Length; without one it is the rest.
func (m *Message) takeBody(rest []byte) *Malformed {
	length, bad := m.contentLength()
	switch {
	case bad != "":
		return &Malformed{Status: 400, Why: bad, Partial: m}
	case length > len(rest):
		return &Malformed{Status: 400, Why: "Content-Length is larger than the body", Partial: m}
	case length >= 0:
		rest = rest[:length]
	}
	if len(rest) > 0 {
		m.Body = rest
	}
	return nil
}

// contentLength is -1 when there is none.
func (m *Message) contentLength() (length int, bad string) {
	length = -1
	for i := range m.Headers {
		if !Same(m.Headers[i].Name, "Content-Length") {
			continue
		}
		n, err := strconv.ParseUint(m.Headers[i].Value, 10, 31)
		switch {
		case err != nil:
			return -1, "Content-Length is not a number"
		case length >= 0 && length != int(n):
			return -1, "two different Content-Length"
		}
		length = int(n)
	}
	return length, ""
}

// Salvage reads what an answer must echo (RFC 3261 section 8.2.6.2) from text
// that is not SIP enough for the parser. nil when it is no request.
func Salvage(b []byte) *Message {
	head, _, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
	method, _, found := strings.Cut(lines[0], " ")
	if !found || !isToken(method) || strings.HasPrefix(strings.ToUpper(method), "SIP/") ||
		!strings.Contains(strings.ToUpper(lines[0]), "SIP/") {
		return nil
	}
	m := &Message{Method: method}
	for _, line := range lines[1:] {
		if line != "" && (line[0] == ' ' || line[0] == '\t') && len(m.Headers) > 0 {
			last := &m.Headers[len(m.Headers)-1]
			last.Value += " " + clean(line)
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			m.Headers = append(m.Headers, Header{LongName(strings.TrimSpace(name)), clean(value)})
		}
	}
	return m
}

func clean(value string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, value))
}

// ParseCSeq reads "4711 INVITE"; any white space may stand between.
func ParseCSeq(value string) (n uint32, method string, ok bool) {
	i := strings.IndexAny(value, " \t")
	if i < 1 {
		return 0, "", false
	}
	number, err := strconv.ParseUint(value[:i], 10, 31)
	method = strings.TrimLeft(value[i:], " \t")
	return uint32(number), method, err == nil && isToken(method)
}

// isToken checks the token of RFC 3261 section 25.1.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanum(c) && strings.IndexByte("-.!%*_+`'~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// IsToken reports whether s is a token of RFC 3261 section 25.1, as a method
// or a header name must be.
func IsToken(s string) bool { return isToken(s) }

// CheckValue refuses a header value that would end its line: CR, LF or NUL.
func CheckValue(value string) error {
	if i := strings.IndexAny(value, "\r\n\x00"); i >= 0 {
		return fmt.Errorf("a header value can't hold %q (byte %d)", value[i], i+1)
	}
	return nil
}
