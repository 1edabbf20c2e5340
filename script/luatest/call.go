package luatest

import (
	"fmt"

	"legwork/b2bua"
	"legwork/b2bua/dialog"
	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transaction"
)

// call is one INVITE of a test and what came of it, or a request outside any
// call.
type call struct {
	stage  *stage
	engine string // the engine's id, once it has one
	a      *leg
	b      []*leg // in the order their INVITEs came
}

// leg is an agent's end of one leg. stage.mu guards it.
type leg struct {
	stage  *stage
	agent  *simnet.Agent
	peer   string // the engine's socket for it
	key    string
	name   string // "a", or "b"
	source b2bua.Source
	invite *message.Message    // that began the leg; of t.request, that request
	client *transaction.Client // of an INVITE that was sent from here
	dialog *dialog.Dialog      // nil: no answer with a tag yet
	asked  bool                // the last INVITE that was sent from here had an offer
	media  uint64              // versions of SDP that were sent from here
	got    []*message.Message
	open   []*simnet.Incoming  // requests that have no final answer yet
	called []byte              // offer of the last INVITE that came, nil: none
	auth   *digest.Credentials // answers challenges of invite; nil: nothing does
	proofs digest.Client
}

// keyOf tells legs apart: by Call-ID and the caller's tag towards A, the
// engine's towards B.
func keyOf(callID, tag string) string { return callID + " " + tag }

// Observe learns from the engine which leg belongs to which call. The INVITE
// of a B leg may come to its agent first.
func (s *stage) Observe(ev b2bua.Event) {
	s.remember(ev)
	m := ev.Message
	if m == nil || !m.IsRequest() || m.ToTag() != "" {
		return
	}
	key := keyOf(m.CallID(), m.FromTag())
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ev.Leg.Index == 0 && (ev.Kind == b2bua.EventBegan || ev.Kind == b2bua.EventReceived):
		if l := s.legs[key]; l != nil {
			for _, c := range s.calls {
				if c.a == l {
					c.engine, s.byCall[ev.Call] = ev.Call, c
				}
			}
		}
	case ev.Kind == b2bua.EventSent && ev.Leg.Index > 0 && s.claims[key] == "":
		s.claims[key] = ev.Call
		s.join(key)
	}
}

// join gives a B leg to its call once both are known; s.mu is held.
func (s *stage) join(key string) {
	l, c := s.legs[key], s.byCall[s.claims[key]]
	if l == nil || c == nil || l == c.a {
		return
	}
	c.b = append(c.b, l)
}

