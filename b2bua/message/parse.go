package message

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

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

// mostFields bounds what a datagram of colons can cost.
const mostFields = 512

// Parse reads one message that fills b: a datagram, or a frame cut from a
// stream. It keeps b. Line ends before the message (RFC 3261 section 7.5) and
// bytes after Content-Length (section 18.3) are passed over. The error is a
// *Malformed.
func Parse(b []byte) (*Message, error) {
	for len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
		b = b[2:]
	}
	size := bytes.Index(b, []byte("\r\n\r\n"))
	if size < 0 {
		return nil, &Malformed{Status: 400, Why: "no empty line behind the header fields", Partial: Salvage(b)}
	}
	m, bad := parseHead(b[:size+4])
	if bad != nil {
		bad.Partial = Salvage(b)
		return nil, bad
	}
	m.Raw = b
	if m.Status != 0 {
		_, m.Method, _ = m.CSeq()
	}
	if bad = m.takeBody(b[size+4:]); bad != nil {
		return nil, bad
	}
	return m, nil
}

// parser reads what is not plain: it splits start line and header fields and
// interprets none of them, because its header parsers would drop parameters,
// join Vias or refuse the whole message (facts/sipgo.md section 4).
var parser = sip.NewParser(sip.WithHeadersParsers(nil))

// parseHead reads start line and header fields up to the empty line. The text
// of a plain head is cut into views of it: sipgo makes three objects of each
// field, two fifths of all that a call allocated. It is asked where lines are
// folded; where it refuses what RFC 3261 does not, such as a Request-URI of a
// scheme like soap.beep, which wants 416, unfold does.
func parseHead(head []byte) (*Message, *Malformed) {
	ends := bytes.Count(head, []byte("\n"))
	if bytes.Count(head, []byte("\r")) != ends || bytes.Count(head, []byte("\r\n")) != ends {
		return nil, &Malformed{Status: 400, Why: "a line does not end in CRLF"}
	}
	if ends > mostFields {
		return nil, &Malformed{Status: 400, Why: "too many header fields"}
	}
	first, lines, _ := strings.Cut(text(head[:len(head)-2]), "\r\n")
	m, bad := startLine(first)
	if bad != nil {
		return nil, bad
	}
	m.Headers = make([]Header, 0, ends+3)
	bad, folded := m.takeFields(lines)
	if !folded {
		return m, bad
	}
	m.Headers = m.Headers[:0]
	split, _, err := parser.ParseHeaders(head, false)
	if err != nil {
		return m, m.unfold(lines)
	}
	return m, m.takeSplit(split)
}

// text is b as a string without a copy: nobody writes into a message that came.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// takeSplit takes the header fields as sipgo has split and unfolded them.
func (m *Message) takeSplit(split sip.Message) *Malformed {
	var from []sip.Header
	switch s := split.(type) {
	case *sip.Request:
		from = s.Headers()
	case *sip.Response:
		from = s.Headers()
	}
	for _, h := range from {
		if !isToken(h.Name()) {
			return &Malformed{Status: 400, Why: "a header field without a name"}
		}
		m.Headers = append(m.Headers, Header{LongName(h.Name()), h.Value()})
	}
	return nil
}

// startLine reads RFC 3261 section 7.1 and 7.2. The method keeps its case, the
// URI its text.
func startLine(line string) (*Message, *Malformed) {
	first, rest, _ := strings.Cut(line, " ")
	second, third, _ := strings.Cut(rest, " ")
	if len(first) < 4 || !strings.EqualFold(first[:4], "SIP/") {
		switch {
		case strings.EqualFold(third, "SIP/2.0"):
			return &Message{Method: first, URI: second}, nil
		case len(third) > 4 && strings.EqualFold(third[:4], "SIP/") && !strings.Contains(third, " "):
			return nil, &Malformed{Status: 505, Why: "SIP version is not 2.0"}
		}
		return nil, &Malformed{Status: 400, Why: "not a request line"}
	}
	code, err := strconv.Atoi(second)
	if err != nil || code < 100 || code > 699 || !strings.EqualFold(first, "SIP/2.0") {
		return nil, &Malformed{Status: 400, Why: "status line is not of SIP/2.0"}
	}
	return &Message{Status: code, Reason: third}, nil
}

// takeFields splits the header fields and interprets none, up to the first
// that is folded.
func (m *Message) takeFields(lines string) (bad *Malformed, folded bool) {
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		line = line[:len(line)-1]
		if line != "" && (line[0] == ' ' || line[0] == '\t') {
			return nil, true
		}
		if bad = m.takeField(line); bad != nil {
			return bad, false
		}
	}
	return nil, false
}

func (m *Message) takeField(line string) *Malformed {
	if line == "" {
		return &Malformed{Status: 400, Why: "an empty line"}
	}
	name, value, ok := strings.Cut(line, ":")
	if name = strings.TrimRight(name, " \t"); !ok || !isToken(name) {
		return &Malformed{Status: 400, Why: "a header field without a name"}
	}
	m.Headers = append(m.Headers, Header{LongName(name), strings.TrimSpace(value)})
	return nil
}

// unfold joins the lines of each field (RFC 3261 section 7.3.1).
func (m *Message) unfold(lines string) *Malformed {
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		line = line[:len(line)-1]
		switch {
		case line == "" || line[0] != ' ' && line[0] != '\t':
			if bad := m.takeField(line); bad != nil {
				return bad
			}
		case len(m.Headers) == 0:
			return &Malformed{Status: 400, Why: "a header field without a name"}
		default:
			last := &m.Headers[len(m.Headers)-1]
			last.Value = strings.TrimSpace(last.Value + " " + strings.TrimSpace(line))
		}
	}
	return nil
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
	method, rest, found := strings.Cut(lines[0], " ")
	uri, _, _ := strings.Cut(rest, " ")
	if !found || !isToken(method) || strings.HasPrefix(strings.ToUpper(method), "SIP/") ||
		!strings.Contains(strings.ToUpper(lines[0]), "SIP/") {
		return nil
	}
	m := &Message{Method: method, URI: uri}
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
