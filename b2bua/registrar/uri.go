package registrar

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// maxAOR leaves room in a store's key.
const maxAOR = 512

var errAOR = errors.New("registrar: not an address of record")

// AOR is the canonical form of an address of record (RFC 3261 section 10.3 step
// 5): scheme, user and host. A port tells where the domain is served, not whose
// address it is; phones that are given one write it into their To. What a user
// may hold unescaped is unescaped, so the form is a URI and its own canonical
// form.
func AOR(uri string) (string, error) {
	u, err := message.ParseURI(uri)
	if err != nil || !u.IsSIP() {
		return "", errAOR
	}
	canonical := message.URI{Scheme: u.Scheme, User: normal(u.User, userFree), Host: normalHost(u.Host)}
	text := canonical.String()
	if len(text) > maxAOR {
		return "", errAOR
	}
	return text, nil
}

// identity is a URI prepared for the comparison of RFC 3261 section 19.1.4.
type identity struct {
	strict string            // what must be the same in both
	loose  map[string]string // parameters that must be the same where both have them
}

func identify(u message.URI) identity {
	if !u.IsSIP() {
		return identity{strict: u.String()}
	}
	id := identity{loose: make(map[string]string, len(u.Params))}
	for _, p := range u.Params {
		name := strings.ToLower(normal(p.Name, ""))
		if _, twice := id.loose[name]; !twice {
			id.loose[name] = strings.ToLower(normal(p.Value, ""))
		}
	}
	parts := []string{u.Scheme, normal(u.User, ""), normal(u.Password, ""), normalHost(u.Host), strconv.Itoa(u.Port), normalHeaders(u.Headers)}
	for _, name := range [...]string{"transport", "user", "ttl", "method", "maddr"} {
		if value, ok := id.loose[name]; ok {
			parts = append(parts, name+"="+value)
			delete(id.loose, name)
		}
	}
	id.strict = strings.Join(parts, " ")
	return id
}

func (a *identity) same(b *identity) bool {
	if a.strict != b.strict {
		return false
	}
	for name, value := range a.loose {
		if other, ok := b.loose[name]; ok && other != value {
			return false
		}
	}
	return true
}

// normalHeaders makes one text of headers in any order.
func normalHeaders(s string) string {
	if s == "" {
		return ""
	}
	headers := strings.Split(s, "&")
	for i, h := range headers {
		name, value, _ := strings.Cut(h, "=")
		headers[i] = strings.ToLower(normal(name, "")) + "=" + normal(value, "")
	}
	slices.Sort(headers)
	return strings.Join(headers, "&")
}

func normalHost(s string) string {
	s = strings.ToLower(s)
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && a.Is6() {
			return "[" + a.String() + "]"
		}
	}
	return s
}

const (
	reserved = ";/?:@&=+$,"
	mark     = "-_.!~*'()"
	userFree = "&=+$,;?/" // may stand unescaped in a user, section 25.1
)

// normal gives two spellings of one text one spelling: it unescapes what may
// stand plainly everywhere, and the characters in free, and escapes the rest in
// capitals. A reserved character otherwise means another thing than its escape
// (section 19.1.4). A % that begins no escape stands for itself.
func normal(s, free string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return !isPlain(c) }) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c, allowed := s[i], reserved
		if c == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				c, allowed, i = byte(n), free, i+2
			}
		}
		if isPlain(rune(c)) || strings.IndexByte(allowed, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// isPlain is unreserved in section 25.1.
func isPlain(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c < 0x80 && strings.ContainsRune(mark, c)
}
