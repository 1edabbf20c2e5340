package b2bua

import (
	"bytes"
	"hash/fnv"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/leak"
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/trunk"
)

// What edge hides besides headers, where a trunk or a route asks for it by name:
// then nothing that crosses says where the other leg's peer lives. A preset that
// nobody has named leaves SDP and the URIs of people as they are (contract/flows.md,
// C1).

// veiled tells whether the peer of a leg is to see nothing of the other side.
func (l *leg) veiled() bool { return l != nil && l.rule != nil && l.rule.Hides() }

// ourHost is our own host, as a leg's peer sees it.
func (l *leg) ourHost() string {
	at := l.flow.Listener.SentBy()
	if host, _, err := net.SplitHostPort(at); err == nil {
		return host
	}
	return at
}

// veiling knows how the hosts of one side are hidden from the peer of a leg.
type veiling struct {
	from, to *leg
	said     []string    // hosts that the message which crosses was sent by and through
	guard    *leak.Guard // nil: nobody has said what is inside
}

// veiling is that for a message which crosses; nil: nothing is hidden.
func (o *owner) veiling(in *message.Message, from, to *leg) *veiling {
	if !to.veiled() {
		return nil
	}
	v := &veiling{from: from, to: to}
	if w := o.server.settings().Leaks; w != nil {
		v.guard = w.Guard
	}
	if !in.IsRequest() && in.Status >= 300 {
		return v
	}
	for _, via := range in.List("Via") {
		if _, by, ok := strings.Cut(via, " "); ok && in.IsRequest() { // else it is ours
			by, _, _ = strings.Cut(by, ";")
			v.said = append(v.said, bareHost("sip:"+strings.TrimSpace(by)))
		}
	}
	for _, name := range [...]string{"Contact", "Record-Route"} {
		for _, one := range in.List(name) {
			v.said = append(v.said, bareHost(message.URIOf(one)))
		}
	}
	return v
}

// hides tells whether a host is of the other side: an address, or the name of a
// machine there. Another name may be that of a domain, by which people are known.
func (v *veiling) hides(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || v.to.livesAt(host) {
		return false
	}
	return v.from.livesAt(host) || v.guard != nil && v.guard.Names(host) ||
		slices.ContainsFunc(v.said, func(one string) bool { return strings.EqualFold(one, host) })
}

// livesAt tells whether a host is where a leg's peer is: as it was reached, as it
// says itself, or as its trunk names it.
func (l *leg) livesAt(host string) bool {
	if l == nil {
		return false
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap() == l.flow.Remote.Addr().Unmap() {
		return true
	}
	is := func(uri string) bool { return strings.EqualFold(bareHost(uri), host) }
	if l.dialog != nil && is(l.dialog.Target) || is(l.place().next) {
		return true
	}
	return l.trunk != nil && (slices.ContainsFunc(l.trunk.Targets, func(e trunk.Endpoint) bool { return is(e.URI) }) ||
		slices.ContainsFunc(l.trunk.Match, func(m string) bool { return strings.EqualFold(m, host) }))
}

// parties gives a new request ours for a host of the other side in From, and
// that of where it goes in To.
func (v *veiling) parties(m *message.Message) {
	if v == nil || m.Method == "REGISTER" {
		return
	}
	m.Set("From", v.withHost(m.Get("From"), v.to.ourHost()))
	if u, err := message.ParseURI(m.URI); err == nil && u.IsSIP() {
		m.Set("To", v.withHost(m.Get("To"), u.BareHost()))
	}
}

// headers does so in what crosses of who calls and who was called before.
func (v *veiling) headers(m *message.Message) {
	if v == nil {
		return
	}
	v.links(m)
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
				one = v.withHost(one, v.to.ourHost())
			}
			m.Add(name, one)
		}
	}
}

// links gives pictures, ring tones and the like ours for a host that they are
// fetched from: whoever fetches it now could not reach it there.
func (v *veiling) links(m *message.Message) {
	for _, name := range [...]string{"Alert-Info", "Call-Info", "Error-Info"} {
		before := m.List(name)
		if len(before) == 0 {
			continue
		}
		m.Del(name)
		for _, one := range before {
			m.Add(name, v.linkWithHost(one, v.to.ourHost()))
		}
	}
}

// linkWithHost replaces the host of <scheme://host/...> where that is to be hidden.
func (v *veiling) linkWithHost(value, host string) string {
	link := message.URIOf(value)
	u, err := url.Parse(link)
	if err != nil {
		return value
	}
	if !v.hides(u.Hostname()) {
		return v.withHost(value, host)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host, u.User = host, nil
	return strings.Replace(value, link, u.String(), 1)
}

// withHost replaces the host of an address value where that is to be hidden, and
// leaves out a maddr that is.
func (v *veiling) withHost(value, host string) string {
	a, err := message.ParseAddr(value)
	if err != nil {
		return value
	}
	u, err := message.ParseURI(a.URI)
	if err != nil || !u.IsSIP() {
		return value
	}
	maddr, _ := u.Params.Get("maddr")
	there, behind := v.hides(u.BareHost()), v.hides(strings.Trim(maddr, "[]"))
	switch {
	case there && strings.Contains(host, ":"):
		u.Host, u.Port = "["+host+"]", 0
	case there:
		u.Host, u.Port = host, 0
	case !behind:
		return value
	}
	if behind {
		u.Params.Del("maddr")
	}
	a.URI = u.String()
	return a.String()
}

// place hides where somebody else is to call, in Refer-To or the Contact of a 3xx:
// a place on the other side becomes its user at ours, so that such calls come here.
func (v *veiling) place(value string) string {
	a, err := message.ParseAddr(value)
	if err != nil || v == nil {
		return value
	}
	a.URI = v.placed(a.URI, "")
	return a.String()
}

// placed does so to a URI; one without a user gets that of party.
func (v *veiling) placed(uri, party string) string {
	u, err := message.ParseURI(uri)
	if err != nil || !u.IsSIP() {
		return uri
	}
	host := u.BareHost()
	if !v.hides(host) || v.to.livesAt(host) || host == v.to.ourHost() {
		return uri
	}
	ours, err := message.ParseURI(message.URIOf(v.to.contact()))
	if err != nil {
		return uri
	}
	ours.User, ours.Headers = u.User, u.Headers
	if p, err := message.ParseURI(party); err == nil && ours.User == "" {
		ours.User = p.User
	}
	return ours.String()
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
// REFER is about (RFC 3515 section 2.4.5): the rest names hosts and dialogs. Of
// another fragment nothing is left where the other side is hidden.
func fragment(m *message.Message, rules *trunk.Headers) {
	kind, _, _ := strings.Cut(m.Get("Content-Type"), ";")
	if rules.Preset == trunk.Transparent || !strings.EqualFold(strings.TrimSpace(kind), "message/sipfrag") {
		return
	}
	switch line, rest, _ := bytes.Cut(m.Body, []byte("\n")); {
	case !bytes.HasPrefix(line, []byte("SIP/2.0 ")) && rules.Hides():
		m.Body = nil
		m.Del("Content-Type")
	case len(rest) > 0 && bytes.HasPrefix(line, []byte("SIP/2.0 ")):
		m.Body = append(bytes.TrimSuffix(bytes.Clone(line), []byte("\r")), "\r\n"...)
	}
}
