// Package message is SIP text that is looked at, not rebuilt (RFC 3261 section 7).
//
// A Message keeps its header fields as received, in order, and reads them
// through typed views (URI, Addr, Via, CSeq) made when somebody asks. It knows
// no sockets, transactions or dialogs. sipgo's parser splits the text; what it
// would bend on the way (see parse.go) is taken from the bytes instead.
//
// Start with Message here, then Parse, Check and Append.
package message

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Header is one header field. Name is in its long form, Value is unfolded and
// trimmed; neither holds CR or LF.
type Header struct{ Name, Value string }

// Message is a request (Status 0) or a response.
//
// A message that is shared between goroutines is read only; Clone makes one
// that may be edited.
type Message struct {
	Method  string // of a request; of a response the method in its CSeq
	URI     string // Request-URI as text; "" in a response
	Status  int    // 100..699 in a response, 0 in a request
	Reason  string // reason phrase of a response
	Headers []Header
	Body    []byte
	Raw     []byte // the bytes as received, of what crosses those it was made of; nil when the message was built here
}

// IsRequest tells a request from a response.
func (m *Message) IsRequest() bool { return m.Status == 0 }

// Name is the message in short: "INVITE" or "180 INVITE".
func (m *Message) Name() string {
	if m.IsRequest() {
		return m.Method
	}
	return strings.TrimSpace(strconv.Itoa(m.Status) + " " + m.Method)
}

// SameAny reports whether a header name means the same field as one of these.
func SameAny(name string, fields []string) bool {
	return slices.ContainsFunc(fields, func(one string) bool { return Same(one, name) })
}

// OutsideCall tells whether a message is a request that belongs to no call.
func (m *Message) OutsideCall() bool {
	switch m.Method {
	case "INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE":
		return false
	}
	return m.IsRequest() && m.ToTag() == ""
}

// Same reports whether two header names mean the same field: case does not
// matter and a compact form (RFC 3261 section 7.3.3) equals its long one.
func Same(a, b string) bool {
	if len(a) == 1 {
		a = LongName(a)
	}
	if len(b) == 1 {
		b = LongName(b)
	}
	return a == b || len(a) == len(b) && strings.EqualFold(a, b)
}

// LongName gives the long form of a compact header name, or the name itself.
func LongName(name string) string {
	if len(name) != 1 {
		return name
	}
	switch name[0] | 0x20 {
	case 'a':
		return "Accept-Contact"
	case 'b':
		return "Referred-By"
	case 'c':
		return "Content-Type"
	case 'd':
		return "Request-Disposition"
	case 'e':
		return "Content-Encoding"
	case 'f':
		return "From"
	case 'i':
		return "Call-ID"
	case 'j':
		return "Reject-Contact"
	case 'k':
		return "Supported"
	case 'l':
		return "Content-Length"
	case 'm':
		return "Contact"
	case 'n':
		return "Identity-Info"
	case 'o':
		return "Event"
	case 'r':
		return "Refer-To"
	case 's':
		return "Subject"
	case 't':
		return "To"
	case 'u':
		return "Allow-Events"
	case 'v':
		return "Via"
	case 'x':
		return "Session-Expires"
	case 'y':
		return "Identity"
	}
	return name
}

// Get returns the first value of a header field, or "".
func (m *Message) Get(name string) string {
	v, _ := m.Lookup(name)
	return v
}

// Lookup returns the first value of a header field and whether it is there.
func (m *Message) Lookup(name string) (string, bool) {
	name = LongName(name)
	for i := range m.Headers {
		if h := &m.Headers[i]; h.Name == name || len(h.Name) == len(name) && strings.EqualFold(h.Name, name) {
			return h.Value, true
		}
	}
	return "", false
}

// All returns every value of a header field, one per field line, in order.
func (m *Message) All(name string) []string {
	var values []string
	for i := range m.Headers {
		if Same(m.Headers[i].Name, name) {
			values = append(values, m.Headers[i].Value)
		}
	}
	return values
}

// Set replaces all fields of that name by one, in the place of the first.
func (m *Message) Set(name, value string) {
	name = LongName(name)
	for i := range m.Headers {
		if Same(m.Headers[i].Name, name) {
			m.Headers[i].Value = value
			m.deleteFrom(i+1, name)
			return
		}
	}
	m.Add(name, value)
}

// Add appends a field.
func (m *Message) Add(name, value string) {
	m.Headers = append(m.Headers, Header{LongName(name), value})
}

// Replace puts these fields in the place of those of the same names; of several
// with one name all stay.
func (m *Message) Replace(fields []Header) {
	for i, f := range fields {
		again := slices.ContainsFunc(fields[:i], func(h Header) bool { return Same(h.Name, f.Name) })
		if again {
			m.Add(f.Name, f.Value)
		} else {
			m.Set(f.Name, f.Value)
		}
	}
}

