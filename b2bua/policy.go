package b2bua

import (
	"context"
	"time"

	"legwork/b2bua/message"
)

// Policy decides for the process. script implements it; a fixed one serves
// tests.
type Policy interface {
	// Router returns who decides for one call, pinned to the scripts that are
	// live now. handle stays valid until Router.Close.
	Router(handle Handle) Router
}

// Handle is what a hook may do to its call besides deciding. Every method may be
// used from any goroutine.
type Handle interface {
	// Note adds a line to the call's log, ladder and record.
	Note(text, where string)
	// HangUp ends the call on both legs; code is the answer for a caller
	// that has none yet.
	HangUp(code int)
	// OnEnd runs f once when the call is over; at once when it is.
	OnEnd(f func())
	// Watched tells whether anybody hears what Tell says; it is asked once.
	Watched() bool
	// Tell says what happened inside a hook: Edited, LookedUp, Limited or Failed.
	// It stands in the call's story before whatever the hook's end brings.
	Tell(ev Event)
}

// Opening is how a call, or a request outside any dialog, begins: what a policy
// that runs two sets of scripts chooses by. The handles of this package tell it,
// from Policy.Router on until that returns.
type Opening struct {
	ID     string
	Trunk  string // that it comes from
	Caller string // URI in From
	Call   bool   // with a record of its own
}

// Router decides for one call, or for one request outside any dialog. Invite,
// Failure, Refer, Outside and End may wait: the engine
// asks them outside the call's mailbox and cancels ctx when the answer is no
// longer wanted. All others are asked inside the mailbox and return at once.
//
// Hooks edit the message they are given; nothing else changes until they have
// returned. A nil Decision is the default of contract/lua-api.md section 2. A
// router never panics and reports its own errors: as Failed from Invite, as a
// Reject with 500 of a REGISTER, as the default elsewhere.
type Router interface {
	// Wants tells which hooks are there, so that the engine makes no view for
	// one that is not.
	Wants(Hook) bool
	Invite(ctx context.Context, v View) Decided             // Route Reject Redirect Challenge Drop
	Branch(v View, leg Leg, req *message.Message) Decided   // Skip
	Progress(v View, leg Leg, res *message.Message) Decided // Suppress
	Answer(v View, leg Leg, res *message.Message) Decided   // HangUp
	Failure(ctx context.Context, v View, leg Leg, res *message.Message, origin Origin) Decided
	Final(v View, res *message.Message, origin Origin)     // on_final, then the script's response map
	Request(v View, leg Leg, req *message.Message) Decided // Reply
	Response(v View, leg Leg, res *message.Message)
	Bye(v View, leg Leg, req *message.Message)
	// Refer is asked about a REFER in a dialog; leg is where it came from.
	Refer(ctx context.Context, v View, leg Leg, req *message.Message) Decided // Pass Transfer Reject
	// Outside is asked about a request outside any dialog that is no INVITE;
	// v.Request is that request. A script without a hook for its method
	// answers with the default.
	Outside(ctx context.Context, v View) Decided // Route Reply Reject Challenge Accept
	End(ctx context.Context, v View, r *Record)
	// Inbound and Outbound run the message profiles of a leg's trunk, on
	// requests and responses that came in or are about to leave.
	Inbound(leg Leg, m *message.Message)
	Outbound(leg Leg, m *message.Message)
	// Name is the script's name and hash, "main.lua@1a2b3c4d".
	Name() string
	// Close lets the generation go; the last call of an old one frees it.
	Close()
}

// Hook names a moment at which a router is asked.
type Hook uint8

// The hooks of contract/lua-api.md section 2 that a call has.
const (
	HookInvite Hook = iota
	HookBranch
	HookProgress
	HookAnswer
	HookFailure
	HookFinal
	HookRequest
	HookResponse
	HookBye
	HookEnd
	HookRefer
	HookOutside
	HookInbound
	HookOutbound
)

// Origin says where a failure was made.
type Origin string

// The origins of contract/lua-api.md section 2.
const (
	OriginPeer      Origin = "peer"
	OriginTimeout   Origin = "timeout"
	OriginTransport Origin = "transport"
	OriginDNS       Origin = "dns"
	OriginLocal     Origin = "local"
)

// View is what a hook may know of its call: a value, made when it is asked.
type View struct {
	ID      string
	Source  Source
	Request *message.Message // the caller's INVITE as received; read only
	Started time.Time
	Attempt int // 1 for the first target; 0 before
	A       Leg
	Legs    []Leg // B legs so far, in order
}

// Source is where a call came from.
type Source struct {
	IP        string
	Port      int
	Transport string // udp tcp tls ws wss
	TLSName   string // in the certificate of the peer, verified; "": none
	Trunk     string // name; "" for an unknown source
	Account   string // user that digest has proved; "": none
	Listener  string
	Params    map[string]any // the trunk's params
}

// Role is one of a call's two sides.
type Role uint8

// Towards the caller, towards a callee.
const (
	RoleA Role = iota
	RoleB
)

func (r Role) String() string {
	if r == RoleA {
		return "a"
	}
	return "b"
}

// Leg is what a hook may know of a leg.
type Leg struct {
	Role   Role
	Index  int    // 0 for A; 1 is the first B leg
	Trunk  string // name or ""
	Target string // Request-URI of a B leg
	Rang   bool   // a 1xx other than 100 came
	Local  string // host:port of our side as the peer sees it
	Remote string // host:port of the peer; "": no way there is known yet
}
