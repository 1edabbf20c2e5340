package b2bua

import (
	"strings"

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

// examine checks a request against a script's challenge. Without a user it says
// what to answer.
func (o *owner) examine(req *message.Message, from *leg, e Challenge) (user string, code int, headers []message.Header) {
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
		return "", 500, nil
	}
	role := digest.UAS
	if e.Proxy {
		role = digest.Proxy
	}
	p := o.proof
	if _, known := users(p.user); p.outcome != digest.OK || realm != set.Realm || !known {
		if p = (proof{outcome: o.proof.outcome, role: role}); e.Users != nil || realm != set.Realm || o.proof.role != role {
			p = o.server.verify(req, from.flow, realm, role, users)
			o.server.note(req, from.flow, from.trunk, p)
		}
	}
	if p.outcome == digest.OK {
		return p.user, 0, nil
	}
	code, headers = o.server.refusal(from.flow, realm, p)
	return "", code, headers
}

// challenge obeys a script that wants to know who calls: the hook is asked again
// once that is proved, and a second challenge is its default.
func (c *Call) challenge(e Challenge) phase {
	if c.proven {
		return c.defaultRoute()
	}
	user, code, headers := c.examine(c.invite, c.a, e)
	if user != "" {
		c.proven, c.source.Account = true, user
		return c.consult()
	}
	res := c.failureOf(code, "")
	res.Headers = append(res.Headers, headers...)
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
	user, code, headers := t.examine(t.req, t.a, e)
	if user != "" {
		t.proven, t.source.Account = true, user
		t.decide()
		return
	}
	t.refuse(code, headers)
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
