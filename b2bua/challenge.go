package b2bua

import (
	"strings"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// proof is what the credentials of a request have shown. It is made once: the
// nonce counts that it used up are gone.
type proof struct {
	outcome digest.Outcome
	role    digest.Role
	user    string // of OK
	claimed string // of OK and Wrong: who he says he is
}

// prove checks the credentials of a request for the configured realm, before
// anybody is asked about it. Without configured users nothing is proved.
func (s *Server) prove(req *message.Message, f transport.Flow, set *Settings) proof {
	if set.Users == nil || req.Method == "CANCEL" || !hasCredentials(req) {
		return proof{}
	}
	for _, role := range [...]digest.Role{digest.UAS, digest.Proxy} {
		if p := s.verify(req, f, set.Realm, role, set.Users); p.outcome != digest.Absent {
			return p
		}
	}
	return proof{}
}

func (s *Server) verify(req *message.Message, f transport.Flow, realm string, role digest.Role, users Users) proof {
	p := proof{role: role}
	p.claimed, p.outcome = s.digest.Load().At(placeOf(f)).Verify(req, realm, role, users)
	if p.outcome == digest.OK {
		p.user = p.claimed
	}
	return p
}

// refusal is the answer to credentials that prove nothing: a fresh challenge,
// the same for known and unknown users.
func (s *Server) refusal(f transport.Flow, realm string, p proof) (code int, headers []message.Header) {
	if p.outcome == digest.Malformed || p.outcome == digest.OtherURI {
		return 400, nil
	}
	return p.role.Code(), s.digest.Load().At(placeOf(f)).Challenge(realm, p.role, p.outcome)
}

// verdict is what the answer to a script's challenge has shown.
type verdict struct {
	user    string // "": nobody; then what to answer
	code    int
	headers []message.Header
}

// examined brings a verdict that had to wait.
type examined struct {
	asked int // the question that the challenge answered
	verdict
}

func (examined) event() {}

// examine checks a request against a script's challenge. Where somebody guesses that
// user's password it is not done: the verdict comes as an event, see hold.
func (o *owner) examine(req *message.Message, from *leg, e Challenge) (v verdict, done bool) {
	set := o.server.settings()
	realm, users := e.Realm, e.Users
	if realm == "" {
		realm = set.Realm
	}
	if users == nil {
		users = set.Users
	}
	if users == nil {
		o.log().Error("a challenge without users: none are configured and the script names none")
		return verdict{code: 500}, true
	}
	role := digest.UAS
	if e.Proxy {
		role = digest.Proxy
	}
	p, pause, ok := o.proof, time.Duration(0), true
	if _, known := users(p.user); p.outcome != digest.OK || realm != set.Realm || !known {
		if p = (proof{outcome: o.proof.outcome, role: role}); e.Users != nil || realm != set.Realm || o.proof.role != role {
			p = o.server.verify(req, from.flow, realm, role, users)
			if o.proof.claimed == "" { // else it has waited already
				pause, ok = o.server.pause(from.flow, p)
			}
			o.server.note(req, from.flow, from.trunk, p)
		}
	}
	if !ok {
		return verdict{code: 503, headers: []message.Header{later()}}, true
	}
	if v.user = p.user; p.outcome != digest.OK {
		v.code, v.headers = o.server.refusal(from.flow, realm, p)
		v.user = ""
	}
	if pause > 0 {
		o.holdBack(v, p.claimed, pause)
	}
	return v, pause == 0
}

// holdBack posts a verdict when its pause is over.
func (o *owner) holdBack(v verdict, claimed string, pause time.Duration) {
	asked := o.asked
	time.AfterFunc(pause, func() {
		o.server.door.Answered(claimed)
		if o.server.ctx.Err() == nil {
			o.post(examined{asked, v})
		}
	})
}

// challenge obeys a script that wants to know who calls: the hook is asked again
// once that is proved, and a second challenge is its default.
func (c *Call) challenge(e Challenge) phase {
	if c.proven {
		return c.defaultRoute()
	}
	v, done := c.examine(c.invite, c.a, e)
	if !done {
		return (*Call).routing
	}
	return c.judged(v)
}

func (c *Call) judged(v verdict) phase {
	if v.user != "" {
		c.proven, c.source.Account = true, v.user
		return c.consult()
	}
	res := c.failureOf(v.code, "")
	res.Headers = append(res.Headers, v.headers...)
	c.sign(res) // no response map: the code is the protocol
	c.record.Code, c.record.Reason = res.Status, res.Reason
	c.respond(c.a.tx, c.a, res)
	return c.clear(goodbye{by: "script"})
}

// challenge does so for a request outside calls.
func (t *txn) challenge(e Challenge) {
	if t.proven {
		t.byDefault()
		return
	}
	if v, done := t.examine(t.req, t.a, e); done {
		t.judged(v)
	}
}

func (t *txn) judged(v verdict) {
	if v.user != "" {
		t.proven, t.source.Account = true, v.user
		t.decide()
		return
	}
	t.refuse(v.code, v.headers)
}

// refuse answers with all of these fields.
func (t *txn) refuse(code int, headers []message.Header) {
	res := t.responseTo(t.req, code, "", t.tag)
	res.Headers = append(res.Headers, headers...)
	t.conclude(res)
}

// hasCredentials spares most requests the rest.
func hasCredentials(req *message.Message) bool {
	_, to := req.Lookup("Authorization")
	_, through := req.Lookup("Proxy-Authorization")
	return to || through
}

// isCredentials tells the answers to challenges. Those to ours concern nobody
// else.
func isCredentials(name string) bool {
	return strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "Proxy-Authorization")
}

// endToEnd are the fields of a challenge and its answer.
var endToEnd = [...]string{"WWW-Authenticate", "Authorization", "Proxy-Authenticate", "Proxy-Authorization", "Authentication-Info"}

// carryProofs lets the peer prove itself to a target, and the target to it,
// where nobody here has asked for a proof or has one to give.
func (t *txn) carryProofs(out, from *message.Message, target *leg) {
	if t.source.Account != "" || target.account() != nil {
		return
	}
	for _, name := range endToEnd {
		if _, there := out.Lookup(name); there {
			continue
		}
		for _, v := range from.All(name) {
			out.Add(name, v)
		}
	}
}

// authorize answers a target's challenge and sends the request again (RFC 3261
// section 22.2); false when there is no answer.
func (t *txn) authorize(a *attempt) bool {
	again := t.withCredentials(a.leg, a.out, a.res)
	if again == nil {
		return false
	}
	n, _, _ := again.CSeq()
	setSeq(again, n+1)
	a.over, a.res = false, nil
	t.send(a, again)
	return true
}
