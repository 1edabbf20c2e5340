package b2bua

import (
	"errors"
	"strings"

	"legwork/b2bua/transport"
)

// sips in a Request-URI asks for TLS on every hop (RFC 5630): of those we make,
// none is without.

var errInsecure = errors.New("sips asks for TLS, which does not lead there")

// noSIPS is what a caller gets with 480 who asked for sips in vain; the words are
// those of RFC 5630's warning 380.
const noSIPS = "SIPS Not Allowed"

func isSIPS(uri string) bool { return len(uri) > 5 && strings.EqualFold(uri[:5], "sips:") }

// safely lets no flow through to then that breaks the promise of sips.
func safely(sips bool, then func(transport.Flow, error)) func(transport.Flow, error) {
	if !sips {
		return then
	}
	return func(f transport.Flow, err error) {
		if err == nil && !f.Secure() {
			err = errInsecure
		}
		then(f, err)
	}
}

// contact is our Contact on this leg (RFC 3261 section 8.1.1.8).
func (l *leg) contact() string { return l.contactIn("<", "", ">") }

// contactAs is the URI of our Contact with a user.
func (l *leg) contactAs(user string) string { return l.contactIn("", user, "") }

func (l *leg) contactIn(before, user, behind string) string {
	scheme, sips := "sip:", l.sips || isSIPS(l.place().uri)
	if sips {
		scheme = "sips:"
	}
	at := ""
	if user != "" {
		at = "@"
	}
	name, by := ";transport=", l.flow.Param()
	if by == "" || sips && by == "tls" {
		name, by = "", ""
	}
	return before + scheme + user + at + l.flow.Listener.SentBy() + name + by + behind
}
