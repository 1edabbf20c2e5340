package b2bua

import (
	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// account is what answers a leg's challenges: the target's credentials, else
// its trunk's; nil: none.
func (l *leg) account() *trunk.Auth {
	switch {
	case l.place().sent:
	case l.place().target.Auth != nil:
		return l.place().target.Auth
	case l.trunk != nil:
		return l.trunk.Auth
	}
	return nil
}

// withCredentials is a request once more with what its 401 or 407 asks for (RFC
// 3261 section 22); its CSeq is still to be set. nil: the leg has no account, or
// the peer refuses it.
func (o *owner) withCredentials(l *leg, req, res *message.Message) *message.Message {
	account := l.account()
	if account == nil || res.Status != 401 && res.Status != 407 {
		return nil
	}
	if l.digest == nil {
		l.digest = &digest.Client{}
	}
	headers, err := l.digest.Answer(res, req, func(string) (digest.Credentials, bool) {
		return digest.Credentials{User: account.User, Password: account.Password}, true
	})
	if err != nil {
		o.log().Warn("challenge can't be answered", "leg", l.role.String(), "method", req.Method, "code", res.Status,
			"trunk", l.trunkName(), "err", err)
		return nil
	}
	again := req.Clone()
	again.Del("Authorization")
	again.Del("Proxy-Authorization")
	again.Headers = append(again.Headers, headers...)
	return again
}

func (l *leg) trunkName() string {
	if l.trunk == nil {
		return ""
	}
	return l.trunk.Name
}

// authorize adds to a new request in a dialog what saves it a challenge, and to
// an ACK what its INVITE had (RFC 3261 section 22.1).
func (l *leg) authorize(req *message.Message) {
	switch {
	case l.digest == nil:
	case req.Method == "ACK":
		req.Headers = append(req.Headers, l.proof...)
	default:
		req.Headers = append(req.Headers, l.digest.Authorize(req)...)
		l.keepProof(req)
	}
}

// keepProof keeps an INVITE's credentials for its ACK.
func (l *leg) keepProof(req *message.Message) {
	if req.Method == "INVITE" {
		l.proof = digest.ForACK(req)
	}
}

// challenged answers the challenge of a callee's INVITE, and tells whether the
// leg goes on.
func (c *Call) challenged(l *leg, res *message.Message) bool {
	again := c.withCredentials(l, l.invite, res)
	if again == nil {
		return false
	}
	l.keepProof(again)
	c.resend(l, again)
	return true
}
