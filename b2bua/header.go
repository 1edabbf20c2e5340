package b2bua

import (
	"slices"
	"strconv"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/trunk"
)

// allow lists what crosses or is answered here.
const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, NOTIFY, PRACK, UPDATE, REFER, SUBSCRIBE"

// extensions are the option tags that we understand in Require (RFC 3261 section
// 8.2.2.3).
const extensions = "100rel, norefersub, replaces, timer"

// accept is what a body may be; others cross as they are.
const accept = "application/sdp"

// maxForwards is the first value of a request of ours (RFC 3261 section 8.1.1.6).
const maxForwards = 70

// rules says which headers cross towards a leg: the route's, over its trunk's.
func (c *Call) rules(l *leg) *trunk.Headers {
	if l.rule == nil {
		h := trunk.Headers{}
		if l.role == RoleB {
			h = c.route.Headers
		}
		if l.trunk != nil {
			h = h.Merge(l.trunk.Headers)
		}
		l.rule = &h
	}
	return l.rule
}

// crossHeaders copies what may cross between two legs and applies the rule's own
// fields.
func (o *owner) crossHeaders(out, in *message.Message, from, to *leg, rules *trunk.Headers) {
	for i := range in.Headers {
		h := &in.Headers[i]
		if rules.Crosses(h.Name) && (o.source.Account == "" || !isCredentials(h.Name)) {
			out.Headers = append(out.Headers, *h)
		}
	}
	if len(in.Body) == 0 {
		out.Del("Content-Type")
	}
	if t := to.trunk; t != nil && t.Diversion != message.AnyDiversion {
		out.TellDiversion(t.Diversion)
	}
	o.guardIdentity(out, in, from, to)
	writeIdentities(out, from, to)
	o.veiling(in, from, to).headers(out)
	out.Replace(rules.Set)
}

// shown asks a hook about a message that was built to cross, with those of the
// peer's headers in sight that will not: a script may decide by them. What it
// leaves as it is stays behind; what it writes crosses.
func shown(out, from *message.Message, rules *trunk.Headers, ask func() Decided) Decided {
	var hidden []message.Header
	for _, h := range from.Headers {
		if _, there := out.Lookup(h.Name); !there && !rules.Crosses(h.Name) && !trunk.Owned(h.Name) {
			hidden = append(hidden, h)
		}
	}
	out.Headers = append(out.Headers, hidden...)
	d := ask()
	kept := out.Headers[:0]
	for _, h := range out.Headers {
		if i := slices.Index(hidden, h); i >= 0 {
			hidden = slices.Delete(hidden, i, i+1)
			continue
		}
		kept = append(kept, h)
	}
	out.Headers = kept
	return d
}

// buildInvite is the INVITE of a B leg before the script sees it: our own
// dialog, the caller's From, To and body, and the headers that cross.
func (c *Call) buildInvite(l *leg) *message.Message {
	callID := c.server.newCallID()
	if c.route.KeepCallID {
		callID = c.invite.CallID()
	}
	m := &message.Message{Method: "INVITE", URI: l.place().uri, Body: c.invite.Body, Raw: c.invite.Raw, Headers: make([]message.Header, 0, 24)}
	l.place().addRoutes(m)
	m.Add("Max-Forwards", hops(c.invite))
	m.Add("From", message.WithTag(c.fromFor(c.invite, l), c.server.newTag()))
	m.Add("To", message.WithTag(c.invite.Get("To"), ""))
	m.Add("Call-ID", callID)
	m.Add("CSeq", "1 INVITE")
	m.Add("Contact", l.contact())
	rules := c.rules(l)
	writeNumbers(m, c.a, l)
	c.veiling(c.invite, c.a, l).parties(m)
	c.crossHeaders(m, c.invite, c.a, l, rules)
	c.introduce(m)
	l.timing = c.newTimer(l)
	l.timing.Ask(m)
	if c.offers100rel(l) {
		m.AddToken("Supported", "100rel")
	}
	if c.a.peer.requires && c.prack(l) == trunk.PassPRACK {
		m.AddToken("Require", "100rel")
	}
	m.Replace(l.place().target.Headers)
	c.replacing(m)
	return m
}

// hops is the Max-Forwards of what a request becomes on the other leg: one less.
// A request that may go no further is refused where it comes in, but for a BYE
// or an ACK, which end here and are said anew.
func hops(from *message.Message) string {
	n, err := strconv.Atoi(from.Get("Max-Forwards"))
	if err != nil || n < 1 || n > 255 {
		n = maxForwards + 1
	}
	return strconv.Itoa(n - 1)
}

// introduce adds what we are and can (RFC 3261 section 20.5).
func (o *owner) introduce(m *message.Message) {
	m.Set("Allow", allow)
	if m.Method == "INVITE" {
		m.AddToken("Supported", "replaces")
		m.AddToken("Supported", "norefersub")
	}
	o.sign(m)
}

