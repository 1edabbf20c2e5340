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
	display, uri, params, ok := checkedAddr(s)
	if !ok {
		return Addr{}, errAddr
	}
	return Addr{Display: unquote(display), URI: uri, Params: parseParams(params, ';')}, nil
}

// checkedAddr is splitAddr of an address whose URI can be read. It allocates
// nothing.
func checkedAddr(s string) (display, uri, params string, ok bool) {
	display, uri, params, ok = splitAddr(s)
	if !ok || uri == "" {
		return "", "", "", false
	}
	_, _, err := splitURI(uri)
	return display, uri, params, err == nil
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
	display, uri, params, ok := checkedAddr(value)
	if !ok {
		return value
	}
	b := appendAddr(make([]byte, 0, len(value)+len(tag)+8), unquote(display), uri)
	for params != "" {
		var one string
		one, params = cutQuoted(params, ';')
		if p := parseParam(one); p.Name != "" && !strings.EqualFold(p.Name, "tag") {
			b = p.append(b)
		}
	}
	if tag != "" {
		b = append(append(b, ";tag="...), tag...)
	}
	return string(b)
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
	return string(a.Params.append(appendAddr(make([]byte, 0, 96), a.Display, a.URI)))
}

func appendAddr(b []byte, display, uri string) []byte {
	if display != "" {
		b = append(appendQuoted(b, display), ' ')
	}
	return append(append(append(b, '<'), uri...), '>')
}
