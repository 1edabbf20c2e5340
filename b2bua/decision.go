package b2bua

import (
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// Decided is a hook's answer and the line that gave it.
type Decided struct {
	Decision Decision // nil: the default
	Where    string   // "main.lua:12"; "" when no script spoke
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
		Try         time.Duration // to the first 1xx other than 100
		Ring        time.Duration // from there to an answer
		Budget      time.Duration // all attempts together
		Retry       *Retry        // nil: the default set
		Headers     trunk.Headers // what crosses, on top of the trunk's
		KeepCallID  bool
		MaxDuration time.Duration
	}
	// Reject answers the caller with a failure.
	Reject struct {
		Code    int // 400..699
		Reason  string
		Headers []message.Header
	}
	// Redirect answers the caller 3xx with contacts.
	Redirect struct {
		Code     int // 300..399
		Contacts []string
	}
	// Drop leaves the caller without an answer.
	Drop struct{}
	// Next goes on with the next target, or with these before the rest.
	Next struct{ Targets []Target }
	// Fail ends the call with the callee's failure.
	Fail struct{}
	// Reply answers an in-dialog request here.
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

func (Route) decision()    {}
func (Reject) decision()   {}
func (Redirect) decision() {}
func (Drop) decision()     {}
func (Next) decision()     {}
func (Fail) decision()     {}
func (Reply) decision()    {}
func (Skip) decision()     {}
func (Suppress) decision() {}
func (HangUp) decision()   {}
func (Failed) decision()   {}

// Strategy is the order in which targets are tried.
type Strategy uint8

// Serial takes them as listed; Weighted draws by weight, those marked backup
// last.
const (
	Serial Strategy = iota
	Weighted
)

// Target is one place to try for one call: a URI or a trunk, the latter with
// user and host of its own if wanted.
type Target struct {
	URI     string // sip: URI; wins over Trunk
	Trunk   string
	User    string // Request-URI user; "" keeps the caller's
	Host    string // Request-URI host; "" takes the trunk's
	Weight  int    // of Weighted; 0 counts as 1
	Backup  bool
	Headers []message.Header  // set on its INVITE
	Ring    time.Duration     // 0: the route's
	Try     time.Duration     // 0: the route's
	CDR     map[string]string // goes to the record of its attempt
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
