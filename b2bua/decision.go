package b2bua

import (
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// Decided is a hook's answer and the line that gave it.
type Decided struct {
	Decision Decision // nil: the default
	Where    string   // "main.lua:12"; "" when no script spoke
	Hook     string   // of Outside: the one that was asked, "on_message" or "on_other"; "": none
}

// Decision is one of the types below; which of them a hook may give stands at
// its Router method and in contract/lua-api.md section 2.
type Decision interface{ decision() }

type (
	// Route says where the call goes. Zero durations take the defaults of
	// contract/lua-api.md section 4.
	Route struct {
		Targets     []Target // at least one
		Strategy    Strategy
		Key         string        // of Hash; "": the caller's From
		Try         time.Duration // to the first 1xx other than 100
		Ring        time.Duration // from there to an answer
		Budget      time.Duration // all attempts together
		Retry       *Retry        // nil: the default set
		Headers     trunk.Headers // what crosses, on top of the trunk's
		KeepCallID  bool
		MaxDuration time.Duration
		PRACK       trunk.PRACK
		Timer       *trunk.Timer // nil: the leg's trunk's, else the server's
		Refer       Refer
		Redirects   Redirects
		Early       Early
	}
	// Reject answers the caller with a failure.
	Reject struct {
		Code    int // 400..699
		Reason  string
		Headers []message.Header
	}
	// Challenge answers 401, or 407 with Proxy, unless the request holds
	// credentials of one of Users: then the same hook is asked again with
	// Source.Account set, and a Challenge is its default.
	Challenge struct {
		Realm string // "": the configured one
		Proxy bool
		Users Users // nil: the configured ones
	}
	// Pass lets a REFER cross.
	Pass struct{}
	// Transfer obeys a REFER here, with these in place of its Refer-To, also of
	// the Replaces in that; on_invite is not asked about them. None: as it says.
	Transfer struct{ Targets []Target }
	// Accept stores the binding of a REGISTER here.
	Accept struct{ Expires time.Duration } // the most that is granted; 0: as configured
	// Redirect answers the caller 3xx with contacts.
	Redirect struct {
		Code     int // 300..399
		Contacts []string
	}
	// Drop leaves the caller without an answer.
	Drop struct{}
	// Next goes on with the next target, or with these before the rest.
	Next struct {
		Targets []Target
		Headers []message.Header // set on the INVITEs of all that were to come anyway
	}
	// Fail ends the call with the callee's failure.
	Fail struct{}
	// Reply answers a request here, in a dialog or outside.
	Reply struct {
		Code    int // 200..699
		Reason  string
		Headers []message.Header
		Body    []byte
	}
	// Skip passes a target over.
	Skip struct{}
	// Suppress keeps a 1xx from the caller.
	Suppress struct{}
	// HangUp ends an answered callee again; the caller gets Code.
	HangUp struct {
		Code   int
		Reason string
	}
	// Failed is an error of the script: the caller gets 500.
	Failed struct{ Err error }
)

func (Route) decision()     {}
func (Reject) decision()    {}
func (Challenge) decision() {}
func (Pass) decision()      {}
func (Transfer) decision()  {}
func (Accept) decision()    {}
func (Redirect) decision()  {}
func (Drop) decision()      {}
func (Next) decision()      {}
func (Fail) decision()      {}
func (Reply) decision()     {}
func (Skip) decision()      {}
func (Suppress) decision()  {}
func (HangUp) decision()    {}
func (Failed) decision()    {}

// Strategy is the order in which targets are tried.
type Strategy uint8

// Serial takes them as listed, those marked Beside together; Weighted draws by
// weight; Parallel tries all at once; Hash gives equal keys the same order, and
// when a target goes or comes only its own keys another; LeastLoaded begins with
// the trunk that has the fewest calls for its weight. Those marked backup come
// last, and but for Parallel and groups those whose trunk is down behind them.
const (
	Serial Strategy = iota
	Weighted
	Parallel
	Hash
	LeastLoaded
)

// Users finds the secret of a user; false when there is no such user.
type Users func(user string) (digest.Secret, bool)

// Refer says what becomes of a REFER in a dialog.
type Refer uint8

// The values of route key refer.
const (
	PassRefer Refer = iota // it crosses, a Replaces in it rewritten
	// LocalRefer obeys it here: Invite is asked about the INVITE that it wants,
	// on a router of its own. Two calls that it names are joined. A caller whose
	// Replaces names this call once it is answered takes its place here; Invite
	// may refuse that, its targets are not tried.
	LocalRefer
	RejectRefer // 603
)

// Redirects says what becomes of a callee's 3xx.
type Redirects uint8

// The values of route key redirect.
const (
	FollowRedirects Redirects = iota // its contacts are tried, by q
	PassRedirects                    // it goes to the caller
)

// Early says which provisional responses cross.
type Early uint8

// The values of route key early.
const (
	EarlyPass     Early = iota // all, each early dialog as its own
	EarlyFirst                 // those of the first early dialog
	EarlySuppress              // none
)

// Target is one place to try for one call: a URI or a trunk, the latter with
// user and host of its own if wanted.
type Target struct {
	URI     string // sip: URI; wins over Trunk
	Trunk   string
	AOR     string // of a user registered here: each of its contacts, by q
	User    string // Request-URI user; "" keeps the caller's
	Host    string // Request-URI host; "" takes the trunk's
	Weight  int    // of Weighted; 0 counts as 1
	Backup  bool
	Beside  bool              // tried together with the target before it
	Auth    *trunk.Auth       // answers its challenges; nil: its trunk's
	Headers []message.Header  // set on its INVITE
	Ring    time.Duration     // 0: the route's
	Try     time.Duration     // 0: the route's
	CDR     map[string]string // goes to the record of its attempt

	located *located // what became of AOR
}

// Retry is a set of codes, classes and origins after which the next target is
// tried.
type Retry struct {
	Codes   map[int]bool // 503, or a class as 5
	Origins map[Origin]bool
}

// Has tells whether a failure moves on to the next target.
func (r *Retry) Has(code int, origin Origin) bool {
	byCode := origin == OriginPeer || origin == OriginLocal // local: a trunk at its limit
	if r == nil {
		return !byCode || code == 408 || code == 500 || code >= 502 && code <= 504
	}
	if !byCode {
		return r.Origins[origin]
	}
	return r.Codes[code] || r.Codes[code/100]
}
