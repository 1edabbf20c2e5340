package message

import (
	"errors"
	"strings"
)

var errAddr = errors.New("not an address")

// Addr is a name-addr or addr-spec with its parameters (RFC 3261 section 20.10).
type Addr struct {
	Display string // without quotes
	URI     string // as written between the brackets
	Params  Params // header parameters: tag, q, expires ...
}

// ParseAddr reads one address as From, To, Contact, Route and their kin hold it.
// Without brackets, parameters belong to the header, not to the URI.
func ParseAddr(s string) (Addr, error) {
	display, uri, params, ok := splitAddr(s)
	if !ok || uri == "" {
		return Addr{}, errAddr
	}
	if _, err := ParseURI(uri); err != nil {
		return Addr{}, errAddr
	}
	return Addr{Display: unquote(display), URI: uri, Params: parseParams(params, ';')}, nil
}

// splitAddr finds the three parts of an address without copying.
func splitAddr(s string) (display, uri, params string, ok bool) {
	s = strings.TrimSpace(s)
	open, quoted := -1, false
scan:
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			open = i
			break scan
		}
	}
	if quoted {
		return "", "", "", false
	}
	if open < 0 {
		uri, params, _ = strings.Cut(s, ";")
		uri = strings.TrimSpace(uri)
		return "", uri, params, !strings.ContainsAny(uri, "? \t\"<>")
	}
	end := strings.IndexByte(s[open:], '>')
	if end < 0 {
		return "", "", "", false
	}
	display, uri = strings.TrimSpace(s[:open]), strings.TrimSpace(s[open+1:open+end])
	params = strings.TrimSpace(s[open+end+1:])
	if params != "" && params[0] != ';' || strings.ContainsAny(uri, " \t\"<>") || !isDisplay(display) {
		return "", "", "", false
	}
	return display, uri, strings.TrimPrefix(params, ";"), true
}

// isDisplay accepts a quoted string or words without the separators that
// would make the value ambiguous.
func isDisplay(s string) bool {
	return s == "" || s[0] == '"' || !strings.ContainsAny(s, ",;:@")
}

// Tag returns the tag of a From or To value, or "". It allocates nothing.
func Tag(value string) string {
	_, _, params, ok := splitAddr(value)
	if !ok {
		return ""
	}
	tag, _ := ParamIn(params, "tag")
	return tag
}

// WithTag returns a From or To value with its tag replaced, or removed when
// tag is "".
func WithTag(value, tag string) string {
	a, err := ParseAddr(value)
	if err != nil {
		return value
	}
	a.Params.Del("tag")
	if tag != "" {
		a.Params.Set("tag", tag)
	}
	return a.String()
}

// URIOf returns the text of the URI in an address value, or "".
func URIOf(value string) string {
	_, uri, _, ok := splitAddr(value)
	if !ok {
		return ""
	}
	return uri
}

// String writes the address, always in brackets, so that the URI's parameters
// stay the URI's.
func (a Addr) String() string {
	b := make([]byte, 0, 96)
	if a.Display != "" {
		b = append(append(b, quote(a.Display)...), ' ')
	}
	b = append(append(append(b, '<'), a.URI...), '>')
	return string(a.Params.append(b))
}
