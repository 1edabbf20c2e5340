package b2bua

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// maxAttempts bounds the targets of one call: callees may send it on and on.
const maxAttempts = 32

// redirected puts the contacts of a callee's 3xx before the targets that are
// left, and tells whether there are any to try (RFC 3261 section 8.1.3.4). None
// is tried twice.
func (c *Call) redirected() bool {
	f := &c.failure
	if f.origin != OriginPeer || !followed(f.res.Status) || c.route.Redirects == PassRedirects {
		return false
	}
	contacts := byQ(f.res)
	if room := maxAttempts - len(c.legs); len(contacts) > room {
		contacts = contacts[:max(room, 0)]
	}
	var stages [][]hop
	for _, uri := range contacts {
		h := f.leg.place().redirected(uri, f.res.Status)
		if !c.tried(h, stages) {
			stages = append(stages, []hop{h})
		}
	}
	c.stages = append(stages, c.stages...)
	return len(stages) > 0
}

// listed tells whether the place that was lost and the next one are contacts of
// a 3xx. They are tried one after the other until one answers or sends 6xx,
// whatever the route retries (RFC 3261 section 8.1.3.4), but none after one that
// has rung (flow C8).
func (c *Call) listed() bool {
	f := &c.failure
	return f.leg.place().listed && !f.rang && f.res.Status < 600 && len(c.stages) > 0 && c.stages[0][0].listed
}

// followed tells which redirections name places for this call: 380 names
// another service.
func followed(code int) bool { return code >= 300 && code <= 302 || code == 305 }

// redirected is the hop that a callee names in its place. It belongs to the same
// trunk, of which the callee speaks. 305 names a proxy for the same URI.
func (h hop) redirected(uri string, code int) hop {
	h.listed, h.sent = true, h.sent || !h.ownHost(uri)
	h.next, h.then, h.at = uri, nil, nil
	h.flow, h.others = transport.Flow{}, nil
	if code != 305 {
		h.uri = uri
	}
	h.target.URI = uri
	return h
}

// ownHost tells whether a URI's host is the hop's, or one that its trunk names.
func (h *hop) ownHost(uri string) bool {
	is := func(other string) bool { return strings.EqualFold(bareHost(other), bareHost(uri)) }
	return is(h.next) || h.trunk != nil && (slices.ContainsFunc(h.trunk.Targets, func(e trunk.Endpoint) bool { return is(e.URI) }) ||
		slices.ContainsFunc(h.trunk.Match, func(m string) bool { return strings.EqualFold(m, bareHost(uri)) }))
}

func bareHost(uri string) string {
	u, err := message.ParseURI(uri)
	if err != nil {
		return ""
	}
	return u.BareHost()
}

// tried tells whether a hop was tried before, or is among those to come.
func (c *Call) tried(h hop, stages [][]hop) bool {
	return slices.ContainsFunc(c.legs, func(l *leg) bool { return l.place().same(&h) }) ||
		slices.ContainsFunc(stages, func(s []hop) bool { return s[0].same(&h) })
}

// same tells whether both are one place for one user.
func (h *hop) same(o *hop) bool {
	return spelt(h.uri, true) == spelt(o.uri, true) && spelt(h.next, false) == spelt(o.next, false)
}

// spelt writes a URI in one way, or only the host, port and transport of it.
func spelt(uri string, whole bool) string {
	u, err := message.ParseURI(uri)
	if err != nil {
		return uri
	}
	transport, _ := u.Params.Get("transport")
	u.Params.Del("transport")
	u.Host = strings.ToLower(u.Host)
	if !whole {
		u.User, u.Password, u.Params = "", "", nil
	}
	return strings.ToLower(cmp.Or(transport, "udp")) + " " + u.String()
}

// byQ lists the URIs of a response's contacts that can be dialled, those with
// the highest q first, without the headers that they may bring.
func byQ(res *message.Message) []string {
	type contact struct {
		uri string
		q   float64
	}
	var list []contact
	for _, text := range res.List("Contact") {
		a, err := message.ParseAddr(text)
		if err != nil || !dialable(a.URI) {
			continue
		}
		u, err := message.ParseURI(a.URI)
		if err != nil {
			continue
		}
		u.Headers = ""
		q := 1.0
		if text, ok := a.Params.Get("q"); ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || q < 0 || q > 1 {
				q = 0
			}
		}
		list = append(list, contact{u.String(), q})
	}
	slices.SortStableFunc(list, func(a, b contact) int { return cmp.Compare(b.q, a.q) })
	uris := make([]string, 0, len(list))
	for _, c := range list {
		uris = append(uris, c.uri)
	}
	return uris
}
