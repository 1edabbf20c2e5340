package b2bua

import (
	"errors"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// Who is told who calls (RFC 3323, RFC 3325). What a neighbour asserts is taken
// from trusted ones and goes to trusted ones. To all others nothing is asserted,
// and who wants to stay unknown does.

// trust is that in a leg's peer.
func (o *owner) trust(l *leg) trunk.Trust {
	if l.trunk != nil {
		return l.trunk.Trust
	}
	return o.server.settings().Trunks.Trust("")
}

// wishes is what a message's Privacy asks for; more than one may be set.
type wishes struct {
	id      bool // id, user or header: who calls
	user    bool // what else its user has said of itself, too
	history bool // who was called before
	none    bool // nothing is to be hidden, and nothing else is asked for

	beyond   bool // what we can't do: session, which media from end to end tell, or what nobody knows
	critical bool // rather no call than one without
}

func wishesOf(m *message.Message) (w wishes) {
	for _, value := range m.All("Privacy") {
		for one := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ',' || r == ' ' || r == '\t' }) {
			switch strings.ToLower(one) {
			case "id", "header":
				w.id = true
			case "user":
				w.id, w.user = true, true
			case "history":
				w.history = true
			case "none":
				w.none = true
			case "critical":
				w.critical = true
			default:
				w.beyond = true
			}
		}
	}
	w.none = w.none && !w.id && !w.history
	return w
}

// wishesIn is what a message that crosses from a leg asks for. What the caller asked
// for in its INVITE holds as long as the call.
func wishesIn(in *message.Message, from *leg) wishes {
	w := wishesOf(in)
	switch {
	case from == nil || from.call == nil || from != from.call.a:
	case in == from.call.invite:
		from.wishes = w
	default:
		w.id, w.user, w.history = w.id || from.wishes.id, w.user || from.wishes.user, w.history || from.wishes.history
		w.none = w.none && !w.id && !w.history
	}
	return w
}

// guardIdentity removes from what crosses what the sender may not assert and what
// the receiver must not learn. RFC 3325 section 5 ends P-Preferred-Identity here;
// section 7 lets who asks for no privacy be known to anybody.
func (o *owner) guardIdentity(out, in *message.Message, from, to *leg) {
	source, sink := o.trust(from), o.trust(to)
	if sink == trunk.TrustUnsaid {
		return
	}
	out.Del("P-Preferred-Identity")
	w := wishesIn(in, from)
	if source == trunk.Untrusted || sink == trunk.Untrusted && !w.none {
		remove(out, "P-Asserted-Identity", "Remote-Party-ID", "P-Asserted-Service")
	}
	if sink == trunk.Trusted {
		return
	}
	if w.id {
		remove(out, "Identity", "Identity-Info", "Referred-By") // the former sign a From that is no more
	}
	if w.user {
		remove(out, "Reply-To", "Organization", "Call-Info", "Subject", "In-Reply-To", "User-Agent", "Server")
	}
	if w.history {
		out.Del("History-Info")
	}
	hideDiversion(out)
	out.HideHistory()
}

// errPrivacy is a call whose caller wants more hidden than we can.
var errPrivacy = errors.New("the caller wants more hidden than is possible")

// hides tells whether all that is hidden from a callee which must be (RFC 3323
// section 4.3). A trusted one sees to it itself.
func (c *Call) hides(l *leg) error {
	if c.trust(l) != trunk.Untrusted {
		return nil
	}
	if w := wishesOf(c.invite); w.critical && w.beyond {
		return errPrivacy
	}
	return nil
}

func remove(m *message.Message, names ...string) {
	for _, name := range names {
		m.Del(name)
	}
}

// hideDiversion removes those who diverted the call and want to stay unknown
// (RFC 5806 section 4).
func hideDiversion(m *message.Message) {
	before := m.List("Diversion")
	kept := make([]message.Header, 0, len(before))
	for _, one := range before {
		a, err := message.ParseAddr(one)
		if privacy, _ := a.Params.Get("privacy"); err == nil && privacy != "" && !strings.EqualFold(privacy, "off") {
			continue
		}
		kept = append(kept, message.Header{Name: "Diversion", Value: one})
	}
	if len(kept) < len(before) {
		m.Del("Diversion")
		m.Headers = append(m.Headers, kept...)
	}
}

// anonymous is the From of who wants to stay unknown (RFC 3323 section 4.1).
const anonymous = `"Anonymous" <sip:anonymous@anonymous.invalid>`

// fromFor is the From of a request on the leg it goes to. A REGISTER names who
// registers in To, and nobody else reads it.
func (o *owner) fromFor(req *message.Message, to *leg) string {
	if o.trust(to) == trunk.Untrusted && req.Method != "REGISTER" && wishesOf(req).id {
		return anonymous
	}
	return req.Get("From")
}
