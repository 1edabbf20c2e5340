package b2bua

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// lookupLimit bounds a DNS look-up; try ends the attempt sooner.
const lookupLimit = 10 * time.Second

// reach finds the flows to a URI, in the order to try: at once for an address,
// else by a look-up outside the mailbox. Without an error there is one at least.
func (o *owner) reach(uri, listener string, then func([]transport.Flow, error)) {
	if u, err := message.ParseURI(uri); err != nil || isAddress(u.BareHost()) {
		then(o.server.flows(o.server.ctx, uri, listener))
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(o.server.ctx, lookupLimit)
		defer cancel()
		flows, err := o.server.flows(ctx, uri, listener)
		o.post(reached{then: func(transport.Flow, error) { then(flows, err) }})
	}()
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// flows finds the sockets and addresses for a URI (RFC 3263), dead ends last.
func (s *Server) flows(ctx context.Context, uri, listener string) ([]transport.Flow, error) {
	hops, err := s.transport.Resolve(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errNotFound, uri, err)
	}
	var flows []transport.Flow
	for _, h := range hops {
		var f transport.Flow
		if f, err = s.transport.Flow(h, listener); err != nil && listener != "" {
			f, err = s.transport.Flow(h, "")
		}
		if err == nil {
			flows = append(flows, f)
		}
	}
	if len(flows) == 0 {
		return nil, fmt.Errorf("%w: %s: %w", errFault, uri, err)
	}
	return s.dead.last(flows), nil
}

// find is reach for a leg's hop, which may have a flow of its own. Of several
// addresses the leg takes the first, and its hop keeps the others.
func (o *owner) find(l *leg, listener string, then func(transport.Flow, error)) {
	h := l.place()
	then = safely(h.sips, then)
	switch {
	case h.flow.Listener != nil:
		then(h.flow, nil)
		return
	case h.at == nil:
	case h.at.missing != 0:
		then(transport.Flow{}, errMissing)
		return
	case h.at.flow.Listener != nil:
		then(h.at.flow, nil)
		return
	}
	o.reach(h.next, listener, func(flows []transport.Flow, err error) {
		if err != nil {
			then(transport.Flow{}, err)
			return
		}
		if h.sips {
			flows = safest(flows)
		}
		h.others = flows[1:]
		then(flows[0], nil)
	})
}

// safest leaves out what is not encrypted, unless nothing is.
func safest(flows []transport.Flow) []transport.Flow {
	safe := slices.DeleteFunc(slices.Clone(flows), func(f transport.Flow) bool { return !f.Secure() })
	if len(safe) == 0 {
		return flows
	}
	return safe
}

// isDeadEnd tells which failures of an address say nothing against the others of
// the same name (RFC 3263 section 4.3).
func isDeadEnd(code int, origin Origin) bool {
	return origin == OriginTransport || origin == OriginTimeout || origin == OriginPeer && code == 503
}

// goesOn tells whether a leg's target has another address to try now that this
// one has failed. One that rang has not (flow C8).
func (l *leg) goesOn(code int, origin Origin) bool {
	return len(l.place().others) > 0 && !l.rang && isDeadEnd(code, origin)
}

// elsewhere is the hop at the next of its addresses.
func (h hop) elsewhere() hop {
	h.flow, h.others = h.others[0], h.others[1:]
	return h
}

// several tells whether the hop is one address of several.
func (h *hop) several() bool { return h.flow.Listener != nil || len(h.others) > 0 }

// unheard remembers a leg's address as dead if nothing has come from there. err is
// nil for one whose time is over.
func (o *owner) unheard(l *leg, err error) {
	if !l.spoke && !errors.Is(err, transport.ErrTooLong) && !errors.Is(err, transport.ErrClosed) {
		o.server.dead.bury(l.flow, deadFor)
	}
}

// spoken remembers that a leg's address is alive.
func (o *owner) spoken(l *leg) {
	if !l.spoke {
		l.spoke = true
		o.server.dead.revive(l.flow)
	}
}

// nearest picks the flow for a request in a leg's dialog: where the dialog is at
// home if that is one of them, else the first.
func (o *owner) nearest(l *leg, flows []transport.Flow) transport.Flow {
	l.spare = 0
	var best transport.Flow
	for i, f := range flows {
		if i > 0 && o.server.dead.has(f) {
			break // and so are those behind it
		}
		l.spare = i
		switch {
		case best.Listener != nil:
		case l.serves(f):
			best = l.flow
		case f.Remote == l.flow.Remote && l.flow.Listener != nil && f.Network() == l.flow.Network():
			best = f
		}
	}
	if best.Listener == nil {
		return flows[0]
	}
	return best
}

// movesOn tells whether a request in a leg's dialog, to which the network gave
// no way, is to be sent again: its next hop is a name with another address.
func (o *owner) movesOn(l *leg, client *transaction.Client, err error) bool {
	if client == nil || l.spare == 0 || errors.Is(err, transaction.ErrTimeout) {
		return false
	}
	o.server.dead.bury(client.Flow(), deadFor)
	return true
}
