// Package trunk knows the neighbours: which trunk a source belongs to, where
// its targets are, which headers cross to it, how failures are told to it, and
// how many calls it takes. It is data and choice; it opens no socket, resolves
// no name and knows no call.
//
// A Table is one reading of the configuration and never changes; the States
// beside it live as long as the process. Start with Trunk and Table.Match; what
// crosses is in headers.go and preset.go, failures in responses.go.
package trunk

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"legwork/b2bua/message"
)

// Trunk is one neighbour, in both directions. It is read only once it is in a
// Table.
type Trunk struct {
	Name      string
	Match     []string              // sources: CIDR, IP address, host name, "user:NAME", "listener:NAME"
	Admits    func(netip.Addr) bool // who of these may come; nil: all
	Targets   []Endpoint            // where its calls go
	Listen    string                // name of the listener its calls leave from; "": any
	Headers   Headers               // what crosses to it
	Trust     Trust
	Codecs    Codecs // of the sessions with it
	Q850      Q850
	Numbers   Numbers
	Diversion message.DiversionForm // how it is told who diverted a call
	Responses *ResponseMap
	Params    map[string]any // free values for scripts
	Limits    Limits
	Profile   string // Lua file with its message profiles; "": none
	CUCM      *CUCM  // in place of Profile; nil: none
	Auth      *Auth  // what answers its challenges; nil: nothing
	PRACK     PRACK
	Timer     *Timer    // nil: the server's
	Health    *Health   // nil: not counted
	Register  *Register // nil: it knows where we are
}

// Of is the trunk if it is that of who comes from an address, which its own list of
// those may forbid; else nil. t may be nil.
func (t *Trunk) Of(source netip.Addr) *Trunk {
	if t != nil && t.Admits != nil && !t.Admits(source) {
		return nil
	}
	return t
}

// Numbers say how a neighbour writes telephone numbers, in SIP URIs.
type Numbers struct {
	Country                 string     // ISO 3166; numbers without a country code are dialled there
	URI, From, To, Identity NumberForm // of the Request-URI, From, To, and P-Asserted-Identity and its kin
	UserPhone               bool       // with user=phone
}

// Any tells whether numbers are rewritten at all.
func (n *Numbers) Any() bool {
	return n.URI != AnyNumber || n.From != AnyNumber || n.To != AnyNumber || n.Identity != AnyNumber
}

// NumberForm is one way to write a telephone number.
type NumberForm uint8

// AnyNumber leaves a number as it is.
const (
	AnyNumber      NumberForm = iota
	E164Number                // +4930123456
	PlainNumber               // 4930123456
	NationalNumber            // 030123456, abroad 0044...
)

// Q850 says what a neighbour is told of causes, and what its own mean to us.
type Q850 struct {
	Add    bool        // failures, BYE and CANCEL to it have one
	Read   bool        // a failure from it has the code that its cause stands for
	Causes map[int]int // by status code, before the table of RFC 3398
	Codes  map[int]int // by cause, before it
}

// CUCM is a script for SIP normalization of Cisco Unified Communications Manager.
type CUCM struct {
	File   string
	Params map[string]any // its script parameters, before the trunk's own
}

// Codecs are what the sessions with a neighbour may have, by name or name/rate.
type Codecs struct {
	Keep   []string // no others; empty: all
	Drop   []string // but not these
	Prefer []string // these first
}

// Auth are the credentials that answer a challenge (RFC 3261 section 22). Logs,
// errors and JSON show the user alone.
type Auth struct{ User, Password string }

func (a Auth) String() string { return a.User }

// Format stands in for every verb: fmt asks String for some of them only.
func (a Auth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.User) }

// MarshalText is for JSON, in logs and elsewhere.
func (a Auth) MarshalText() ([]byte, error) { return []byte(a.User), nil }

// PRACK says what becomes of reliable provisional responses (RFC 3262).
type PRACK uint8

// PRACKDefault takes the next outer rule's: route, trunk, then Interwork.
const (
	PRACKDefault   PRACK = iota
	InterworkPRACK       // 100rel ends at each leg
	PassPRACK            // the legs agree on it end to end
	NoPRACK              // neither offered nor taken
)

// Timer is what we ask of a leg's session timer (RFC 4028).
type Timer struct {
	Off       bool          // neither asked for nor taken part in
	Expires   time.Duration // 0: none is asked for; a peer's is honoured
	Min       time.Duration // the least that is accepted; 0: 90 s
	Refresher string        // "uac" or "uas" in the sense of the RFC; "": whoever can
}

// Endpoint is one place that a trunk's calls go to.
type Endpoint struct {
	URI      string
	Weight   int  // share among those of equal Priority; below 1 counts as 1
	Priority int  // the lowest is tried first
	Backup   bool // tried behind all others of its Priority, whatever it weighs
}

// Limits bound a trunk in both directions together; 0 is no limit.
type Limits struct {
	Calls int     // at once
	CPS   float64 // new calls a second, with bursts of one second's worth
}
