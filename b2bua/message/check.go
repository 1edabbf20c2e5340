package message

import (
	"strconv"
	"strings"
)

// once are the fields that may stand only once (RFC 3261 section 7.3.1): the
// last of two would win here and the first elsewhere, which is how calls are
// smuggled past a screen.
var once = [...]string{"Call-ID", "CSeq", "From", "To", "Max-Forwards"}

// Check is the part of RFC 3261 section 8.2 and 16.3 that every message must
// pass before anyone acts on it: the mandatory fields, each once and readable.
// Responses that fail are dropped by the caller (Malformed.Partial is the message itself).
func (m *Message) Check() *Malformed {
	if why := m.fault(); why != "" {
		return &Malformed{Status: 400, Why: why, Partial: m}
	}
	return nil
}

func (m *Message) fault() string {
	if m.IsRequest() && !isToken(m.Method) {
		return "method is not a token"
	}
	if why := m.checkOnce(); why != "" {
		return why
	}
	_, method, ok := m.CSeq()
	switch {
	case !ok:
		return "CSeq is not a number and a method"
	case m.IsRequest() && method != m.Method:
		return "CSeq method is not the request's"
	case m.CallID() == "":
		return "Call-ID is empty"
	}
	if why := m.checkAddresses(); why != "" {
		return why
	}
	if !m.IsRequest() {
		return m.checkVias()
	}
	if why := m.checkURI(); why != "" {
		return why
	}
	if v, ok := m.Lookup("Max-Forwards"); ok {
		if _, err := strconv.ParseUint(v, 10, 32); err != nil {
			return "Max-Forwards is not a number"
		}
	}
	return m.checkVias()
}

func (m *Message) checkOnce() string {
	var seen [len(once)]bool
	for i := range m.Headers {
		for k, name := range once {
			if m.Headers[i].Name != name && (len(m.Headers[i].Name) != len(name) || !strings.EqualFold(m.Headers[i].Name, name)) {
				continue
			}
			if seen[k] {
				return name + " stands twice"
			}
			seen[k] = true
		}
	}
	for k, name := range once[:4] {
		if !seen[k] {
			return name + " is missing"
		}
	}
	return ""
}

func (m *Message) checkAddresses() string {
	for _, name := range [...]string{"From", "To"} {
		if _, _, _, ok := checkedAddr(m.Get(name)); !ok {
			return name + " is not an address"
		}
	}
	if m.Method == "REGISTER" || !m.IsRequest() {
		return ""
	}
	for c := range m.each("Contact") {
		if _, _, _, ok := checkedAddr(c); !ok { // "*" is REGISTER's alone
			return "Contact is not an address"
		}
	}
	return ""
}

// checkURI leaves schemes that we don't speak to whoever answers 416.
func (m *Message) checkURI() string {
	if m.URI == "" || strings.ContainsAny(m.URI, " \t<>\"") {
		return "Request-URI holds white space or brackets"
	}
	u, _, err := splitURI(m.URI)
	switch {
	case err != nil:
		return "Request-URI is not a URI"
	case u.Headers != "":
		return "Request-URI has headers"
	}
	return ""
}

func (m *Message) checkVias() string {
	n := 0
	for one := range m.each("Via") {
		if _, _, ok := splitVia(one); !ok {
			return "Via can't be read"
		}
		n++
	}
	if n == 0 {
		return "Via is missing"
	}
	return ""
}
