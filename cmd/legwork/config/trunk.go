package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"legwork/b2bua/message"
)

func (r *reader) trunks(c *Config) {
	owner := map[string]string{}
	for _, name := range slices.SortedFunc(maps.Keys(c.Trunks), r.asWritten(c)) {
		t := c.Trunks[name]
		at := entry{&c.Trunks, name}
		if !isName(name) {
			r.refuse(at, fmt.Sprintf("trunks: %q is not a name", name), nameCure)
		}
		if len(t.Match) == 0 && len(t.Targets) == 0 && !r.at[t].wrong && !r.at[&t.Match].wrong && !r.at[&t.Targets].wrong {
			r.refuse(at, fmt.Sprintf("trunk %q has neither match nor targets", name), "give it one of them")
		}
		r.sources(name, t, owner)
		for i := range t.Targets {
			r.target(&t.Targets[i], c.Listen)
		}
		r.headers(&t.Headers)
		r.codecs(&t.Codecs)
		r.q850(&t.Q850)
		r.numbers(t.Numbers)
		r.profile(t.Profile)
		r.listenerOf(name, t, c.Listen)
		r.auth(t.Auth)
		r.register(t)
		r.health(t)
		if t.Timer != nil {
			r.ascending("trunks."+name+".timer", "min", &t.Timer.Min, "expires", &t.Timer.Expires)
		}
	}
}

// asWritten orders trunks as they stand in the file: the later of two that
// claim one source is the one refused.
func (r *reader) asWritten(c *Config) func(a, b string) int {
	return func(a, b string) int {
		x, y := r.at[entry{&c.Trunks, a}], r.at[entry{&c.Trunks, b}]
		if x.line != y.line {
			return x.line - y.line
		}
		return x.col - y.col
	}
}

func (r *reader) listenerOf(trunk string, t *Trunk, all []Listener) {
	if t.Listen == "" {
		return
	}
	names := namesOf(all)
	i := slices.Index(names, t.Listen)
	if i < 0 {
		r.refuse(&t.Listen, fmt.Sprintf("listen: no listener %q", t.Listen), didYouMean(t.Listen, names))
		return
	}
	own := all[i].Transport
	fits := func(to Target) bool { return transportOf(to.URI) == own }
	if len(t.Targets) > 0 && !slices.ContainsFunc(t.Targets, fits) {
		r.warn(&t.Listen, fmt.Sprintf("listen: %q is for %s, and no target of trunk %q is: its calls leave from another listener", t.Listen, own, trunk),
			"name a listener of their transport, or write ;transport="+own+" behind them")
	}
}

func namesOf(all []Listener) []string {
	names := make([]string, 0, len(all))
	for _, l := range all {
		names = append(names, l.Name)
	}
	return names
}

func (r *reader) auth(a *Auth) {
	if a == nil || r.at[a].wrong {
		return
	}
	r.required(a, &a.User, "user", "the name that the neighbour knows us by")
	if a.User != "" && !isUser(a.User) {
		r.refuse(&a.User, fmt.Sprintf("user: %q is not the name of a user", a.User), userCure)
	}
	_, written := r.at[&a.Password]
	switch {
	case !written:
		r.refuse(a, "password is missing", "such as !file secrets/carrier or ${NAME}")
	case a.Password == "":
		r.refuse(&a.Password, "password is missing", "such as !file secrets/carrier or ${NAME}")
	case !isPrintable(string(a.Password)):
		r.refuse(&a.Password, "password: control character", "remove it")
	}
}

// sources checks a trunk's match. owner remembers who claimed a source;
// prefixes within each other are fine, since the longest wins.
func (r *reader) sources(name string, t *Trunk, owner map[string]string) {
	for i := range t.Match {
		at := &t.Match[i]
		if r.at[at].wrong {
			continue
		}
		source, msg, cure := sourceOf(*at)
		if msg != "" {
			r.refuse(at, "match: "+msg, cure)
			continue
		}
		switch other, taken := owner[source]; {
		case !taken:
			owner[source] = name
		case other == name:
			r.refuse(at, fmt.Sprintf("match: %s is listed twice", *at), "remove one of them")
		default:
			cure := "remove one of them"
			if strings.Contains(source, "/") {
				cure += ", or narrow one to a longer prefix"
			}
			r.refuse(at, fmt.Sprintf("match: %s belongs to trunk %q already", *at, other), cure)
		}
	}
}

// sourceOf is the one spelling of a source: a prefix, a host name in lower case,
// a user or a listener. msg is not empty when s is neither.
func sourceOf(s string) (source, msg, cure string) {
	if user, ok := strings.CutPrefix(s, "user:"); ok {
		if !isUser(user) {
			return "", fmt.Sprintf("%q is not the name of a user", user), userCure
		}
		return s, "", ""
	}
	if strings.HasPrefix(s, "listener:") {
		return s, "", ""
	}
	if ip, err := netip.ParseAddr(unbracketed(s)); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()).String(), "", ""
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil || p.Addr().Is4In6():
			return "", fmt.Sprintf("%q is not a CIDR", s), `such as "192.0.2.0/24"`
		case p != p.Masked():
			return "", fmt.Sprintf("%s has bits set behind its prefix", s), "write " + p.Masked().String()
		}
		return p.String(), "", ""
	}
	if !isHostName(s) {
		return "", fmt.Sprintf("%q is no CIDR, IP address, host name, user:NAME or listener:NAME", s), `such as "192.0.2.1", "192.0.2.0/24" or "sip.carrier.example"`
	}
	return strings.ToLower(strings.TrimSuffix(s, ".")), "", ""
}

