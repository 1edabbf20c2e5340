package message

import (
	"errors"
	"strings"
)

var errReplaces = errors.New("not a Replaces")

// Replaces names a dialog that an INVITE takes the place of (RFC 3891 section
// 6.1). The tags are those of whoever receives it: ToTag its own, FromTag its
// peer's.
type Replaces struct {
	CallID, ToTag, FromTag string
	EarlyOnly              bool
	Params                 Params // others, in order
}

// ParseReplaces reads the value of a Replaces header field: both tags must stand
// once, early-only at most once.
func ParseReplaces(value string) (Replaces, error) {
	callID, rest, _ := strings.Cut(value, ";")
	r := Replaces{CallID: strings.TrimSpace(callID)}
	if r.CallID == "" || strings.ContainsAny(r.CallID, " \t,;") {
		return Replaces{}, errReplaces
	}
	for _, p := range parseParams(rest, ';') {
		switch strings.ToLower(p.Name) {
		case "to-tag":
			if r.ToTag != "" || !isToken(p.Value) {
				return Replaces{}, errReplaces
			}
			r.ToTag = p.Value
		case "from-tag":
			if r.FromTag != "" || !isToken(p.Value) {
				return Replaces{}, errReplaces
			}
			r.FromTag = p.Value
		case "early-only":
			if r.EarlyOnly || p.HasValue {
				return Replaces{}, errReplaces
			}
			r.EarlyOnly = true
		default:
			r.Params = append(r.Params, p)
		}
	}
	if r.ToTag == "" || r.FromTag == "" {
		return Replaces{}, errReplaces
	}
	return r, nil
}

// String writes the value.
func (r Replaces) String() string {
	b := make([]byte, 0, 128)
	b = append(append(b, r.CallID...), ";to-tag="...)
	b = append(append(b, r.ToTag...), ";from-tag="...)
	b = append(b, r.FromTag...)
	if r.EarlyOnly {
		b = append(b, ";early-only"...)
	}
	return string(r.Params.append(b))
}