// Del removes all fields of that name and tells whether there was one.
func (m *Message) Del(name string) bool {
	n := len(m.Headers)
	m.deleteFrom(0, name)
	return len(m.Headers) < n
}

func (m *Message) deleteFrom(start int, name string) {
	kept := m.Headers[:start]
	for _, h := range m.Headers[start:] {
		if !Same(h.Name, name) {
			kept = append(kept, h)
		}
	}
	clear(m.Headers[len(kept):])
	m.Headers = kept
}

// HasToken reports whether a comma-separated field such as Supported, Require
// or Allow lists the token. Case does not matter.
func (m *Message) HasToken(name, token string) bool {
	for t := range m.Tokens(name) {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}

// AddToken appends a token to such a field, unless it is listed.
func (m *Message) AddToken(name, token string) {
	switch _, there := m.Lookup(name); {
	case !there:
		m.Add(name, token)
	case !m.HasToken(name, token):
		m.Set(name, strings.Join(append(m.All(name), token), ", "))
	}
}

// Tokens yields the members of a comma-separated field over all its lines.
func (m *Message) Tokens(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range m.Headers {
			if !Same(m.Headers[i].Name, name) {
				continue
			}
			for part := range strings.SplitSeq(m.Headers[i].Value, ",") {
				if part = strings.TrimSpace(part); part != "" && !yield(part) {
					return
				}
			}
		}
	}
}

// Clone returns a message that can be edited without touching this one. Body
// and Raw are shared: they are replaced, never written into.
func (m *Message) Clone() *Message {
	c := *m
	c.Headers = append(make([]Header, 0, len(m.Headers)+4), m.Headers...)
	return &c
}

// CallID returns the Call-ID, or "".
func (m *Message) CallID() string { return m.Get("Call-ID") }

// FromTag returns the tag of From, or "".
func (m *Message) FromTag() string { return Tag(m.Get("From")) }

// ToTag returns the tag of To, or "".
func (m *Message) ToTag() string { return Tag(m.Get("To")) }

// CSeq returns number and method of the CSeq field (RFC 3261 section 20.16).
func (m *Message) CSeq() (n uint32, method string, ok bool) {
	return ParseCSeq(m.Get("CSeq"))
}

// Via returns the topmost Via (RFC 3261 section 20.42).
func (m *Message) Via() (Via, bool) {
	for i := range m.Headers {
		if Same(m.Headers[i].Name, "Via") {
			first, _ := cutComma(m.Headers[i].Value)
			return ParseVia(first)
		}
	}
	return Via{}, false
}

// TopVia is Via with the parameters left as text, for ParamIn: it allocates
// nothing.
func (m *Message) TopVia() (v Via, params string, ok bool) {
	for i := range m.Headers {
		if Same(m.Headers[i].Name, "Via") {
			first, _ := cutComma(m.Headers[i].Value)
			return splitVia(first)
		}
	}
	return Via{}, "", false
}

// Contact returns the first Contact's address.
func (m *Message) Contact() (Addr, bool) {
	v, ok := m.Lookup("Contact")
	if !ok {
		return Addr{}, false
	}
	first, _ := cutComma(v)
	a, err := ParseAddr(first)
	return a, err == nil
}

// List returns the members of a header field whose values are comma-separated
// addresses (Contact, Route, Record-Route, Via ...), over all its lines.
func (m *Message) List(name string) []string {
	var list []string
	for one := range m.each(name) {
		if one != "" {
			list = append(list, one)
		}
	}
	return list
}

// Several tells whether such a field has more than one member.
func (m *Message) Several(name string) bool {
	n := 0
	for range m.each(name) {
		if n++; n > 1 {
			return true
		}
	}
	return false
}

// each yields the members of such a field.
func (m *Message) each(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range m.Headers {
			if !Same(m.Headers[i].Name, name) {
				continue
			}
			for rest := m.Headers[i].Value; rest != ""; {
				var one string
				if one, rest = cutComma(rest); !yield(one) {
					return
				}
			}
		}
	}
}

// Q850 returns the Q.850 cause of the Reason header (RFC 3326), or 0.
func (m *Message) Q850() int { return m.cause("Q.850", 7) }

// SIPCause returns the status code in the Reason header, or 0.
func (m *Message) SIPCause() int { return m.cause("SIP", 10) }

func (m *Message) cause(protocol string, bits int) int {
	for _, reason := range m.List("Reason") {
		name, params := cutQuoted(reason, ';')
		if strings.EqualFold(strings.TrimSpace(name), protocol) {
			cause, _ := parseParams(params, ';').Get("cause")
			if n, err := strconv.ParseUint(cause, 10, bits); err == nil {
				return int(n)
			}
		}
	}
	return 0
}

// RetryAfter returns the seconds of a Retry-After (RFC 3261 section 20.33), or 0.
// More than an int of 32 bits holds is that much.
func (m *Message) RetryAfter() int {
	value := m.Get("Retry-After")
	if end := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		value = value[:end]
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return int(n)
}
