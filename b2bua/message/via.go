package message

import "strings"

// Via is one Via value (RFC 3261 section 20.42).
type Via struct {
	Transport string // as written: UDP, TCP, TLS, WS ...
	Host      string // sent-by; an IPv6 address keeps its brackets
	Port      int    // 0: none given
	Params    Params
}

// ParseVia reads one Via value; white space may stand around "/" and ":".
func ParseVia(s string) (Via, bool) {
	v, params, ok := splitVia(s)
	if ok {
		v.Params = parseParams(params, ';')
	}
	return v, ok
}

// splitVia leaves the parameters as text.
func splitVia(s string) (v Via, params string, ok bool) {
	protocol, sent, ok := cutProtocol(s)
	if !ok {
		return Via{}, "", false
	}
	hostport, params := cutQuoted(sent, ';')
	if strings.Contains(params, ";;") || strings.HasSuffix(strings.TrimSpace(params), ";") {
		return Via{}, "", false
	}
	v.Transport = protocol
	v.Host, v.Port, ok = splitHostPort(strings.TrimSpace(hostport))
	return v, params, ok
}

// cutProtocol cuts "SIP / 2.0 / UDP host" behind the transport.
func cutProtocol(s string) (transport, rest string, ok bool) {
	name, s, ok1 := strings.Cut(s, "/")
	version, s, ok2 := strings.Cut(s, "/")
	if !ok1 || !ok2 || !strings.EqualFold(strings.TrimSpace(name), "SIP") || strings.TrimSpace(version) != "2.0" {
		return "", "", false
	}
	s = strings.TrimLeft(s, " \t")
	i := strings.IndexAny(s, " \t")
	if i < 1 || !isToken(s[:i]) {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// Branch returns the branch parameter, or "".
func (v Via) Branch() string {
	b, _ := v.Params.Get("branch")
	return b
}

// String writes the Via.
func (v Via) String() string {
	b := make([]byte, 0, 96)
	b = append(append(b, "SIP/2.0/"...), v.Transport...)
	b = append(append(b, ' '), v.Host...)
	if v.Port != 0 {
		b = appendPort(b, v.Port)
	}
	return string(v.Params.append(b))
}

// SetTopVia replaces the topmost Via and keeps the others, also those of the
// same line.
func (m *Message) SetTopVia(v Via) {
	for i := range m.Headers {
		if Same(m.Headers[i].Name, "Via") {
			_, rest := cutComma(m.Headers[i].Value)
			m.Headers[i].Value = v.String()
			if rest != "" {
				m.Headers[i].Value += ", " + rest
			}
			return
		}
	}
}
