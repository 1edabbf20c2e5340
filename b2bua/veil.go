package b2bua

import (
	"bytes"
	"hash/fnv"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/trunk"
)

// What edge hides besides headers, where a trunk or a route asks for it by name:
// then nothing that crosses says where the other leg's peer lives. A preset that
// nobody has named leaves SDP and the URIs of people as they are (contract/flows.md,
// C1).

// veiled tells whether the peer of a leg is to see nothing of the other side.
func (l *leg) veiled() bool { return l != nil && l.rule != nil && l.rule.Preset == trunk.Edge }

// ourHost is our own host, as a leg's peer sees it.
func (l *leg) ourHost() string {
	at := l.flow.Listener.SentBy()
	if host, _, err := net.SplitHostPort(at); err == nil {
		return host
	}
	return at
}

// veilParties gives a new request ours for an address in From, and that of where
// it goes in To.
func veilParties(m *message.Message, to *leg) {
	if !to.veiled() || m.Method == "REGISTER" {
		return
	}
	m.Set("From", withHost(m.Get("From"), to.ourHost()))
	if u, err := message.ParseURI(m.URI); err == nil && u.IsSIP() {
		m.Set("To", withHost(m.Get("To"), u.BareHost()))
	}
}

// veilHeaders does so in what crosses of who calls and who was called before.
func veilHeaders(m *message.Message, to *leg) {
	veilLinks(m, to)
	next, _ := message.ParseURI(m.URI)
	for _, name := range [...]string{
		"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Referred-By", "Reply-To",
	} {
		before := m.List(name)
		if len(before) == 0 {
			continue
		}
		m.Del(name)
		for _, one := range before {
			if u, err := message.ParseURI(message.URIOf(one)); err != nil || u.Host != next.Host {
				one = withHost(one, to.ourHost())
			}
			m.Add(name, one)
		}
	}
}

// veilLinks gives pictures, ring tones and the like ours for an address that they are
// fetched from: whoever fetches it now could not reach it there.
func veilLinks(m *message.Message, to *leg) {
	for _, name := range [...]string{"Alert-Info", "Call-Info", "Error-Info"} {
		before := m.List(name)
		if len(before) == 0 {
			continue
		}
		m.Del(name)
		for _, one := range before {
			m.Add(name, linkWithHost(one, to.ourHost()))
		}
	}
}

// linkWithHost replaces the host of <scheme://host/...> where that is an IP address.
func linkWithHost(value, host string) string {
	link := message.URIOf(value)
	u, err := url.Parse(link)
	if err != nil {
		return value
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		return withHost(value, host)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host, u.User = host, nil
	return strings.Replace(value, link, u.String(), 1)
}

// withHost replaces the host of an address value where that is an IP address: a
// name may be that of a domain, by which people are known.
func withHost(value, host string) string {
	a, err := message.ParseAddr(value)
	if err != nil {
		return value
	}
	u, err := message.ParseURI(a.URI)
	if err != nil || !u.IsSIP() {
		return value
	}
	if _, err := netip.ParseAddr(u.BareHost()); err != nil {
		return value
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host, u.Port = host, 0
	a.URI = u.String()
	return a.String()
}

// veil hides from a leg's peer who made an SDP. The id of its session is one that
// only this call gives it, and always the same.
func (l *leg) veil(sdp []byte) []byte {
	if !l.veiled() || l.call == nil {
		return sdp
	}
	return offer.Veil(sdp, l.ourHost(), func(o offer.Origin) string {
		h := fnv.New64a()
		for _, part := range []string{l.call.id, o.User, o.ID, o.Address} {
			_, _ = h.Write([]byte(part + "\x00")) // never fails
		}
		return strconv.FormatUint(h.Sum64()>>2, 10)
	})
}

// veilSDP does so in what crosses.
func veilSDP(m *message.Message, to *leg) {
	if !to.veiled() {
		return
	}
	before := sdpOf(m)
	after := to.veil(before)
	if len(before) == 0 || bytes.Equal(before, after) {
		return
	}
	if body, err := offer.Replace(m.Get("Content-Type"), m.Body, after); err == nil {
		m.Body = body
	}
}

// fragment leaves of a message/sipfrag its first line, the one that a NOTIFY of a
// REFER is about (RFC 3515 section 2.4.5): the rest names hosts and dialogs.
func fragment(m *message.Message, rules *trunk.Headers) {
	kind, _, _ := strings.Cut(m.Get("Content-Type"), ";")
	if rules.Preset == trunk.Transparent || !strings.EqualFold(strings.TrimSpace(kind), "message/sipfrag") {
		return
	}
	if line, rest, cut := bytes.Cut(m.Body, []byte("\n")); cut && len(rest) > 0 && bytes.HasPrefix(line, []byte("SIP/2.0 ")) {
		m.Body = append(bytes.TrimSuffix(bytes.Clone(line), []byte("\r")), "\r\n"...)
	}
}