// hear takes a message that came to an agent, and does what any phone does by
// itself. It runs in the socket's reader.
func (s *stage) hear(a *simnet.Agent, in *simnet.Incoming) {
	s.mu.Lock()
	l := s.legOf(a, in)
	if l == nil {
		s.mu.Unlock()
		return
	}
	l.got = append(l.got, in.Message)
	take := l.take
	if s.plays != nil {
		take = s.plays(l)
	}
	then := take(in)
	s.mu.Unlock()
	if then != nil {
		then()
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// legOf finds the leg of a message, or begins a B leg; s.mu is held.
func (s *stage) legOf(a *simnet.Agent, in *simnet.Incoming) *leg {
	for _, tag := range []string{in.FromTag(), in.ToTag()} {
		if l := s.legs[keyOf(in.CallID(), tag)]; l != nil {
			return l
		}
	}
	if !in.IsRequest() || in.ToTag() != "" || in.Method == "ACK" || in.Method == "CANCEL" {
		return nil
	}
	peer := in.Flow().Remote
	l := &leg{
		stage: s, agent: a, peer: peer.String(), key: keyOf(in.CallID(), in.FromTag()), name: "b", invite: in.Message,
		source: b2bua.Source{IP: peer.Addr().String(), Port: int(peer.Port())},
	}
	s.legs[l.key] = l
	s.join(l.key)
	return l
}

// take notes a message and returns what is to be sent at once, if anything.
func (l *leg) take(in *simnet.Incoming) (then func()) {
	switch {
	case !in.IsRequest():
		return l.takeResponse(in)
	case in.Method == "ACK":
		return nil
	case in.Method == "BYE":
		return func() { in.Reply(200, nil) }
	case in.Method == "CANCEL":
		return l.takeCancel()
	case in.Method == "INVITE":
		l.called = nil
		if isSDP(in.Message) {
			l.called = in.Body
		}
	}
	l.open = append(l.open, in)
	return nil
}

// takeCancel ends the INVITE: 487 (RFC 3261 section 9.2). The CANCEL itself is
// answered by the transaction.
func (l *leg) takeCancel() func() {
	for i, in := range l.open {
		if in.Method == "INVITE" {
			l.open = append(l.open[:i:i], l.open[i+1:]...)
			return func() { in.Reply(487, nil) }
		}
	}
	return nil
}

// prove sends what began the leg again, with an answer to its challenge; nil
// when there is none.
func (l *leg) prove(in *simnet.Incoming) func() {
	cseq, _, _ := in.CSeq()
	if n, _, _ := l.invite.CSeq(); l.auth == nil || cseq != n || in.Method != l.invite.Method {
		return nil
	}
	again := l.invite.Clone()
	fields, err := l.proofs.Answer(in.Message, again, func(string) (digest.Credentials, bool) { return *l.auth, true })
	if err != nil {
		return nil // no challenge, or one that was answered
	}
	again.Del("Via")
	again.Set("CSeq", fmt.Sprintf("%d %s", cseq+1, again.Method))
	again.Replace(fields)
	l.invite = again
	return func() {
		if client, err := l.agent.Send(again, l.peer); err == nil {
			l.stage.mu.Lock()
			l.client = client
			l.stage.mu.Unlock()
		}
	}
}

// takeResponse acknowledges every 2xx to an INVITE, with an answer when the
// INVITE had no offer.
func (l *leg) takeResponse(in *simnet.Incoming) func() {
	if again := l.prove(in); again != nil {
		return again
	}
	if in.Method != l.invite.Method || !opensDialog(in.Method) {
		return nil
	}
	cseq, _, _ := in.CSeq()
	if first, _, _ := l.invite.CSeq(); l.name == "a" && cseq == first && in.Status > 100 && in.Status < 300 && in.ToTag() != "" {
		if l.dialog == nil || in.Status >= 200 && l.dialog.Remote != in.ToTag() {
			l.dialog = l.agent.Dialog(l.invite, in.Message, false)
		}
	}
	if in.Method != "INVITE" || in.Status/100 != 2 || l.dialog == nil {
		return nil
	}
	ack := l.agent.In(l.dialog, "ACK", cseq)
	if isSDP(in.Message) && !l.asked {
		l.media++
		if body, err := answer(l.agent.Addr.Addr(), l.media, in.Body); err == nil {
			withSDP(ack, body)
		}
	}
	return func() { _, _ = l.agent.SendACK(ack, l.peer) } // the flow exists: an INVITE went over it
}

// opensDialog tells the methods whose 2xx begins a dialog.
func opensDialog(method string) bool { return method == "INVITE" || method == "SUBSCRIBE" }

// received is the last message that want describes: a method, a code, or nil
// for any.
func (l *leg) received(method string, code int) *message.Message {
	for i := len(l.got) - 1; i >= 0; i-- {
		m := l.got[i]
		switch {
		case method == "" && code == 0, code > 0 && m.Status == code, method != "" && m.IsRequest() && m.Method == method:
			return m
		}
	}
	return nil
}

// final is the final response to what began the call; nil: none yet.
func (l *leg) final() *message.Message {
	first, _, _ := l.invite.CSeq()
	for _, m := range l.got {
		if cseq, _, _ := m.CSeq(); m.Status >= 200 && m.Method == l.invite.Method && cseq == first {
			return m
		}
	}
	return nil
}
