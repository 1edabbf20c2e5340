package b2bua

import (
	"bytes"
	"errors"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
)

// errCodecs is an offer of which a trunk's codecs leave nothing.
var errCodecs = errors.New("no codec is left for the target")

// choice is the codecs of a leg's neighbour; nil: any.
func (l *leg) choice() *offer.Choice {
	if l == nil || l.trunk == nil || l.searches() {
		return nil
	}
	if c := (*offer.Choice)(&l.trunk.Codecs); !c.Empty() {
		return c
	}
	return nil
}

// tuneOffer gives an offer that crosses from one leg to another the codecs of
// both neighbours. When none is left the message is as it was, and the error is
// errCodecs.
func tuneOffer(m *message.Message, from, to *leg) error {
	return tune(m, from, to, func(c *offer.Choice, sdp []byte) ([]byte, error) { return c.Offer(sdp) })
}

// tuneAnswer does so to an answer, of which always something is left.
func tuneAnswer(m *message.Message, from, to *leg) {
	_ = tune(m, from, to, func(c *offer.Choice, sdp []byte) ([]byte, error) { return c.Answer(sdp), nil })
}

func tune(m *message.Message, from, to *leg, apply func(*offer.Choice, []byte) ([]byte, error)) error {
	if from != nil { // else it is ours already
		veilSDP(m, to)
	}
	before := sdpOf(m)
	after := before
	for _, c := range [...]*offer.Choice{from.choice(), to.choice()} {
		if c == nil || len(before) == 0 {
			continue
		}
		var err error
		if after, err = apply(c, after); err != nil {
			return errCodecs
		}
	}
	if bytes.Equal(before, after) {
		return nil
	}
	if body, err := offer.Replace(m.Get("Content-Type"), m.Body, after); err == nil {
		m.Body = body
	}
	return nil
}

// tuneToCaller does either to what a callee says of the session: an offer if the
// caller's INVITE had none.
func (c *Call) tuneToCaller(out *message.Message, from *leg) error {
	if hasSDP(c.invite) {
		tuneAnswer(out, from, c.a)
		return nil
	}
	return tuneOffer(out, from, c.a)
}

// unspeakable tells whether a callee's offer in a 1xx leaves no codec.
func (c *Call) unspeakable(l *leg, res *message.Message) bool {
	if hasSDP(c.invite) || l.choice() == nil && c.a.choice() == nil {
		return false
	}
	return tuneOffer(res.Clone(), l, c.a) != nil
}

// tune does either to the request of an exchange: an answer if its sender was
// offered something that waits.
func (x *exchange) tune(out *message.Message) error {
	if x.near.offers.Offerer() == offer.Local {
		tuneAnswer(out, x.from, x.to)
		return nil
	}
	return tuneOffer(out, x.from, x.to)
}

// unspoken refuses an offer of which nothing is left. The 1xx that a PRACK was for
// is acknowledged all the same.
func (c *Call) unspoken(x *exchange, e request) {
	x.far.LocalSeq--
	c.reply(e, 488, nil)
	c.crossed(x)
	if x.rack != "" {
		c.errandIn(x.to, x.far, "PRACK", func(m *message.Message) { m.Set("RAck", x.rack) }, func(*message.Message) phase { return nil })
	}
}

// tuneBack does either to its response. An offer in a 2xx can't be refused: one of
// which nothing is left crosses as it is.
func (x *exchange) tuneBack(out *message.Message) {
	if x.late {
		_ = tuneOffer(out, x.to, x.from)
		return
	}
	tuneAnswer(out, x.to, x.from)
}
