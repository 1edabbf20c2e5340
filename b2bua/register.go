package b2bua

import (
	"errors"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
)

// filed is the registrar's answer.
type filed struct{ registrar.Result }

func (filed) event() {}

// register is the default of a REGISTER: the registrar takes it, if there is
// one. Where users are configured they must prove who they are, and each may
// register for an address of record whose user is the account, no other.
func (t *txn) register() {
	set := t.server.settings()
	switch {
	case set.Registrar == nil:
		t.refuse(405, []message.Header{{Name: "Allow", Value: t.server.allows()}})
	case t.source.Account == "" && set.Users != nil:
		t.refuse(t.server.refusal(t.a.flow, set.Realm, t.proof))
	case t.source.Account != "" && !owns(t.source.Account, message.URIOf(t.req.Get("To"))):
		t.log().Warn("account registers for somebody else", "account", t.source.Account, "target", message.URIOf(t.req.Get("To")))
		t.refuse(403, nil)
	default:
		t.file(set.Registrar, t.req, 0)
	}
}

// accept stores a REGISTER because the script has said so; whose it is was the
// script's to look at.
func (t *txn) accept(e Accept) {
	r := t.server.settings().Registrar
	switch {
	case t.req.Method != "REGISTER":
		t.unfit(e)
	case r == nil:
		t.log().Error("a script accepts a REGISTER, and no registrar is enabled")
		t.reply(500, "", nil, nil)
	default:
		t.file(r, t.req, e.Expires)
	}
}

// file asks the registrar, outside the mailbox: its store may wait.
func (t *txn) file(r *registrar.Registrar, req *message.Message, expires time.Duration) {
	from := t.origin()
	t.question = func() event { return filed{r.Register(req, from, expires)} }
}

// origin is where a REGISTER came from. Its flow is kept when all contacts are
// the phone's own: then calls go back over it (RFC 5626, flow C32). Behind
// another proxy the Path leads to the phone.
func (t *txn) origin() registrar.Origin {
	f := t.a.flow
	from := registrar.Origin{Source: f.Remote.String(), Transport: f.Network(), Lost: t.server.isLost}
	if len(t.req.List("Path")) > 0 {
		return from
	}
	for _, text := range t.req.List("Contact") {
		a, err := message.ParseAddr(text)
		if err != nil || !a.Params.Has("reg-id") && !writtenBySender(a.URI, t.req, f) {
			return from
		}
	}
	from.Flow = t.server.transport.Token(f)
	return from
}

// registered answers with what the registrar says.
func (t *txn) registered(e filed) {
	switch {
	case e.Err == nil:
	case errors.Is(e.Err, registrar.ErrOutOfOrder):
		t.log().Info("registration refused", "err", e.Err, "code", e.Code)
	default:
		t.log().Error("registration failed", "err", e.Err, "code", e.Code)
	}
	res := t.responseTo(t.req, e.Code, e.Reason, t.tag)
	res.Headers = append(res.Headers, e.Headers...)
	if e.Code == 200 && t.outbound() {
		res.Add("Require", "outbound")
	}
	t.conclude(res)
}

// outbound tells whether a registration is one of RFC 5626 (section 6). The phone
// then keeps its flow alive: over UDP by STUN, which nobody answers here.
func (t *txn) outbound() bool {
	contacts := t.req.List("Contact")
	if !t.a.flow.Stream() || len(contacts) == 0 || len(t.req.List("Path")) > 0 || !t.req.HasToken("Supported", "outbound") {
		return false
	}
	for _, text := range contacts {
		a, err := message.ParseAddr(text)
		if err != nil || !a.Params.Has("reg-id") || !a.Params.Has("+sip.instance") {
			return false
		}
	}
	return true
}
