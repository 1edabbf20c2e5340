// Package dialog is RFC 3261 section 12 as data: identifiers, sequence numbers,
// route set and remote target of one dialog. It has no clock, socket or lock
// and reads no messages; whoever owns a dialog tells it what came.
package dialog

import (
	"errors"
	"strings"
)

// ErrOrder refuses a request whose CSeq is not above the last one (RFC 3261
// section 12.2.2): the answer is 500.
var ErrOrder = errors.New("CSeq is out of order")

// ID names a dialog on our side.
type ID struct{ CallID, Local, Remote string }

// Dialog is one of ours with one peer, early or confirmed. The zero sequence
// numbers mean that nothing was sent or received yet.
type Dialog struct {
	ID
	LocalURI  string   // From of our requests, without tag
	RemoteURI string   // To of our requests, without tag
	Target    string   // remote target: where requests go
	Routes    []string // route set, nearest first, as Route values
	LocalSeq  uint32
	RemoteSeq uint32
}

// UAS makes the dialog of the side that was invited (section 12.1.1):
// recordRoutes stand as in the request.
func UAS(id ID, local, remote, contact string, recordRoutes []string, cseq uint32) *Dialog {
	return &Dialog{ID: id, LocalURI: local, RemoteURI: remote, Target: contact, Routes: recordRoutes, RemoteSeq: cseq}
}

// UAC makes the dialog of the side that invited (section 12.1.2): recordRoutes
// stand as in the response and are reversed here. What the peer wrote is copied:
// a dialog outlives the datagram that its text is a view of.
func UAC(id ID, local, remote, contact string, recordRoutes []string, cseq uint32) *Dialog {
	routes := make([]string, 0, len(recordRoutes))
	for i := len(recordRoutes) - 1; i >= 0; i-- {
		routes = append(routes, strings.Clone(recordRoutes[i]))
	}
	id.Remote = strings.Clone(id.Remote)
	return &Dialog{ID: id, LocalURI: local, RemoteURI: remote, Target: strings.Clone(contact), Routes: routes, LocalSeq: cseq}
}

// Next takes the next sequence number for a request of ours.
func (d *Dialog) Next() uint32 {
	d.LocalSeq++
	return d.LocalSeq
}

// Receive takes the sequence number of a request that came in the dialog.
func (d *Dialog) Receive(cseq uint32) error {
	if cseq <= d.RemoteSeq {
		return ErrOrder
	}
	d.RemoteSeq = cseq
	return nil
}

// Refresh replaces the remote target (section 12.2.1.2); an empty contact
// leaves it.
func (d *Dialog) Refresh(contact string) {
	if contact != "" && contact != d.Target {
		d.Target = strings.Clone(contact)
	}
}

// Path says where a request goes (section 12.2.1.1): its Request-URI, its Route
// values, and the URI of the next hop. A first route without ";lr" is a strict
// router: it takes the Request-URI's place and the target goes last.
func (d *Dialog) Path() (uri string, routes []string, next string) {
	if len(d.Routes) == 0 {
		return d.Target, nil, d.Target
	}
	first := bare(d.Routes[0])
	if isLoose(first) {
		return d.Target, d.Routes, first
	}
	routes = append(append(make([]string, 0, len(d.Routes)), d.Routes[1:]...), "<"+d.Target+">")
	return first, routes, first
}

// bare takes the URI out of a Route value.
func bare(route string) string {
	_, inside, ok := strings.Cut(route, "<")
	if !ok {
		return route
	}
	uri, _, _ := strings.Cut(inside, ">")
	return uri
}

func isLoose(uri string) bool {
	for param := range strings.SplitSeq(uri, ";") {
		name, _, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "lr") {
			return true
		}
	}
	return false
}