// sign says whose message it is, unless it says so itself.
func (o *owner) sign(m *message.Message) {
	name := "Server"
	if m.IsRequest() {
		name = "User-Agent"
	}
	if _, there := m.Lookup(name); !there && o.server.cfg.UserAgent != "" {
		m.Add(name, o.server.cfg.UserAgent)
	}
}

// inDialog builds a request in a dialog (RFC 3261 section 12.2.1.1).
func (o *owner) inDialog(d *talk, method string, cseq uint32) *message.Message {
	uri, routes, _ := d.Path()
	m := &message.Message{Method: method, URI: uri, Headers: make([]message.Header, 0, 12)}
	for _, r := range routes {
		m.Add("Route", r)
	}
	m.Add("Max-Forwards", strconv.Itoa(maxForwards))
	m.Add("From", message.WithTag(d.LocalURI, d.Local))
	m.Add("To", message.WithTag(d.RemoteURI, d.Remote))
	m.Add("Call-ID", d.CallID)
	setSeq(m, cseq)
	if ua := o.server.cfg.UserAgent; ua != "" && method != "ACK" {
		m.Add("User-Agent", ua)
	}
	return m
}

func setSeq(m *message.Message, cseq uint32) {
	m.Set("CSeq", strconv.FormatUint(uint64(cseq), 10)+" "+m.Method)
}

// responseTo builds a response to a request; the To tag is set when it has
// none. Record-Route is echoed where a dialog may begin (section 12.1.1).
func (*owner) responseTo(req *message.Message, code int, reason, tag string) *message.Message {
	res := req.Respond(code, reason, tag)
	if (req.Method == "INVITE" || subscribes(req.Method)) && code > 100 && code < 300 {
		for i := range req.Headers {
			if message.Same(req.Headers[i].Name, "Record-Route") {
				res.Headers = append(res.Headers, req.Headers[i])
			}
		}
	}
	return res
}

// toCaller is a callee's response as the caller will see it.
func (c *Call) toCaller(l *leg, res *message.Message, tag string) *message.Message {
	out := c.responseTo(c.invite, res.Status, res.Reason, tag)
	c.crossHeaders(out, res, l, c.a, c.rules(c.a))
	out.Body = res.Body
	out.Raw = res.Raw
	return out
}

// failureOf is a failure made here, not yet sent.
func (c *Call) failureOf(code int, reason string) *message.Message {
	res := c.responseTo(c.invite, code, reason, c.a.dialog.Local)
	if code == 503 {
		res.Set(later().Name, later().Value)
	}
	return res
}

// finalize lets the script and the response maps of the script and the
// caller's trunk see a failure before it goes to the caller.
func (c *Call) finalize(res *message.Message, origin Origin) {
	c.sign(res)
	if c.wants(HookFinal) {
		c.router.Final(c.view(), res, origin)
	}
	if c.a.trunk == nil {
		return
	}
	if m, ok := c.a.trunk.Responses.Apply(res.Status, string(origin), res.Q850()); ok {
		defer c.mapped(res, c.unmapped(res), c.a.trunk.Name)
		tellAs(res, m)
	}
	explain(c.a.trunk, res)
}

// tellAs makes of a failure what a response map says.
func tellAs(res *message.Message, m trunk.Mapped) {
	res.Status, res.Reason = m.Code, m.Reason
	if m.Q850 != 0 {
		res.Set("Reason", reasonQ850(m.Q850))
	}
	res.Replace(m.Headers)
}

// tellRefusal does so where no call was made of an INVITE, and no script is asked.
// What its sender is to answer, a challenge or a longer timer, stays, and so does
// what is about a dialog.
func tellRefusal(t *trunk.Trunk, req, res *message.Message) {
	if t == nil || req.ToTag() != "" || res.Status == 401 || res.Status == 407 || res.Status == 422 {
		return
	}
	if m, ok := t.Responses.Apply(res.Status, string(OriginLocal), res.Q850()); ok {
		tellAs(res, m)
	}
}

// respond sends a response on a leg: the outbound profile is the last to see it.
func (o *owner) respond(tx *transaction.Server, l *leg, res *message.Message) {
	if res.Status > 100 && o.wants(HookOutbound) {
		o.router.Outbound(l.view(), res)
	}
	if tx.Respond(res) {
		o.sent(l, res, tx.Sent())
	}
}

// sent tells the observers of a message that left.
func (o *owner) sent(l *leg, m *message.Message, b []byte) {
	if w := o.server.settings().Leaks; w != nil {
		o.watchLeaks(w, l, m, b)
	}
	if len(o.server.cfg.Observers) > 0 {
		o.tell(Event{Kind: EventSent, Leg: l.view(), Message: m, Bytes: b, Rules: l.rule})
	}
}
