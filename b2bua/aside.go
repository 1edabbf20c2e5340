package b2bua

import (
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// aside takes the requests that do not cross because of a transfer: those of a
// leg that stands beside the two that talk, those of a survivor whose referrer
// has gone, and those about the transfer itself. It tells whether the request
// was one of them.
func (c *Call) aside(e request, stay phase) (next phase, taken bool) {
	t := c.transfer
	switch {
	case c.onBehalf != nil && e.req.Method != "UPDATE" && e.req.Method != "BYE":
		c.reply(e, 480, nil) // a search has nobody to bring it to
		return stay, true
	case !c.answered || e.leg.dialog == nil || e.leg.dialog.Remote != e.req.FromTag() || !c.server.knows(e.leg, e.leg.dialog, e.tx.Flow()):
		return stay, false
	case e.leg != c.a && e.leg != c.b:
		return c.standsBeside(e, stay)
	case t == nil:
		return stay, false
	case e.leg == t.referrer && (t.gone || e.req.Method == "BYE"):
		return c.leaves(e, stay)
	case e.leg == t.referrer && e.req.Method == "SUBSCRIBE" && t.sub.means(e.req):
		return c.resubscribed(e, stay)
	case e.leg == t.survivor && t.gone && e.req.Method != "BYE":
		if c.inOrder(e) {
			c.reply(e, waitsFor(e.req.Method), nil)
		}
		return stay, true
	}
	return stay, false
}

// standsBeside takes a request of a leg that has nobody to talk to: the fresh
// one before it is paired, or the referrer behind that.
func (c *Call) standsBeside(e request, stay phase) (phase, bool) {
	if e.leg.state != legAnswered && !e.leg.left || !c.inOrder(e) {
		return stay, e.leg.state == legAnswered || e.leg.left
	}
	if e.req.Method != "BYE" {
		c.reply(e, waitsFor(e.req.Method), nil)
		return stay, true
	}
	c.reply(e, 200, nil)
	c.leave(e.leg)
	return stay, true
}

// leaves takes the BYE of a referrer whose transfer is under way: it ends its own
// leg and nothing else (RFC 5589 section 6). Behind it nothing else may come.
func (c *Call) leaves(e request, stay phase) (phase, bool) {
	if !c.inOrder(e) {
		return stay, true
	}
	if e.req.Method != "BYE" {
		c.reply(e, 481, nil)
		return stay, true
	}
	c.reply(e, 200, nil)
	if c.transfer.gone {
		return stay, true
	}
	c.transfer.gone = true
	c.leave(e.leg)
	return stay, true
}

// leave ends a leg that has said goodbye while the call goes on.
func (c *Call) leave(l *leg) {
	if c.repeat != nil && c.repeat.leg == l {
		c.stopRepeat()
	}
	c.disengage(l)
	l.stopAll()
	l.left, l.state = true, legOver
	c.freeTrunk(l)
	for _, o := range slices.Clone(c.errands) {
		if o.leg == l && o.method != "NOTIFY" {
			o.answered = true
			c.errands = slices.DeleteFunc(c.errands, func(other *errand) bool { return other == o })
		}
	}
}

// disengage breaks off what is on its way between a leg and another: its answer
// must not touch the call any more.
func (c *Call) disengage(l *leg) {
	for _, x := range slices.Clone(c.crossing) {
		if x.from == l || x.to == l {
			x.near.offers.Fail(carrierOf(x.req.Method).request)
			x.far.offers.Fail(carrierOf(x.method).request)
			c.breakOff(x)
		}
	}
}

// inOrder takes the number of a request and answers one that comes too late.
func (c *Call) inOrder(e request) bool {
	c.heard(e.leg, e.req)
	cseq, _, _ := e.req.CSeq()
	if e.leg.dialog.Receive(cseq) != nil {
		c.reply(e, 500, nil)
		return false
	}
	return true
}

// waitsFor is the answer to a request that has no far side at this moment.
func waitsFor(method string) int {
	if method == "INVITE" || method == "UPDATE" {
		return 491
	}
	return 480
}

// subscribed is the implicit subscription of a referrer (RFC 3515 section 2.4):
// it is told by NOTIFY how its transfer goes, one after the other, but the end at
// once.
type subscribed struct {
	call     *Call
	leg      *leg
	cseq     uint32 // of the REFER
	numbered bool   // it is not the first on its leg: its events carry an id
	over     bool   // the referrer does not want to know, or knows the end
	busy     bool   // a NOTIFY is under way
	told     int    // the code it told
	next     *notice
}

// notice is one NOTIFY to come; of several only the last is sent.
type notice struct {
	code   int
	reason string
	last   bool
}

// subscribedFor is how many seconds a referrer is told: longer than anybody
// searches.
const subscribedFor = "3600"

// notify tells the referrer of a response; the last one ends the subscription.
func (s *subscribed) notify(code int, reason string, last bool) {
	if s.over || s.told == code && !last {
		return
	}
	s.told = code
	s.next = &notice{code, reason, last}
	s.over = last
	s.send()
}

func (s *subscribed) send() {
	n := s.next
	if n == nil || s.busy && !n.last {
		return
	}
	s.busy, s.next = true, nil
	s.call.errand(s.leg, "NOTIFY", func(req *message.Message) { s.write(req, n) }, func(res *message.Message) phase {
		s.busy = false
		if res.Status >= 300 { // RFC 6665 section 4.2.2: it is over
			s.over, s.next = true, nil
		}
		s.send()
		return nil
	})
}

// write completes a NOTIFY (RFC 3515 section 2.4.5).
func (s *subscribed) write(req *message.Message, n *notice) {
	event, state := "refer", "active;expires="+subscribedFor
	if s.numbered {
		event += ";id=" + strconv.FormatUint(uint64(s.cseq), 10)
	}
	if n.last {
		state = "terminated;reason=noresource"
	}
	reason := n.reason
	if reason == "" {
		reason = message.ReasonPhrase(n.code)
	}
	req.Set("Event", event)
	req.Set("Subscription-State", state)
	req.Set("Content-Type", "message/sipfrag;version=2.0")
	req.Body = []byte("SIP/2.0 " + strconv.Itoa(n.code) + " " + reason + "\r\n")
}

// means tells whether a SUBSCRIBE is about this subscription.
func (s *subscribed) means(req *message.Message) bool {
	kind, params, _ := strings.Cut(req.Get("Event"), ";")
	id, there := message.ParamIn(params, "id")
	return s != nil && strings.EqualFold(strings.TrimSpace(kind), "refer") &&
		(!there || id == strconv.FormatUint(uint64(s.cseq), 10))
}

// resubscribed takes the referrer's wish to hear on, or no more (RFC 3515 section
// 2.4.7).
func (c *Call) resubscribed(e request, stay phase) (phase, bool) {
	if !c.inOrder(e) {
		return stay, true
	}
	s := c.transfer.sub
	expires := subscribedFor
	if strings.Trim(e.req.Get("Expires"), "0") == "" && e.req.Get("Expires") != "" {
		expires = "0"
	}
	c.reply(e, 200, []message.Header{{Name: "Expires", Value: expires}, {Name: "Contact", Value: e.leg.contact()}})
	code := s.told
	s.told = 0
	s.notify(code, "", expires == "0")
	return stay, true
}
