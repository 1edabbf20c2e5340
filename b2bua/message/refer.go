package message

import (
	"errors"
	"slices"
	"strings"
)

var errReferTo = errors.New("not a Refer-To")

// Bounds on what a Refer-To may ask to be put into its request.
const (
	maxURIHeaders = 16
	maxURIHeader  = 4096 // bytes of all names and values
)

// ReferTo is the target of a REFER (RFC 3515 section 2.1), its URI taken apart:
// RFC 3261 section 19.1.1 lets a method and header fields hide in it.
type ReferTo struct {
	Addr            // URI without method and headers
	Method string   // INVITE unless the URI names another
	Fields []Header // the header fields in its URI, unescaped; not Replaces
	// Replaces is the dialog that the target shall give up; nil: none.
	Replaces *Replaces
}

// ReferTo reads the one Refer-To of a request; none, two, or one that can't be
// read is an error (RFC 3515 section 2.4.2: 400).
func (m *Message) ReferTo() (ReferTo, error) {
	list := m.List("Refer-To")
	if len(list) != 1 {
		return ReferTo{}, errReferTo
	}
	addr, err := ParseAddr(list[0])
	if err != nil {
		return ReferTo{}, errReferTo
	}
	r := ReferTo{Addr: addr, Method: "INVITE"}
	u, err := ParseURI(addr.URI)
	if err != nil || !u.IsSIP() {
		return r, err
	}
	if method, ok := u.Params.Get("method"); ok {
		if !isToken(method) {
			return ReferTo{}, errReferTo
		}
		r.Method = strings.ToUpper(method)
		u.Params.Del("method")
	}
	if r.Fields, err = uriFields(u.Headers); err != nil {
		return ReferTo{}, err
	}
	u.Headers = ""
	r.URI = u.String()
	return r, r.takeReplaces()
}

// takeReplaces moves the Replaces out of the fields; two are none to obey.
func (r *ReferTo) takeReplaces() error {
	for i := len(r.Fields) - 1; i >= 0; i-- {
		if !Same(r.Fields[i].Name, "Replaces") {
			continue
		}
		one, err := ParseReplaces(r.Fields[i].Value)
		if err != nil || r.Replaces != nil {
			return errReferTo
		}
		r.Replaces = &one
		r.Fields = slices.Delete(r.Fields, i, i+1)
	}
	return nil
}

// String writes the Refer-To value, Replaces last.
func (r ReferTo) String() string {
	a := r.Addr
	u, err := ParseURI(a.URI)
	if err != nil || !u.IsSIP() {
		return a.String()
	}
	if r.Method != "INVITE" {
		u.Params.Set("method", r.Method)
	}
	fields := r.Fields
	if r.Replaces != nil {
		fields = append(slices.Clip(fields), Header{"Replaces", r.Replaces.String()})
	}
	for i, f := range fields {
		if i > 0 {
			u.Headers += "&"
		}
		u.Headers += escape(f.Name) + "=" + escape(f.Value)
	}
	a.URI = u.String()
	return a.String()
}

// uriFields reads the headers of a URI (RFC 3261 section 19.1.1). What would
// break a message is refused; "body" is no field and is passed over.
func uriFields(text string) ([]Header, error) {
	if len(text) > maxURIHeader || strings.Count(text, "&") >= maxURIHeaders {
		return nil, errReferTo
	}
	var fields []Header
	for one := range strings.SplitSeq(text, "&") {
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		name, ok := unescape(name)
		value, fine := unescape(value)
		if !ok || !fine || !isToken(name) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, errReferTo
		}
		if !strings.EqualFold(name, "body") {
			fields = append(fields, Header{LongName(name), strings.TrimSpace(value)})
		}
	}
	return fields, nil
}

// unescape undoes %41 (RFC 3261 section 19.1.2).
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "", false
		}
		b = append(b, hexValue(s[i+1])<<4|hexValue(s[i+2]))
		i += 2
	}
	return string(b), true
}

// escape writes what may stand in a URI's header as it is, all else as %41.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlphanum(c) || strings.IndexByte("-_.!~*'()[]/?:+$", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

const hexDigits = "0123456789ABCDEF"

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// NoReferSub tells whether the referrer wants no subscription (RFC 4488).
func (m *Message) NoReferSub() bool {
	value, _, _ := strings.Cut(m.Get("Refer-Sub"), ";")
	return strings.EqualFold(strings.TrimSpace(value), "false")
}
