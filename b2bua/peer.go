package b2bua

import (
	"bytes"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
)

// peer is what the other end of a leg has told of itself with Allow, Supported
// and Require (RFC 3261 sections 20.5, 20.32 and 20.37).
type peer struct {
	update   word // the method UPDATE
	timer    bool // RFC 4028
	reliable bool // 100rel, RFC 3262
	requires bool // it requires 100rel
	replaces bool // RFC 3891
}

// word is whether a peer has spoken of a method.
type word uint8

const (
	untold word = iota // it may allow it: its refusal crosses
	refuses
	allows
)

// learn takes what a message tells; one without these headers changes nothing.
func (p *peer) learn(m *message.Message) {
	if _, told := m.Lookup("Allow"); told {
		p.update = refuses
		if m.HasToken("Allow", "UPDATE") {
			p.update = allows
		}
	}
	_, told := m.Lookup("Supported")
	_, wants := m.Lookup("Require")
	if !told && !wants {
		return
	}
	p.requires = m.HasToken("Require", "100rel")
	supports := func(tag string) bool { return m.HasToken("Supported", tag) || m.HasToken("Require", tag) }
	p.timer, p.reliable, p.replaces = supports("timer"), supports("100rel"), supports("replaces")
}

// carry notes that a message went through the dialog. A peer that breaks the
// order of offers and answers is not held to it: what was open is dropped.
func (t *talk) carry(m offer.Message, from offer.Side, sdp bool) {
	if m == 0 {
		return
	}
	if _, err := t.offers.Carry(m, from, sdp); err != nil {
		t.offers.Reject()
	}
}

// carrier is what a request and its 2xx are in the order of offers and answers;
// zero: they are not in it.
type carrier struct{ request, ok offer.Message }

func carrierOf(method string) carrier {
	switch method {
	case "INVITE":
		return carrier{offer.INVITE, offer.OK}
	case "UPDATE":
		return carrier{offer.UPDATE, offer.UPDATEOK}
	case "PRACK":
		return carrier{offer.PRACK, offer.PRACKOK}
	}
	return carrier{}
}

func hasSDP(m *message.Message) bool {
	return len(m.Body) > 0 && offer.HasSDP(m.Get("Content-Type"))
}

// keepTheirs keeps the session as the peer has described it, keepOurs as we
// have described it to the peer: what is refreshed or handed on is the last of
// each.
func (l *leg) keepTheirs(m *message.Message) {
	if m != nil && l.choice() != nil {
		m = m.Clone()
		tuneAnswer(m, l, nil) // what is offered on from it comes from its trunk
	}
	l.keepSDP(&l.theirs, m)
}

func (l *leg) keepOurs(m *message.Message) { l.keepSDP(&l.ours, m) }

// keepSDP keeps a copy, not the datagram that it came in; what crossed unchanged
// is shared with the other leg.
func (l *leg) keepSDP(at *[]byte, m *message.Message) {
	if m == nil || len(m.Body) == 0 {
		return
	}
	sdp, ok := offer.Find(m.Get("Content-Type"), m.Body)
	if !ok || bytes.Equal(*at, sdp) {
		return
	}
	if o := l.other(); o != nil {
		for _, same := range [][]byte{o.theirs, o.ours} {
			if bytes.Equal(same, sdp) {
				*at = same
				return
			}
		}
	}
	*at = bytes.Clone(sdp)
}
