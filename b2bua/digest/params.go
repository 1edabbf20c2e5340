package digest

import "strings"

// Bounds on what a peer can make us read.
const (
	mostBytes  = 4096 // in one header value; a longer one is not read
	mostParams = 32   // in one challenge
	mostValues = 16   // header lines of one name, challenges in one line
)

// auth is one challenge or one set of credentials: a scheme and parameters.
type auth struct {
	scheme string
	params []param
}

// param is one name=value. The value is without its quotes and else as written:
// backslashes stay, because what is echoed must be what came.
type param struct{ name, value string }

// get returns a parameter, or "". Names ignore case.
func (a *auth) get(name string) string {
	for _, p := range a.params {
		if strings.EqualFold(p.name, name) {
			return p.value
		}
	}
	return ""
}

// add refuses a name that is there already: two readers of such a text may
// disagree about what it says.
func (a *auth) add(name, value string) bool {
	for _, p := range a.params {
		if strings.EqualFold(p.name, name) {
			return false
		}
	}
	a.params = append(a.params, param{name, value})
	return len(a.params) <= mostParams
}

func (a *auth) isDigest() bool { return strings.EqualFold(a.scheme, "Digest") }

// readAuths reads a header value: "Digest realm="x", nonce="y", ...", and more
// of them behind commas, which RFC 3261 section 7.3.1 forbids and HTTP stacks
// write. At false the value breaks off; what stood before it is returned.
func readAuths(s string) ([]auth, bool) {
	if len(s) > mostBytes {
		return nil, false
	}
	var auths []auth
	r := reader{s}
	for r.gap(); r.rest != ""; r.gap() {
		name := r.token()
		if name == "" {
			return unbroken(auths), false
		}
		if r.space(); !r.skip('=') {
			if len(auths) == mostValues {
				return auths, false
			}
			auths = append(auths, auth{scheme: name})
			continue
		}
		value, ok := r.value()
		if !ok || len(auths) == 0 || !auths[len(auths)-1].add(name, value) {
			return unbroken(auths), false
		}
	}
	return auths, true
}

// unbroken leaves out the last, which was being read.
func unbroken(auths []auth) []auth { return auths[:max(0, len(auths)-1)] }

// reader cuts a header value.
type reader struct{ rest string }

func (r *reader) space() { r.rest = strings.TrimLeft(r.rest, " \t") }

// gap passes over commas too; empty members of a list are allowed.
func (r *reader) gap() { r.rest = strings.TrimLeft(r.rest, " \t,") }

func (r *reader) skip(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) token() string {
	n := 0
	for n < len(r.rest) && isToken(r.rest[n]) {
		n++
	}
	token := r.rest[:n]
	r.rest = r.rest[n:]
	return token
}

// value reads a quoted string or a bare text, and that a comma or the end
// follows.
func (r *reader) value() (value string, ok bool) {
	r.space()
	if r.skip('"') {
		value, ok = r.quoted()
	} else {
		value, ok = r.bare()
	}
	r.space()
	return value, ok && (r.rest == "" || r.rest[0] == ',')
}

func (r *reader) quoted() (string, bool) {
	for i := 0; i < len(r.rest); i++ {
		switch c := r.rest[i]; {
		case c == '"':
			value := r.rest[:i]
			r.rest = r.rest[i+1:]
			return value, true
		case isControl(c):
			return "", false
		case c == '\\' && i+1 < len(r.rest) && !isControl(r.rest[i+1]):
			i++
		}
	}
	return "", false
}

// bare takes more than a token: gateways leave the quotes off.
func (r *reader) bare() (string, bool) {
	n := strings.IndexAny(r.rest, ", \t")
	if n < 0 {
		n = len(r.rest)
	}
	value := r.rest[:n]
	r.rest = r.rest[n:]
	for i := range len(value) {
		if c := value[i]; isControl(c) || c == '"' || c == '\\' {
			return "", false
		}
	}
	return value, true
}

func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

func isToken(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' ||
		strings.IndexByte("-.!%*_+`'~", c) >= 0
}

// escape makes a text of ours fit between quotes. Control characters are left
// out: they must not end the line.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isControl(c) {
			continue
		} else if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
