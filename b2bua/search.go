package b2bua

import (
	"slices"
	"strconv"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/refresh"
	"legwork/b2bua/transaction"
	"legwork/b2bua/trunk"
)

// A search is a call without a caller: it looks for somebody to take a
// referrer's place. It is routed by the same script and dials as any other, but
// what its caller would get goes to the call that it searches for, its first 2xx
// becomes a leg of that, and it has no record of its own.

// search begins to look for the target of a REFER; given targets are not asked
// for.
func (c *Call) search(refer *message.Message, targets []Target) {
	t := c.transfer
	invite := c.referredInvite(refer)
	s := &Call{invite: invite, started: time.Now(), phase: (*Call).searching}
	s.onBehalf, s.route, s.seats = c, c.route, c.seats
	c.server.own(&s.owner, s, &admitted{source: c.sourceOf(t.referrer)})
	s.id, s.proven = c.id, c.proven && c.began(t.referrer)
	id := dialog.ID{CallID: invite.CallID(), Local: c.server.newTag(), Remote: invite.FromTag()}
	s.a = &leg{call: s, role: RoleA, trunk: t.referrer.trunk, flow: t.referrer.flow}
	s.a.dialog = &talk{Dialog: *dialog.UAS(id, invite.Get("To"), message.WithTag(invite.Get("From"), ""), message.URIOf(invite.Get("From")), nil, 1)}
	s.a.dialog.carry(offer.INVITE, offer.Remote, true)
	s.a.peer.update = refuses
	s.a.timing = refresh.New(refresh.Terms{Off: true})
	s.router = c.server.cfg.Policy.Router(s)
	s.plain = plain(s.router)
	s.record = &Record{ID: c.id}
	if t.to.Replaces != nil && targets == nil {
		s.replaces = t.to.Replaces
	}
	t.search = s
	c.open++
	s.post(begins{targets})
}

// searches tells the leg that stands for a caller in a search: it has the trunk of
// the referrer, and the session of the survivor.
func (l *leg) searches() bool {
	return l.role == RoleA && l.call != nil && l.call.onBehalf != nil && l == l.call.a
}

// searching is the first phase of a search: where to?
func (c *Call) searching(ev event) phase {
	e, ok := ev.(begins)
	switch {
	case !ok:
		return c.beforeAnswer(ev, (*Call).searching)
	case e.targets == nil:
		return c.consult()
	}
	of := c.route // who was transferred talks by it
	return c.follow(Route{Targets: e.targets, Headers: of.Headers, PRACK: of.PRACK, Timer: of.Timer})
}

// referredInvite is the INVITE that a REFER asks for, as the script sees it: it
// comes from the survivor, whom its callee will talk to, and says who referred
// (RFC 3892).
func (c *Call) referredInvite(refer *message.Message) *message.Message {
	t := c.transfer
	d := t.survivor.dialog
	m := &message.Message{Method: "INVITE", URI: t.to.URI, Body: offer.Awaken(t.survivor.theirs)}
	m.Add("Max-Forwards", strconv.Itoa(maxForwards))
	m.Add("From", message.WithTag(d.RemoteURI, c.server.newTag()))
	m.Add("To", "<"+t.to.URI+">")
	m.Add("Call-ID", c.server.newCallID())
	m.Add("CSeq", "1 INVITE")
	m.Add("Contact", t.survivor.contact())
	m.Add("Referred-By", referredBy(refer, t.referrer))
	if first := c.request(); first != nil && c.began(t.survivor) && c.trust(t.survivor) != trunk.Untrusted {
		copyIdentity(m, first)
	}
	for _, f := range t.to.Fields {
		if harmless(f.Name) {
			m.Add(f.Name, f.Value)
		}
	}
	m.Add("Content-Type", "application/sdp")
	return m
}

// referredBy is what a REFER says of who sends it, else what we know. The token
// that its cid would lead to stays behind with the body of the REFER.
func referredBy(refer *message.Message, referrer *leg) string {
	by, err := message.ParseAddr(refer.Get("Referred-By"))
	if err != nil {
		return "<" + message.URIOf(referrer.dialog.RemoteURI) + ">"
	}
	by.Params.Del("cid")
	return by.String()
}

// copyIdentity keeps what a believed survivor has said of itself, and its privacy.
func copyIdentity(to, from *message.Message) {
	for _, h := range from.Headers {
		for _, name := range [...]string{"P-Asserted-Identity", "Privacy", "Remote-Party-ID"} {
			if message.Same(h.Name, name) {
				to.Headers = append(to.Headers, h)
			}
		}
	}
}

// harmless tells which fields of a Refer-To's URI are taken: those that say
// something to the callee and nothing of who calls (RFC 3261 section 19.1.5).
func harmless(name string) bool {
	return slices.ContainsFunc([]string{"Subject", "User-to-User", "Accept-Contact", "Reject-Contact", "Request-Disposition"},
		func(one string) bool { return message.Same(one, name) })
}

// began tells whether a leg's peer is the caller that the call began with.
func (c *Call) began(l *leg) bool { return l == c.a && l.dialog.CallID == c.record.CallID }

// sourceOf is where a leg's peer is.
func (c *Call) sourceOf(l *leg) Source {
	if c.began(l) {
		return c.source
	}
	s := sourceAt(l.flow)
	if l.trunk != nil {
		s.Trunk, s.Params = l.trunk.Name, l.trunk.Params
	}
	return s
}

// sound brings a response to the caller that a search does not have to the call
// it searches for.
func (c *Call) sound(res *message.Message) {
	if res.Status == 100 || c.silent {
		return
	}
	e := sounded{res: res}
	if res.Status >= 200 {
		c.silent = true
		e.story = c.tale()
	}
	c.onBehalf.post(e)
}

// deliver gives the leg that has answered to who it was searched for, and ends
// the search. res is its 2xx as the script has left it.
func (c *Call) deliver(l *leg, res *message.Message) phase {
	l.keepTheirs(res)
	c.finishAttempt(l, res.Status, res.Reason, OriginPeer)
	c.acknowledge(l, nil)
	c.silent = true
	c.legs = slices.DeleteFunc(c.legs, func(o *leg) bool { return o == l })
	c.give(l, c.onBehalf, c.tale())
	return c.clear(goodbye{})
}

// tale is what a search has lived through; it has nothing more to tell then.
func (c *Call) tale() story {
	s := story{seats: c.seats, attempts: slices.Clone(c.record.Attempts), notes: c.record.Notes, onEnd: c.onEnd}
	c.onEnd = nil
	return s
}

// respond sends a response; what the caller of a search would get, who it
// searches for does.
func (c *Call) respond(tx *transaction.Server, l *leg, res *message.Message) {
	if c.onBehalf != nil && l == c.a {
		c.sound(res)
		return
	}
	if res.Status >= 300 && res.Method == "INVITE" && len(c.server.cfg.Observers) > 0 {
		tx.OnACK(l.witnessed)
	}
	c.owner.respond(tx, l, res)
}
