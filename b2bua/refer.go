package b2bua

import (
	"context"
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// referral is a REFER that has come and is not answered yet: the script is
// asked, or the call that its Replaces names. There is one at a time.
type referral struct {
	request
	near *talk
	to   *leg
	far  *talk
	said string // its Refer-To, before a script has written another
}

// refer takes a REFER in a dialog (RFC 3515 section 2.4.2). The script decides,
// else the route, whether it crosses, is obeyed here, or is refused.
func (c *Call) refer(r *referral, stay phase) phase {
	if _, err := r.req.ReferTo(); err != nil {
		c.reply(r.request, 400, nil)
		return stay
	}
	if c.referral != nil || c.transfer != nil || !c.answered && c.route.Refer != PassRefer {
		c.reply(r.request, 491, nil)
		return stay
	}
	if !c.answered { // the question that is open then is another
		c.referral, r.said = r, r.req.Get("Refer-To")
		c.passRefer()
		return stay
	}
	c.referral, r.said = r, r.req.Get("Refer-To")
	if !c.wants(HookRefer) {
		return c.referDecided(Decided{})
	}
	r.req = r.req.Clone()
	v, from := c.view(), r.leg.view()
	c.ask(func(ctx context.Context) Decided { return c.router.Refer(ctx, v, from, r.req) })
	return stay
}

// referDecided does what on_refer has decided, or the route.
func (c *Call) referDecided(d Decided) phase {
	r := c.referral
	if r == nil {
		return (*Call).talking
	}
	if d.Decision != nil || d.Where != "" {
		c.decidedBy("on_refer", d)
	}
	switch e := d.Decision.(type) {
	case Pass:
		c.passRefer()
		return (*Call).talking
	case Transfer:
		return c.obeyRefer(e.Targets)
	case Reject:
		c.refuseRefer(e.Code, e.Reason, e.Headers)
		return (*Call).talking
	}
	switch c.route.Refer {
	case LocalRefer:
		return c.obeyRefer(nil)
	case RejectRefer:
		c.refuseRefer(603, "", nil)
	default:
		c.passRefer()
	}
	return (*Call).talking
}

// refuseRefer answers the REFER that is open with a failure.
func (c *Call) refuseRefer(code int, reason string, headers []message.Header) {
	r := c.referral
	c.referral = nil
	c.replyWith(r.request, Reply{Code: code, Reason: reason, Headers: headers})
}

// passRefer lets the REFER cross. When it names a dialog of ours, the far end
// knows that by the ids of its other leg; whose call that is must be asked.
func (c *Call) passRefer() {
	to, err := c.referral.req.ReferTo()
	if err != nil { // the script wrote it
		c.refuseRefer(400, "", nil)
		return
	}
	if to.Replaces == nil {
		c.pointRefer(to, match{code: 481})
		return
	}
	c.seek(*to.Replaces, func(m match) phase {
		if m.code == 0 {
			to.Replaces = &m.replaces
			if pointsAt(to.URI, m.contact) {
				to.URI = m.target
			}
		}
		c.pointRefer(to, m)
		return nil
	})
}

// pointRefer lets the REFER cross with this Refer-To, which is another than it came
// with where its Replaces has a match. A place that is hidden from who gets it becomes
// one of ours, unless a script has named it.
func (c *Call) pointRefer(to message.ReferTo, m match) {
	r, another := c.referral, m.code == 0
	c.rules(r.to)
	if v := c.veiling(r.req, r.leg, r.to); v != nil && r.req.Get("Refer-To") == r.said {
		if at := v.placed(to.URI, m.party); at != to.URI {
			to.URI, another = at, true
		}
	}
	if another {
		r.req = r.req.Clone()
		r.req.Set("Refer-To", to.String())
	}
	c.crossRefer()
}

func (c *Call) crossRefer() {
	r := c.referral
	c.referral = nil
	x := &exchange{call: c, from: r.leg, to: r.to, near: r.near, far: r.far, tx: r.tx, req: r.req, method: "REFER"}
	c.cross(x, r.request)
	if x.done {
		return
	}
	cseq, _, _ := r.req.CSeq()
	if len(c.referred) == maxReferred {
		c.referred = append(c.referred[:0], c.referred[1:]...)
	}
	c.referred = append(c.referred, referred{from: r.near, to: r.far, near: cseq, far: x.cseq})
}

// pointsAt tells whether a URI leads to a Contact of ours.
func pointsAt(uri, contact string) bool {
	a, err := message.ParseURI(uri)
	if err != nil || !a.IsSIP() {
		return false
	}
	b, err := message.ParseURI(message.URIOf(contact))
	port := func(u message.URI) int {
		if u.Port == 0 {
			return 5060
		}
		return u.Port
	}
	return err == nil && strings.EqualFold(a.Host, b.Host) && port(a) == port(b)
}

// referred is a REFER that crossed. The subscription that it makes is told from
// others by the number of its CSeq (RFC 3515 section 2.4.6), which differs on
// each leg.
type referred struct {
	from, to  *talk
	near, far uint32
}

// maxReferred is how many of them a call remembers.
const maxReferred = 8

// renumber gives an Event of the package refer that crosses the id that the
// other leg knows.
func (c *Call) renumber(x *exchange, out *message.Message) {
	if len(c.referred) == 0 || x.method != "NOTIFY" && x.method != "SUBSCRIBE" {
		return
	}
	event := out.Get("Event")
	kind, params, _ := strings.Cut(event, ";")
	id, ok := message.ParamIn(params, "id")
	n, err := strconv.ParseUint(id, 10, 32)
	if !ok || err != nil || !strings.EqualFold(strings.TrimSpace(kind), "refer") {
		return
	}
	for _, r := range c.referred {
		switch {
		case x.far == r.from && uint32(n) == r.far:
			out.Set("Event", "refer;id="+strconv.FormatUint(uint64(r.near), 10))
			return
		case x.far == r.to && uint32(n) == r.near:
			out.Set("Event", "refer;id="+strconv.FormatUint(uint64(r.far), 10))
			return
		}
	}
}
