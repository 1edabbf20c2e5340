package digest

import (
	"strings"

	"legwork/b2bua/message"
)

// sameResource compares the uri parameter with the Request-URI by RFC 3261
// section 19.1.4, but for what gateways and proxies change on the way: the
// default port may be given or not, and the transport does not matter. A claimed
// host alone stands for whatever it is asked for: SIPp, for one, always writes
// the address that it sends to. Credentials for a user stay bound to that user.
func sameResource(claimed, requested string) bool {
	if claimed == requested {
		return true
	}
	if len(requested) > mostBytes {
		return false
	}
	a, errA := message.ParseURI(claimed)
	b, errB := message.ParseURI(requested)
	if errA != nil || errB != nil || a.Scheme != b.Scheme || !a.IsSIP() {
		return false
	}
	if len(a.Params) > mostParams || len(b.Params) > mostParams {
		return false
	}
	host := a.User == "" && len(a.Params) == 0 && a.Headers == ""
	return host || plain(a.User) == plain(b.User) && plain(a.Password) == plain(b.Password) &&
		strings.EqualFold(a.Host, b.Host) && port(a) == port(b) &&
		a.Headers == b.Headers && agree(a.Params, b.Params) && agree(b.Params, a.Params)
}

// plain takes the escapes out: %41 is A.
func plain(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, low := strings.IndexByte(hexDigits, lower(s[i+1])), strings.IndexByte(hexDigits, lower(s[i+2]))
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func port(u message.URI) int {
	switch {
	case u.Port != 0:
		return u.Port
	case u.Scheme == "sips":
		return 5061
	default:
		return 5060
	}
}

// agree tells whether no parameter of a speaks against b: of those that only
// one has, user, ttl, method and maddr do.
func agree(a, b message.Params) bool {
	for _, p := range a {
		name := strings.ToLower(p.Name)
		if name == "transport" {
			continue
		}
		value, has := b.Get(name)
		switch {
		case has && !strings.EqualFold(value, p.Value):
			return false
		case !has && (name == "user" || name == "ttl" || name == "method" || name == "maddr"):
			return false
		}
	}
	return true
}