func (r *reader) target(t *Target, all []Listener) {
	r.required(t, &t.URI, "uri", `such as "sip:192.0.2.1:5060"`)
	if t.URI == "" {
		return
	}
	if msg, cure := targetFault(t.URI); msg != "" {
		r.refuse(&t.URI, message.Mask(fmt.Sprintf("target %q: %s", t.URI, msg)), message.Mask(cure))
		return
	}
	by := transportOf(t.URI)
	if by != "udp" && !slices.ContainsFunc(all, func(l Listener) bool { return l.Transport == by }) {
		r.warn(&t.URI, fmt.Sprintf("target %q: there is no listener for %s, from which its calls could leave", t.URI, by), "add one to listen")
	}
}

// unbracketed is an IPv6 address without the brackets that it has in a URI.
func unbracketed(s string) string {
	if bare, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(bare, "]") && strings.Contains(bare, ":") {
		return bare[:len(bare)-1]
	}
	return s
}

// targetFault says what keeps uri from being dialled. It reads no more than
// that takes; the engine parses the URI again.
func targetFault(uri string) (msg, cure string) {
	scheme, rest, _ := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips":
	case "tel", "mailto", "http", "https":
		return "a target is a SIP URI", `such as "sip:192.0.2.1:5060"; the number of a call is that of its Request-URI, or user of a target in a script`
	default:
		return "a target is a SIP URI", fmt.Sprintf("write %q", "sip:"+uri)
	}
	if !isPrintable(uri) || strings.ContainsAny(uri, " \t<>\"") {
		return "a space, quote, angle bracket or control character", "write the URI alone"
	}
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	host, params, _ := strings.Cut(rest, ";")
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		bare, bracketed = strings.CutSuffix(bare, "]")
	}
	if !(isHost(bare) && bracketed == strings.Contains(bare, ":")) && !isHostPort(host) {
		return fmt.Sprintf("%q is not a host", host), `such as "sip:192.0.2.1:5060"`
	}
	for p := range strings.SplitSeq(params, ";") {
		key, transport, _ := strings.Cut(strings.ToLower(p), "=")
		switch {
		case key != "transport" || transport == "tcp" || transport == "tls" || transport == "udp" && !strings.EqualFold(scheme, "sips"):
		case transport == "udp":
			return "sips can't go over udp", "write sip:, or remove the transport"
		case transport == "ws" || transport == "wss":
			return "a WebSocket client can't be dialled", "it is reached where it has registered"
		default:
			return "unknown transport " + transport, "known: udp, tcp, tls"
		}
	}
	return "", ""
}

// transportOf is what a target is reached by.
func transportOf(uri string) string {
	if len(uri) > 4 && strings.EqualFold(uri[:5], "sips:") {
		return "tls"
	}
	_, transport, given := strings.Cut(strings.ToLower(uri), ";transport=")
	if !given {
		return "udp"
	}
	if end := strings.IndexAny(transport, ";?"); end >= 0 {
		transport = transport[:end]
	}
	return transport
}

func (r *reader) headers(h *Headers) {
	for i := range h.Pass {
		r.pattern(&h.Pass[i])
	}
	for i := range h.Drop {
		r.pattern(&h.Drop[i])
	}
	for name, value := range h.Set {
		at := entry{&h.Set, name}
		r.header(at, name)
		if !isPrintable(value) {
			r.refuse(at, fmt.Sprintf("header %s: control character in the value", name), "remove it")
		}
	}
}

func (r *reader) pattern(at *string) {
	if name, _ := strings.CutSuffix(*at, "*"); strings.Contains(name, "*") && !r.at[at].wrong {
		r.refuse(at, fmt.Sprintf("%q is not a pattern", *at), "* stands at the end alone, such as X-*")
		return
	}
	r.header(at, *at)
}

func (r *reader) header(at any, name string) {
	switch {
	case r.at[at].wrong:
	case !isToken(name):
		r.refuse(at, fmt.Sprintf("%q is not the name of a header", name), "letters, digits and - alone, such as X-Account")
	case slices.Contains(ownedByEngine(), strings.ToLower(name)):
		r.refuse(at, fmt.Sprintf("header %s belongs to the engine", name), "remove it")
	}
}

// ownedByEngine are the headers of transactions, dialogs and framing, with
// their compact forms; no configuration and no script changes them.
func ownedByEngine() []string {
	return []string{
		"via", "v", "call-id", "i", "cseq", "from", "f", "to", "t", "contact", "m", "route", "record-route",
		"max-forwards", "content-length", "l", "rseq", "rack",
	}
}

// isToken follows RFC 3261 section 25.1.
func isToken(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return !isAlphanumeric(c) && !strings.ContainsRune("-.!%*_+`'~", c)
	})
}
