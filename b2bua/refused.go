package b2bua

import (
	"sync/atomic"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
)

// reason is why a request was refused before anything was made of it.
type reason uint8

// The reasons, in the order in which a request can meet them.
const (
	noReason         reason = iota
	refusedDialog           // it means a dialog that there is none of: 481
	refusedSource           // no trunk, no user: 403, or silence
	refusedProof            // credentials that prove nothing
	refusedUnproved         // none, or stale ones: the challenge is what comes first
	refusedScheme           // a Request-URI that we can't honour: 416
	refusedHops             // 483
	refusedExtension        // 420
	refusedLoop             // it was here already: 482
	refusedTimer            // 422
	refusedDraining
	refusedCalls
	refusedDelay
	refusedCPS
	refusedTrunk   // its trunk takes no more calls, or none at all
	refusedWaiting // too many requests outside calls wait
	refusedGuessed // so many try to be a user that no more may wait for it
	reasons
)

// reasonNames are those of the metric.
var reasonNames = [reasons]string{
	"", "no_dialog", "unknown_source", "wrong_credentials", "challenged", "uri_scheme", "max_forwards", "extension", "loop", "session_timer",
	"draining", "calls", "queue_delay", "cps", "trunk", "too_many_waiting", "too_many_guesses",
}

func (r reason) String() string { return reasonNames[r] }

// refusals counts them.
type refusals [reasons]atomic.Int64

// reasonOf is what a code of inspect's says.
func reasonOf(code int) reason {
	switch code {
	case 416:
		return refusedScheme
	case 483:
		return refusedHops
	case 420:
		return refusedExtension
	}
	return refusedLoop
}

// reasonOfProof is why somebody is asked who calls.
func reasonOfProof(p proof) reason {
	if p.outcome == digest.Absent || p.outcome == digest.Stale {
		return refusedUnproved
	}
	return refusedProof
}

// refuse answers a request that nothing is made of, and counts why.
func (s *Server) refuse(tx *transaction.Server, req *message.Message, why reason, code int, headers ...message.Header) {
	s.refused[why].Add(1)
	s.answer(tx, req, code, headers...)
}

// Refused counts the requests that were refused before anything was made of
// them, by reason.
func (s *Server) Refused() map[string]uint64 {
	all := make(map[string]uint64, reasons)
	for why := noReason + 1; why < reasons; why++ {
		all[why.String()] = uint64(s.refused[why].Load())
	}
	return all
}

// later is the Retry-After of a 503 of ours, in seconds.
func later() message.Header { return message.Header{Name: "Retry-After", Value: "5"} }
