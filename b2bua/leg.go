package b2bua

import (
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/refresh"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// leg is one half of a call: our dialog with one peer.
type leg struct {
	call       *Call        // nil: of a request outside calls
	trunk      *trunk.Trunk // nil: none
	flow       transport.Flow
	home       string // host in its Contact that only the flow leads to; "": none
	clocks     [timers - callTimers]clock
	index      int
	role       Role
	state      legState
	peer       peer
	sips       bool // its peer asked for sips; what we ask for stands in hop
	rang       bool
	spoke      bool           // its address has answered something
	left       bool           // it is no longer of this call
	spliced    bool           // its session was continued with somebody else's: see splice
	refreshing bool           // a refresh of ours is under way
	settled    bool           // the INVITE has its final response
	held       bool           // the ACK waits for the caller's (late offer)
	spare      int            // live addresses that the next hop of its dialog has besides the one used last
	refers     int            // how many of its REFERs were obeyed
	rule       *trunk.Headers // what crosses to this leg; made when first needed
	wishes     wishes         // of the caller, on its own leg
	load       *trunk.State   // where the call is counted; nil: nowhere

	dialog *talk            // confirmed, or A's first early one
	digest *digest.Client   // answers the peer's challenges; nil: none came
	proof  []message.Header // credentials of the last INVITE
	theirs []byte           // SDP that the peer described its session with last; nil: none yet
	ours   []byte           // SDP that we described it with to the peer

	timing refresh.State // its session timer
	until  time.Time     // when that ends the call

	heir *leg // who it is in the call that it was given to

	// of the A leg
	tx *transaction.Server // the INVITE

	// of a B leg
	client  *transaction.Client
	half    *talk                 // what the INVITE made of it: the callee's half is missing
	invite  *message.Message      // as sent last, until it is answered
	hop     *hop                  // where it was sent; nil: it was not ours, see place
	forks   []*fork               // early dialogs in the order they appeared
	extras  []*extra              // 2xx that nobody wants
	ack     *transaction.Outgoing // to the 2xx
	attempt int                   // index in the record
}

// place is where the leg was called; of one that called us, nowhere.
func (l *leg) place() *hop {
	if l.hop == nil {
		return &hop{}
	}
	return l.hop
}

// legState is how far the INVITE of a B leg has come.
type legState uint8

const (
	legIdle      legState = iota // no INVITE sent yet
	legCalling                   // INVITE sent
	legCancelled                 // no longer wanted; an answer is hung up
	legAnswered
	legOver // its INVITE has failed, or the leg was hung up
)

// fork is one early dialog of a B leg and what it is towards the caller.
type fork struct {
	dialog *talk            // with the callee
	caller *talk            // with the caller
	rseq   uint32           // of the callee's last reliable 1xx
	sdp    *message.Message // that reliable 1xx which described the session; nil: none
}

// talk is a dialog and where the offers in it stand; each early dialog is one
// of its own (RFC 6337 section 2).
type talk struct {
	dialog.Dialog
	offers offer.State
	rseq   uint32 // of our last reliable 1xx
}

// legA is the leg towards the caller of an INVITE.
func (s *Server) legA(c *Call, in *admitted) *leg {
	req := in.req
	cseq, _, _ := req.CSeq()
	contact := addressOf(in.flow)
	if a, ok := req.Contact(); ok {
		contact = a.URI
	}
	id := dialog.ID{CallID: req.CallID(), Local: s.newTag(), Remote: req.FromTag()}
	l := &leg{call: c, role: RoleA, trunk: in.trunk, load: in.load, flow: in.flow, home: home(req, in.flow), sips: isSIPS(req.URI), tx: in.tx}
	l.dialog = &talk{Dialog: *dialog.UAS(id, message.WithTag(req.Get("To"), ""), message.WithTag(req.Get("From"), ""),
		contact, req.List("Record-Route"), cseq)}
	l.dialog.carry(offer.INVITE, offer.Remote, hasSDP(req))
	l.peer.learn(req)
	in.tx.SetToTag(id.Local)
	return l
}

// addressOf stands in for a caller's Contact that is missing (RFC 2543 did not
// require one): a BYE must find the caller all the same.
func addressOf(f transport.Flow) string {
	uri := "sip:" + f.Remote.String()
	if by := f.Param(); by != "" {
		uri += ";transport=" + by
	}
	return uri
}

// request takes a request in one of the leg's dialogs.
func (l *leg) request(tx *transaction.Server, req *message.Message, tag string) {
	l.call.take(request{leg: l, tx: tx, req: req, tag: tag})
}

// acked takes the ACK to a 2xx of ours.
func (l *leg) acked(ack *message.Message, from transport.Flow) { l.call.take(acked{l, ack, from}) }

// seat is the index of a leg that is new in the call.
func (c *Call) seat() int {
	c.seats++
	return c.seats
}

// other is the leg on the far side; nil while no callee is being tried.
func (l *leg) other() *leg {
	if l.role == RoleB {
		return l.call.a
	}
	return l.call.b
}

func (l *leg) view() Leg {
	v := Leg{Role: l.role, Index: l.index, Target: l.place().uri, Rang: l.rang}
	if l.flow.Listener != nil { // else no way is known yet
		v.Local, v.Remote = l.flow.Listener.SentBy(), l.flow.Remote.String()
	}
	if l.trunk != nil {
		v.Trunk = l.trunk.Name
	}
	return v
}

// fork returns the early dialog of the tag in a response, made when it is new
// (RFC 3261 section 12.1.2); nil when the response makes none.
func (l *leg) fork(res *message.Message) *fork {
	tag := res.ToTag()
	if tag == "" {
		return nil
	}
	for _, f := range l.forks {
		if f.dialog.Remote == tag {
			if a, ok := res.Contact(); ok {
				f.dialog.Refresh(a.URI)
			}
			return f
		}
	}
	if len(l.forks) >= maxForks {
		return nil
	}
	f := &fork{dialog: l.dialogOf(res), caller: l.call.callerDialog()}
	l.forks = append(l.forks, f)
	return f
}

// maxForks bounds what a forking proxy can make us remember of one INVITE.
const maxForks = 16

// dialogOf makes the dialog that a response to our INVITE opens.
func (l *leg) dialogOf(res *message.Message) *talk {
	contact := l.half.Target
	if a, ok := res.Contact(); ok {
		contact = a.URI
	}
	id := l.half.ID
	id.Remote = res.ToTag()
	d := dialog.UAC(id, l.half.LocalURI, message.WithTag(res.Get("To"), ""), contact, res.List("Record-Route"), l.half.LocalSeq)
	return &talk{Dialog: *d, offers: l.half.offers}
}

// callerDialog is the A-leg dialog for a new early dialog of a callee: the
// first takes the one we have, every further one gets its own (flow C2).
func (c *Call) callerDialog() *talk {
	for _, l := range c.legs {
		if len(l.forks) > 0 {
			d := *c.a.dialog
			d.Local, d.LocalSeq, d.offers, d.rseq = c.server.newTag(), 0, offer.State{}, 0
			d.RemoteSeq, _, _ = c.invite.CSeq()
			d.carry(offer.INVITE, offer.Remote, hasSDP(c.invite))
			c.server.index.add(dialogKey{d.CallID, d.Local}, c.a)
			return &d
		}
	}
	return c.a.dialog
}

// repeat sends a 2xx again until its ACK comes: RFC 6026 leaves that to us,
// because the transaction no longer knows whether it did (RFC 3261 13.3.1.4).
type repeat struct {
	tx    *transaction.Server
	leg   *leg
	cseq  uint32
	pause time.Duration
	left  time.Duration
	cross *exchange // the re-INVITE it answers; nil: the first INVITE
}
