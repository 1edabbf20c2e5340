package message

import (
	"errors"
	"strconv"
	"strings"
)

var errURI = errors.New("not a URI")

// URI is a SIP or SIPS URI in parts (RFC 3261 section 19.1), or another
// scheme's with all behind the colon in Opaque. Escapes (%41) stay as written.
type URI struct {
	Scheme   string // lower case: sip, sips, tel, urn ...
	User     string
	Password string
	Host     string // an IPv6 address keeps its brackets
	Port     int    // 0: none given
	Params   Params
	Headers  string // behind "?", uninterpreted
	Opaque   string // of a scheme other than sip and sips
}

// ParseURI reads a URI. Unknown schemes are not an error: IsSIP tells.
func ParseURI(s string) (URI, error) {
	u, params, err := splitURI(s)
	if err == nil {
		u.Params = parseParams(params, ';')
	}
	return u, err
}

// splitURI leaves the parameters as text. It allocates nothing for a scheme in
// lower case.
func splitURI(s string) (u URI, params string, err error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" || !isScheme(scheme) {
		return URI{}, "", errURI
	}
	u = URI{Scheme: strings.ToLower(scheme)}
	if !u.IsSIP() {
		if params = u.splitOpaque(rest); u.User == "" && u.Opaque == "" {
			return URI{}, "", errURI
		}
		return u, params, nil
	}
	if at := strings.IndexByte(rest, '@'); at >= 0 {
		u.User, u.Password, _ = strings.Cut(rest[:at], ":")
		rest = rest[at+1:]
		if u.User == "" {
			return URI{}, "", errURI
		}
	}
	rest, u.Headers, _ = strings.Cut(rest, "?")
	hostport, params, _ := strings.Cut(rest, ";")
	if !u.setHostPort(hostport) {
		return URI{}, "", errURI
	}
	return u, params, nil
}

// splitOpaque keeps the number of a tel URI (RFC 3966) where a user stands, so
// that a script reads both alike.
func (u *URI) splitOpaque(rest string) (params string) {
	if u.Scheme != "tel" {
		u.Opaque = rest
		return ""
	}
	u.User, params, _ = strings.Cut(rest, ";")
	return params
}

func (u *URI) setHostPort(s string) bool {
	host, port, ok := splitHostPort(s)
	if !ok {
		return false
	}
	u.Host, u.Port = host, port
	return true
}

// splitHostPort reads host[:port]; port 0 means none was given.
func splitHostPort(s string) (host string, port int, ok bool) {
	host, text := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", 0, false
		}
		host, text = s[:end+1], strings.TrimSpace(s[end+1:])
		if text != "" && text[0] != ':' {
			return "", 0, false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, text = strings.TrimSpace(s[:i]), s[i:]
	}
	if text != "" {
		n, err := strconv.ParseUint(strings.TrimSpace(text[1:]), 10, 16)
		if err != nil || n == 0 {
			return "", 0, false
		}
		port = int(n)
	}
	return host, port, isHost(host)
}

func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanum(c) && c != '.' && c != '-' && c != '_' && c != '[' && c != ']' && c != ':' && c != '%' {
			return false
		}
	}
	return s != ""
}

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanum(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// IsSIP is true for sip and sips.
func (u URI) IsSIP() bool { return u.Scheme == "sip" || u.Scheme == "sips" }

// BareHost is Host without the brackets of an IPv6 reference.
func (u URI) BareHost() string { return strings.TrimSuffix(strings.TrimPrefix(u.Host, "["), "]") }

// String writes the URI.
func (u URI) String() string {
	b := make([]byte, 0, 64)
	b = append(append(b, u.Scheme...), ':')
	switch {
	case u.IsSIP():
		b = u.appendAuthority(b)
	case u.Opaque != "":
		return string(append(b, u.Opaque...))
	default:
		b = append(b, u.User...)
	}
	b = u.Params.append(b)
	if u.Headers != "" {
		b = append(append(b, '?'), u.Headers...)
	}
	return string(b)
}

func (u URI) appendAuthority(b []byte) []byte {
	if u.User != "" {
		b = append(b, u.User...)
		if u.Password != "" {
			b = append(append(b, ':'), u.Password...)
		}
		b = append(b, '@')
	}
	b = append(b, u.Host...)
	if u.Port != 0 {
		b = strconv.AppendInt(append(b, ':'), int64(u.Port), 10)
	}
	return b
}
